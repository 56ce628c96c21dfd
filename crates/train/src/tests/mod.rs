//! Comes in: a head that only test builds have. Goes out: that it does all that `docs/new-head.md` says.
#![allow(clippy::unwrap_used)]

pub(crate) mod docs;
mod new_head;
#[path = "../../tests/world/mod.rs"]
mod world;
