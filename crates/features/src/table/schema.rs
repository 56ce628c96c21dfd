//! The Arrow schema of a part of rows, and what its metadata says of who made it.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::identity::{EncoderSpec, Key, Machine, Maker, ValueType};

/// Metadata of a part: the execution provider that ran the encoder, the precision of its arithmetic, and the machine.
const PROVIDER: &str = "mmfnd.provider";
const PRECISION: &str = "mmfnd.precision";
const RUNTIME: &str = "mmfnd.runtime";
const PROCESSOR: &str = "mmfnd.processor";

/// The columns of a part.
pub(super) fn schema(spec: &EncoderSpec) -> Schema {
    let value = match spec.value_type {
        ValueType::F32 => DataType::Float32,
        ValueType::F16 => DataType::Float16,
    };
    let width = i32::try_from(spec.width()).expect("checked when the encoder was added");
    let item = Field::new("element", value, false).into();
    let key = Field::new("key", DataType::FixedSizeBinary(Key::BYTES as i32), false);
    Schema::new(match spec.ragged {
        false => vec![
            key,
            Field::new("value", DataType::FixedSizeList(item, width), false),
        ],
        true => vec![
            key,
            Field::new("tokens", DataType::Int32, false),
            Field::new("value", DataType::List(item), false),
        ],
    })
}

/// [`schema`], and who makes the part.
pub(super) fn schema_with_maker(spec: &EncoderSpec, maker: &Maker) -> Schema {
    let shape: Vec<_> = spec.shape.iter().map(usize::to_string).collect();
    let metadata = [
        ("mmfnd.encoder", spec.name.clone()),
        ("mmfnd.shape", shape.join(",")),
        ("mmfnd.fingerprint", spec.fingerprint.clone()),
        (PROVIDER, maker.provider.clone()),
        (PRECISION, maker.precision.clone()),
    ];
    let machine = maker.machine.iter().flat_map(|machine| {
        [
            (RUNTIME, machine.runtime.clone()),
            (PROCESSOR, machine.processor.clone()),
        ]
    });
    let metadata = metadata.into_iter().chain(machine);
    let owned = metadata.map(|(name, value)| (name.to_owned(), value));
    schema(spec).with_metadata(owned.collect::<HashMap<_, _>>())
}

/// Whether a part has the columns of [`schema`].
pub(super) fn check_schema(
    metadata: &ParquetMetaData,
    spec: &EncoderSpec,
) -> Result<(), ParquetError> {
    let file = metadata.file_metadata();
    let found = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    if found.fields() == schema(spec).fields() {
        return Ok(());
    }
    let expected = schema(spec);
    Err(ParquetError::General(format!(
        "columns {:?}, expected {:?}",
        found.fields(),
        expected.fields()
    )))
}

/// Who made a part; `None` in parts of versions that did not record it.
///
/// Arrow's writer keeps the metadata of the schema within the encoded schema, not beside it.
pub(super) fn made_by(metadata: &ParquetMetaData) -> Option<Maker> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).ok()?;
    let value = |key: &str| schema.metadata().get(key).cloned();
    let machine = value(RUNTIME).zip(value(PROCESSOR));
    Some(Maker {
        provider: value(PROVIDER)?,
        precision: value(PRECISION)?,
        machine: machine.map(|(runtime, processor)| Machine { runtime, processor }),
    })
}
