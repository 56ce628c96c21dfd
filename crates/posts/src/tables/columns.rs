//! Columns of a Parquet file as plain vectors; what pandas and polars make of our types is understood too.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;

use crate::{Error, open_regular, rows_of, without_panic};

/// Rows in a batch: enough that columns pay, few enough that texts do not fill the memory.
const ROWS: usize = 4096;

/// A Parquet file, or some rows of one, in memory.
#[derive(Debug)]
pub struct Columns<'a> {
    path: &'a Path,
    batch: RecordBatch,
}

impl<'a> Columns<'a> {
    /// Reads `path`; `expected` says what the file should be when it is missing or empty.
    pub fn read(path: &'a Path, expected: &str) -> Result<Self, Error> {
        let mut batches = Batches::open(path, expected)?;
        let schema = batches.empty.schema();
        let all = batches.by_ref().collect::<Result<Vec<_>, _>>()?;
        let batch = concat_batches(&schema, &all).map_err(|error| damaged(path, error))?;
        Ok(Self { path, batch })
    }

    /// Some rows of `path`.
    pub(crate) fn of(path: &'a Path, batch: RecordBatch) -> Self {
        Self { path, batch }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Names of all columns.
    pub(crate) fn names(&self) -> Vec<String> {
        let schema = self.batch.schema();
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    /// The first of `names` that is a column, or `None`.
    pub(crate) fn find(&self, names: &[&str]) -> Option<String> {
        let has = |name: &&str| self.batch.column_by_name(name).is_some();
        names.iter().copied().find(has).map(str::to_owned)
    }

    /// Strings; with `numbers`, numbers and truth values are taken as they are written, and NaN as null.
    pub fn strings(&self, name: &str, numbers: bool) -> Result<Vec<Option<String>>, Error> {
        let column = self.column(name, "string")?;
        let kind = column.data_type();
        let is_number = kind.is_numeric() || *kind == DataType::Boolean;
        if !(matches!(kind, DataType::Utf8 | DataType::Null) || numbers && is_number) {
            return Err(self.wrong(name, kind, "string"));
        }
        let column = self.cast(name, column, &DataType::Utf8, "string")?;
        let strings = column.as_string::<i32>();
        let is_number = |s: &&str| !(kind.is_floating() && *s == "NaN");
        let strings = strings.iter().map(|s| s.filter(is_number));
        Ok(strings.map(|s| s.map(str::to_owned)).collect())
    }

    /// Whole numbers of any width. Floats that are whole count: pandas makes them of numbers of which one is missing;
    /// NaN is null then.
    pub fn integers(&self, name: &str) -> Result<Vec<Option<i64>>, Error> {
        let column = self.column(name, "int8")?;
        let kind = column.data_type();
        if kind.is_floating() {
            let column = self.cast(name, column, &DataType::Float64, "int8")?;
            let floats = column.as_primitive::<Float64Type>().iter();
            let floats = floats.map(|float| float.filter(|float| !float.is_nan()));
            let whole = |float: f64| (float as i64 as f64 == float).then_some(float as i64);
            return floats
                .map(|float| match float.map(whole) {
                    None => Ok(None),
                    Some(Some(whole)) => Ok(Some(whole)),
                    Some(None) => Err(self.wrong(name, kind, "int8")),
                })
                .collect();
        }
        if !(kind.is_integer() || *kind == DataType::Null) {
            return Err(self.wrong(name, kind, "int8"));
        }
        let column = self.cast(name, column, &DataType::Int64, "int8")?;
        Ok(column.as_primitive::<Int64Type>().iter().collect())
    }

    /// Numbers, as 32-bit floats.
    pub fn floats(&self, name: &str) -> Result<Vec<Option<f32>>, Error> {
        let column = self.column(name, "float")?;
        let kind = column.data_type();
        if !(kind.is_numeric() || *kind == DataType::Null) {
            return Err(self.wrong(name, kind, "float"));
        }
        let column = self.cast(name, column, &DataType::Float32, "float")?;
        Ok(column.as_primitive::<Float32Type>().iter().collect())
    }

    /// Vectors of numbers, all of one length; a null among the numbers is no number of ours.
    pub fn vectors(&self, name: &str) -> Result<Vec<Option<Vec<f32>>>, Error> {
        const EXPECTED: &str = "list<float>";
        let column = self.column(name, EXPECTED)?;
        let kind = column.data_type();
        let is_of_numbers = match kind {
            DataType::List(item) | DataType::FixedSizeList(item, _) => {
                item.data_type().is_floating()
            }
            kind => *kind == DataType::Null,
        };
        if !is_of_numbers {
            return Err(self.wrong(name, kind, EXPECTED));
        }
        let wanted = DataType::new_list(DataType::Float32, true);
        let column = self.cast(name, column, &wanted, EXPECTED)?;
        let rows = column.as_list::<i32>().iter().map(|list| {
            let values = list?;
            let floats = values.as_primitive::<Float32Type>().iter();
            Some(
                floats
                    .map(|float| float.unwrap_or(f32::NAN))
                    .collect::<Vec<_>>(),
            )
        });
        let rows: Vec<_> = rows.collect();
        let mut lengths = rows.iter().flatten().map(Vec::len);
        let first = lengths.next();
        match lengths.all(|length| Some(length) == first) {
            true => Ok(rows),
            false => Err(self.wrong(name, kind, "list<float> of one length")),
        }
    }

    /// Lists of strings; a null list is an empty one, a null in a list is `None`.
    pub(crate) fn string_lists(&self, name: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        const EXPECTED: &str = "list<string>";
        let column = self.column(name, EXPECTED)?;
        if *column.data_type() == DataType::Null {
            return Ok(vec![Vec::new(); column.len()]);
        }
        if !self.is_list(name) {
            return Err(self.wrong(name, column.data_type(), EXPECTED));
        }
        let wanted = DataType::new_list(DataType::Utf8, true);
        let column = self.cast(name, column, &wanted, EXPECTED)?;
        let lists = column.as_list::<i32>().iter().map(|list| match list {
            Some(list) => {
                let strings = list.as_string::<i32>().iter();
                strings.map(|s| s.map(str::to_owned)).collect()
            }
            None => Vec::new(),
        });
        Ok(lists.collect())
    }

    /// Whether the column is a list of strings.
    pub(crate) fn is_list(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some_and(|column| {
            let DataType::List(item) = column.data_type() else {
                return false;
            };
            matches!(item.data_type(), DataType::Utf8 | DataType::Null)
        })
    }

    fn column(&self, name: &str, expected: &'static str) -> Result<&ArrayRef, Error> {
        self.batch
            .column_by_name(name)
            .ok_or_else(|| Error::Column {
                path: self.path.to_owned(),
                column: name.to_owned(),
                found: "nothing".to_owned(),
                expected,
            })
    }

    fn cast(
        &self,
        name: &str,
        column: &ArrayRef,
        wanted: &DataType,
        expected: &'static str,
    ) -> Result<ArrayRef, Error> {
        cast(column, wanted).map_err(|_| self.wrong(name, column.data_type(), expected))
    }

    fn wrong(&self, name: &str, found: &DataType, expected: &'static str) -> Error {
        Error::Column {
            path: self.path.to_owned(),
            column: name.to_owned(),
            found: found.to_string(),
            expected,
        }
    }
}

/// The rows of a Parquet file, some thousands at a time.
pub(crate) struct Batches {
    path: PathBuf,
    /// Gone after an error.
    reader: Option<ParquetRecordBatchReader>,
    /// The same columns without rows.
    pub(crate) empty: RecordBatch,
}

impl Batches {
    /// Opens `path`; `expected` says what the file should be when it is missing or empty.
    pub(crate) fn open(path: &Path, expected: &str) -> Result<Self, Error> {
        let file = open(path, expected)?;
        let opened = without_panic(|| {
            let builder = rows_of(file)?;
            let empty = RecordBatch::new_empty(builder.schema().clone());
            Ok((builder.with_batch_size(ROWS).build()?, empty))
        });
        let (reader, empty) = opened.map_err(|error: ParquetError| damaged(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            reader: Some(reader),
            empty,
        })
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let batch = without_panic(|| reader.next().transpose());
        if batch.is_err() {
            self.reader = None;
        }
        batch
            .map_err(|error| damaged(&self.path, error))
            .transpose()
    }
}

fn damaged(path: &Path, source: impl Into<ParquetError>) -> Error {
    let (path, source) = (path.to_owned(), source.into());
    // What the system refuses (too many open files, a failing disk) is no damage. Arrow keeps of it the words alone.
    match source.to_string().contains("(os error ") {
        true => Error::Read {
            path,
            source: std::io::Error::other(source),
        },
        false => Error::Parquet { path, source },
    }
}

/// Opens a file that must exist and hold something.
fn open(path: &Path, expected: &str) -> Result<File, Error> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = open_regular(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
            expected: expected.to_owned(),
        },
        _ => read(source),
    })?;
    if file.metadata().map_err(read)?.len() == 0 {
        return Err(Error::Unusable {
            path: path.to_owned(),
            found: "is empty".to_owned(),
            expected: expected.to_owned(),
        });
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Field;
    use arrow::error::ArrowError;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    use tempfile::tempdir;

    use super::*;
    use crate::tables::record_batch::write_batch;

    #[test]
    fn what_pandas_and_polars_make_of_our_types_is_understood() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 1]));
        let category = |kind| DataType::Dictionary(Box::new(DataType::Int8), Box::new(kind));
        let lists = |kind| DataType::LargeList(Arc::new(Field::new("item", kind, true)));
        let as_kind = |column: &ArrayRef, kind: &DataType| cast(column, kind).unwrap();
        let folder = tempdir().unwrap();
        let path = folder.path().join("frame.parquet");
        let batch = RecordBatch::try_from_iter([
            ("large", as_kind(&texts, &DataType::LargeUtf8)),
            ("view", as_kind(&texts, &DataType::Utf8View)),
            ("category", as_kind(&texts, &category(DataType::Utf8))),
            ("list", as_kind(&texts, &lists(DataType::LargeUtf8))),
            ("number", as_kind(&numbers, &category(DataType::Int64))),
        ]);
        write_batch(&path, &batch.unwrap()).unwrap();
        let columns = Columns::read(&path, "").unwrap();
        let expected = [Some("a".to_owned()), None, Some("a".to_owned())];
        for name in ["large", "view", "category"] {
            assert_eq!(columns.strings(name, false).unwrap(), expected, "{name}");
        }
        let in_lists = expected.map(|text| vec![text]);
        assert_eq!(columns.string_lists("list").unwrap(), in_lists);
        let numbers = columns.integers("number").unwrap();
        assert_eq!(numbers, [Some(1), Some(0), Some(1)]);
    }

    #[test]
    fn what_other_tools_compress_with_is_read() {
        let texts = StringArray::from(vec!["a text of some length"; 1000]);
        let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
        let folder = tempdir().unwrap();
        let path = folder.path().join("texts.parquet");
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            let properties = WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_compression(compression)
                .build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            let read = Columns::read(&path, "").unwrap();
            assert_eq!(
                read.strings("text", false).unwrap()[999].as_deref(),
                Some("a text of some length")
            );
        }
    }

    #[test]
    fn only_damage_is_called_damage() {
        let too_many_open = || std::io::Error::from_raw_os_error(24);
        let directly = ParquetError::External(Box::new(too_many_open()));
        let in_words = ArrowError::ParquetError(format!("External: {}", too_many_open()));
        for refused in [directly, ParquetError::External(Box::new(in_words))] {
            let said = damaged(Path::new("posts.parquet"), refused);
            assert!(matches!(said, Error::Read { .. }), "{said}");
        }
        let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let said = damaged(Path::new("posts.parquet"), ParquetError::from(cut));
        assert!(matches!(said, Error::Parquet { .. }), "{said}");
    }

    #[test]
    fn where_the_reader_of_parquet_panics_the_file_is_named() {
        let texts: StringArray = (0..40).map(|row| (row % 3 > 0).then_some("text")).collect();
        let batch = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BYTE_ARRAY)
            .build();
        let mut good = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut good, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let folder = tempdir().unwrap();
        let path = folder.path().join("texts.parquet");
        let mut gave_up = 0;
        for index in 0..good.len() {
            for flipped in [1, 0x10, 0xFF] {
                let mut bad = good.clone();
                bad[index] ^= flipped;
                std::fs::write(&path, bad).unwrap();
                let Err(error) = Columns::read(&path, "") else {
                    continue;
                };
                let Error::Parquet { path, source } = error else {
                    continue; // the column's name or type was hit
                };
                assert!(path.ends_with("texts.parquet"));
                gave_up += usize::from(source.to_string().contains("its reader gave up"));
            }
        }
        assert!(gave_up > 0, "the reader panics no more: the guard can go");
    }
}
