//! Where the values of a part lie in its file. Parts are written plain and uncompressed, so a row is a range of
//! bytes, and reading is copying: Parquet's own reader walks through two levels a value, 130 million for the texts
//! of one dataset.

use std::io;

use mmfnd_posts::{metadata_of, without_panic};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader;

use super::schema::{check_schema, made_by};
use crate::Error;
use crate::disk::open_files::Opened;
use crate::disk::part::Part;
use crate::identity::{EncoderSpec, Key, Maker};

/// Rows that lie one after the other.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: usize,
    rows: usize,
    offset: usize,
}

/// Where keys and values lie.
#[derive(Debug)]
pub(crate) struct Layout {
    rows: usize,
    keys: Vec<Stretch>,
    values: Vec<Stretch>,
    row_bytes: usize,
    /// Of a ragged encoder where the bytes of each row begin, were all rows one after the other, and their end.
    starts: Vec<usize>,
    /// Who made the part.
    maker: Maker,
}

impl Layout {
    /// Reads the footer of a part.
    pub(crate) fn of(file: &impl ChunkReader, spec: &EncoderSpec) -> Result<Self, Fault> {
        let metadata = without_panic(|| {
            let metadata = metadata_of(file)?;
            check_schema(&metadata, spec).map(|()| metadata)
        })?;
        if metadata.num_row_groups() != 1 {
            let groups = metadata.num_row_groups();
            return Err(Fault::Damage(format!("{groups} row groups, not 1")));
        }
        let file_bytes = usize::try_from(file.len());
        let file_bytes = file_bytes.map_err(|error| Fault::Damage(error.to_string()))?;
        let fixed = |column, row_bytes: usize| {
            let bytes = |first: usize, next: usize| (next - first).checked_mul(row_bytes);
            stretches(&metadata, column, &bytes, file_bytes)
        };
        let rows =
            |stretches: &[Stretch]| -> usize { stretches.iter().map(|stretch| stretch.rows).sum() };
        let keys = fixed(0, Key::BYTES)?;
        let (values, starts) = match spec.ragged {
            false => (fixed(1, spec.row_bytes())?, Vec::new()),
            true => {
                let lengths = fixed(1, size_of::<i32>())?;
                let starts = starts(file, &lengths, spec)?;
                let bytes =
                    |first: usize, next: usize| starts.get(next)?.checked_sub(starts[first]);
                (stretches(&metadata, 2, &bytes, file_bytes)?, starts)
            }
        };
        if rows(&keys) != rows(&values) || (spec.ragged && starts.len() != rows(&keys) + 1) {
            let problem = format!("{} keys for {} rows of values", rows(&keys), rows(&values));
            return Err(Fault::Damage(problem));
        }
        Ok(Self {
            rows: rows(&keys),
            keys,
            values,
            row_bytes: spec.row_bytes(),
            starts,
            maker: made_by(&metadata).unwrap_or_else(|| spec.maker()),
        })
    }

    /// Who made the part; the encoder's first maker where the part does not say it, as of earlier versions.
    pub(crate) fn maker(&self) -> &Maker {
        &self.maker
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of a row's values in the file.
    pub(crate) fn row(&self, row: usize) -> std::ops::Range<usize> {
        let after = self.values.partition_point(|stretch| stretch.first <= row);
        let Stretch { first, offset, .. } = self.values[after - 1];
        let start = |row: usize| match self.starts.as_slice() {
            [] => offset + (row - first) * self.row_bytes,
            starts => offset + starts[row] - starts[first],
        };
        start(row)..start(row + 1)
    }

    /// Bytes of a row's values.
    pub(crate) fn row_bytes(&self, row: usize) -> usize {
        match self.starts.as_slice() {
            [] => self.row_bytes,
            starts => starts[row + 1] - starts[row],
        }
    }

    /// All keys, in the order of the rows.
    pub(crate) fn keys(&self, file: &impl ChunkReader) -> Result<Vec<Key>, Fault> {
        let mut keys = Vec::with_capacity(self.rows);
        for stretch in &self.keys {
            let bytes = file.get_bytes(stretch.offset as u64, stretch.rows * Key::BYTES)?;
            let (chunks, _) = bytes.as_chunks::<{ Key::BYTES }>();
            keys.extend(chunks.iter().copied().map(Key::from_bytes));
        }
        Ok(keys)
    }
}

/// Layout and keys of a part; the rest of the file is not read.
pub(crate) fn open(
    part: &Part,
    spec: &EncoderSpec,
    remedy: &str,
) -> Result<(Layout, Vec<Key>), Error> {
    let opened = Opened::open(&part.path).map_err(|source| Error::read(&part.path, source))?;
    let file = &opened.file;
    let read = Layout::of(file, spec).and_then(|layout| {
        let keys = layout.keys(file)?;
        Ok((layout, keys))
    });
    read.map_err(|fault| fault.of(part, remedy))
}

/// Why a part cannot be used. Only damage is called damage: its remedy is to encode again.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is not what was written.
    Damage(String),
    /// The system does not let it be read, as when too many files are open.
    Unread(io::Error),
}

