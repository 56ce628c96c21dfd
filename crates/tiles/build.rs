//! Tests that need matrix tiles are shown as ignored where there are none.

include!("has_tiles.rs");
