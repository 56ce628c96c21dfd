//! Tokens of posts in, a row a post out: sequences of different lengths, without padding.

mod conv;
mod tokens;

pub use conv::Conv;
pub use tokens::Tokens;

pub(super) use tokens::indices;
