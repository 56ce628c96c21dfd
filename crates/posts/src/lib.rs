//! Posts, dataset readers, the leak audit and the demo world.

mod post;

pub use post::{Label, Post, Split, UnknownSplit};