impl Fault {
    fn damage(problem: &str) -> Self {
        Self::Damage(problem.to_owned())
    }

    pub(crate) fn of(self, part: &Part, remedy: &str) -> Error {
        match self {
            Self::Damage(problem) => part.damaged(problem, remedy),
            Self::Unread(source) => Error::read(&part.path, source),
        }
    }
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        let said = error.to_string();
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                // A place that no file can have was claimed by the file itself.
                Ok(source) if source.kind() == io::ErrorKind::InvalidInput => Self::Damage(said),
                Ok(source) if source.raw_os_error().is_some() => Self::Unread(*source),
                _ => Self::Damage(said),
            },
            _ => Self::Damage(said),
        }
    }
}

/// Where the bytes of ragged rows begin, by how many tokens each has; no number in the file is trusted.
fn starts(
    file: &impl ChunkReader,
    lengths: &[Stretch],
    spec: &EncoderSpec,
) -> Result<Vec<usize>, Fault> {
    let token_bytes = spec.token_width() * spec.value_type.bytes();
    let mut starts = vec![0usize];
    for stretch in lengths {
        let bytes = file.get_bytes(stretch.offset as u64, stretch.rows * size_of::<i32>())?;
        let (tokens, _) = bytes.as_chunks::<4>();
        for tokens in tokens {
            let tokens = usize::try_from(i32::from_le_bytes(*tokens)).unwrap_or(0);
            if !(1..=spec.shape[0]).contains(&tokens) {
                return Err(Fault::damage("a row has no possible number of tokens"));
            }
            let last = starts[starts.len() - 1];
            let next = last.checked_add(tokens * token_bytes);
            starts.push(next.ok_or_else(|| Fault::damage("its rows do not fit"))?);
        }
    }
    Ok(starts)
}

/// The stretches of a column, from the page index: a page is its header, its levels (which say nothing, as no value
/// is null), then its values.
///
/// The file may be damaged: nothing in it is trusted to lie within `file_bytes`. `bytes` says how many values from a
/// row to before another one take, if there are such rows.
fn stretches(
    metadata: &ParquetMetaData,
    column: usize,
    bytes: &dyn Fn(usize, usize) -> Option<usize>,
    file_bytes: usize,
) -> Result<Vec<Stretch>, Fault> {
    let group = metadata.row_group(0);
    let chunk = group.column(column);
    let is_plain = |encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE);
    if chunk.compression() != Compression::UNCOMPRESSED || !chunk.encodings().all(is_plain) {
        return Err(Fault::damage("it is not plain and uncompressed"));
    }
    let index = metadata.page_index_for_row_group(0);
    let pages = index.page_locations(column);
    let pages = pages.ok_or_else(|| Fault::damage("no page index"))?;
    let firsts = pages.iter().map(|page| page.first_row_index);
    let nexts = firsts.clone().skip(1).chain([group.num_rows()]);
    if firsts.clone().next() != Some(0) {
        return Err(Fault::damage("it has no first page"));
    }
    let stretch = |((page, first), next): ((&PageLocation, i64), i64)| {
        let end = page.offset.checked_add(page.compressed_page_size.into())?;
        let end = usize::try_from(end).ok().filter(|&end| end <= file_bytes)?;
        let rows = usize::try_from(next.checked_sub(first)?).ok()?;
        let first = usize::try_from(first).ok()?;
        Some(Stretch {
            first,
            rows,
            offset: end.checked_sub(bytes(first, first.checked_add(rows)?)?)?,
        })
    };
    let stretches = pages.iter().zip(firsts).zip(nexts).map(stretch);
    stretches
        .collect::<Option<_>>()
        .ok_or_else(|| Fault::damage("its pages do not fit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_damage_is_called_damage() {
        let part = Part::of("a/000000-0123456789abcdef.parquet".into()).expect("a part's name");
        /// Too many open files, on Linux and elsewhere.
        const EMFILE: i32 = 24;
        let fault = |source: io::Error| Fault::from(ParquetError::from(source)).of(&part, "encode");
        let said = fault(io::Error::from_raw_os_error(EMFILE));
        assert!(matches!(said, Error::File(_)), "{said}");
        let said = fault(io::ErrorKind::UnexpectedEof.into());
        assert!(matches!(said, Error::Damaged { .. }), "{said}");
    }
}
