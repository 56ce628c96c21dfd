//! The store as its users see it, one module per promise.
#![allow(clippy::unwrap_used, reason = "tests")]

mod compact;
mod damage;
mod export;
mod fixture;
mod index;
mod kill;
mod load;
mod merge;
mod process;
mod ragged;
mod replace;
mod round_trip;
