//! One encoder's rows. Keys and values come in, the bytes of a part go out, and back.

pub(crate) mod layout;
pub(crate) mod part_bytes;
pub(crate) mod plan;
pub(crate) mod values;
