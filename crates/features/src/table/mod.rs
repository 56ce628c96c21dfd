//! One encoder's rows. Keys and values come in, the bytes of a part go out, and back.

mod encoder_table;
pub(crate) mod layout;
pub(crate) mod part_bytes;
pub(crate) mod plan;
mod schema;
pub(crate) mod values;

pub(crate) use encoder_table::EncoderTable;
pub use values::Values;
