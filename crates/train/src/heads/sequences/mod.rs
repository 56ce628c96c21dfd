//! Tokens of posts in, a row a post out: sequences of different lengths, without padding.

mod conv;
mod gru;
mod tokens;

pub use conv::Conv;
pub use gru::Gru;
pub use tokens::Tokens;

pub(super) use tokens::indices;
