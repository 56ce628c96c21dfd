//! `rejects.csv` of a store: contents that could not be encoded, each with its reason.

use std::io;

use serde::{Deserialize, Serialize};

/// A picture that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReject {
    /// A post that has it.
    pub post_id: String,
    /// Its path.
    pub path: String,
    /// Why not.
    pub reason: String,
}

/// The file's bytes; the header stands there even when nothing was rejected.
pub(crate) fn to_csv(rejects: &[StoreReject]) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["post_id", "path", "reason"])?;
    for reject in rejects {
        csv.write_record([&reject.post_id, &reject.path, &reject.reason])?;
    }
    csv.into_inner().map_err(|error| error.into_error())
}

/// Reads what [`to_csv`] wrote.
pub(crate) fn from_csv(bytes: &[u8]) -> io::Result<Vec<StoreReject>> {
    let rejects = csv::Reader::from_reader(bytes).into_deserialize();
    rejects
        .map(|reject| reject.map_err(io::Error::other))
        .collect()
}

/// How many rejects the file's bytes list.
pub(crate) fn count(bytes: &[u8]) -> usize {
    csv::Reader::from_reader(bytes).records().count()
}
