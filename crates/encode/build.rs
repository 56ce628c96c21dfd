//! As in the crate `tiles`: tests that need its tiles are shown as ignored where there are none.

include!("../tiles/has_tiles.rs");
