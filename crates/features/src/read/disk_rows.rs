//! Features that stay on the disk: their rows are read from the parts of the store when they are asked for. Parts are
//! plain, so a row is one read at its place.

use std::fs::File;
use std::path::PathBuf;

use crate::Error;
use crate::disk::open_files::OpenFiles;
use crate::disk::part::Part;
use crate::identity::{EncoderSpec, Key};
use crate::table::layout::Layout;
use crate::table::values::wrong_value;
use crate::table::{EncoderTable, Values};

/// Rows of one encoder on the disk; of each 4 bytes are in memory.
#[derive(Debug)]
pub struct DiskRows {
    spec: EncoderSpec,
    remedy: String,
    parts: Vec<TakenPart>,
    files: OpenFiles,
    /// Number of each part's first row.
    firsts: Vec<usize>,
}

/// A part of which some rows are taken.
#[derive(Debug)]
struct TakenPart {
    path: PathBuf,
    layout: Layout,
    rows: Vec<u32>,
}

impl DiskRows {
    /// Of each part the rows that are taken.
    pub(crate) fn of(
        table: &EncoderTable,
        sources: Vec<(&Part, Layout, Vec<u32>)>,
    ) -> Result<Self, Error> {
        let (mut parts, mut firsts) = (Vec::<TakenPart>::new(), Vec::new());
        let mut next = 0;
        for (part, layout, rows) in sources {
            firsts.push(next);
            next += rows.len();
            parts.push(TakenPart {
                path: part.path.clone(),
                layout,
                rows,
            });
        }
        let files = OpenFiles::of(parts.iter().map(|part| part.path.as_path()))?;
        Ok(Self {
            spec: table.file.encoder.clone(),
            remedy: table.remedy(),
            parts,
            files,
            firsts,
        })
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        let bytes = self.parts.iter().flat_map(|part| {
            let rows = part.rows.iter();
            rows.map(|&row| part.layout.row_bytes(row as usize))
        });
        bytes.sum::<usize>() / self.spec.value_type.bytes()
    }

    /// Reads the values of a row.
    pub(crate) fn read(&self, row: usize, out: &mut [f32]) -> Result<(), Error> {
        let number = self.firsts.partition_point(|&first| first <= row) - 1;
        let part = &self.parts[number];
        let row = part.rows[row - self.firsts[number]] as usize;
        let range = part.layout.row(row);
        let mut bytes = vec![0; range.len()];
        let read = self
            .files
            .read((number, &part.path), range.start as u64, &mut bytes);
        read.map_err(|source| Error::read(&part.path, source))?;
        let mut values = Values::zeros(self.spec.value_type, out.len());
        let filled = values.split_mut(&[out.len()])[0].fill(0, &bytes);
        filled.map_err(|(index, value)| self.wrong(part, row, index, value))?;
        values.copy_to(0, out);
        Ok(())
    }

    fn wrong(&self, part: &TakenPart, row: usize, index: usize, value: f32) -> Error {
        let keys = File::open(&part.path).map(|file| part.layout.keys(&file));
        let keys = keys.ok().and_then(Result::ok).unwrap_or_default();
        let key = keys.get(row).copied().unwrap_or(Key::of(b""));
        let problem = format!(
            "is no number, in `{}`; {}",
            part.path.display(),
            self.remedy
        );
        wrong_value(&self.spec, key, index, value, &problem)
    }
}
