//! Files that are whole or not there. Bytes come in; checksummed files go out: parts, sealed JSON, replaced files,
//! and the lock.

pub(crate) mod encoder_file;
pub(crate) mod folder;
pub(crate) mod lock;
pub(crate) mod open_files;
pub(crate) mod part;
pub(crate) mod replaced_file;
pub(crate) mod sealed_json;
pub(crate) mod store_file;
