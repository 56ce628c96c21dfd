//! Comes in: a head that only test builds have, a store of made-up features. Goes out: that the head does all that
//! `docs/new-head.md` says, and what heads are given.
#![allow(clippy::unwrap_used)]

pub(crate) mod docs;
mod logits;
mod new_head;
#[path = "../../tests/world/mod.rs"]
mod world;
