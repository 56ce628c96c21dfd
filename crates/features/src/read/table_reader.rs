//! Single rows of an encoder's table, read where they lie on the disk; only the keys are in memory.

use rayon::prelude::*;

use super::store::Store;
use crate::Error;
use crate::disk::open_files::OpenFiles;
use crate::identity::{EncoderSpec, Key};
use crate::table::layout::Layout;
use crate::table::values::wrong_value;
use crate::table::{EncoderTable, Values};

/// Reads rows of one encoder's table by their number: parts in their order, rows in theirs, a key that stands twice
/// where it stands first.
#[derive(Debug)]
pub struct TableReader<'a> {
    table: &'a EncoderTable,
    layouts: Vec<Layout>,
    files: OpenFiles,
    keys: Vec<Key>,
    /// Part and row of each key.
    places: Vec<(u32, u32)>,
}

impl<'a> TableReader<'a> {
    /// Opens the table of the encoder of this name.
    pub fn open(store: &'a Store, encoder: &str) -> Result<Self, Error> {
        let table = store.table(encoder)?;
        let opened = table.parts.par_iter().map(|part| table.layout(part));
        let opened = opened.collect::<Result<Vec<_>, Error>>()?;
        let mut reader = Self {
            table,
            layouts: Vec::with_capacity(opened.len()),
            files: OpenFiles::of(table.parts.iter().map(|part| part.path.as_path()))?,
            keys: Vec::new(),
            places: Vec::new(),
        };
        for (number, (layout, keys)) in opened.into_iter().enumerate() {
            reader.layouts.push(layout);
            let places = (0..keys.len()).map(|row| (number as u32, row as u32));
            reader.places.extend(places);
            reader.keys.extend(keys);
        }
        reader.forget_repeated();
        Ok(reader)
    }

    /// Drops rows whose key stands before.
    fn forget_repeated(&mut self) {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        order.sort_by_key(|&index| self.keys[index as usize]);
        let same = |pair: &[u32]| self.keys[pair[0] as usize] == self.keys[pair[1] as usize];
        let again: Vec<u32> = order
            .windows(2)
            .filter(|pair| same(pair))
            .map(|pair| pair[1])
            .collect();
        let mut is_first = vec![true; self.keys.len()];
        again
            .iter()
            .for_each(|&index| is_first[index as usize] = false);
        let mut kept = is_first.iter();
        self.keys
            .retain(|_| *kept.next().expect("as long as the keys"));
        let mut kept = is_first.iter();
        self.places
            .retain(|_| *kept.next().expect("as long as the keys"));
    }

    /// The encoder.
    pub fn spec(&self) -> &EncoderSpec {
        &self.table.file.encoder
    }

    /// Keys of all rows, in the order of the rows.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The values of a row, as 32-bit floats.
    pub fn row(&self, number: usize) -> Result<Vec<f32>, Error> {
        let (part, row) = self.places[number];
        let path = &self.table.parts[part as usize].path;
        let range = self.layouts[part as usize].row(row as usize);
        let mut bytes = vec![0; range.len()];
        let read = self
            .files
            .read((part as usize, path), range.start as u64, &mut bytes);
        read.map_err(|source| Error::read(path, source))?;
        let spec = self.spec();
        let width = bytes.len() / spec.value_type.bytes();
        let mut values = Values::zeros(spec.value_type, width);
        let filled = values.split_mut(&[width])[0].fill(0, &bytes);
        filled.map_err(|(index, value)| {
            let problem = format!(
                "is no number, in `{}`; {}",
                path.display(),
                self.table.remedy()
            );
            wrong_value(spec, self.keys[number], index, value, &problem)
        })?;
        let mut floats = vec![0.0; width];
        values.copy_to(0, &mut floats);
        Ok(floats)
    }
}
