//! What a frozen encoder is: token ids or pixels come in, a row of features each goes out; and where a run gets its
//! encoders and their tokenizers.

mod handle;
mod prefix;
mod source;
mod tokens;

pub use handle::{Encoded, Encoder, Handle, Handles};
pub use source::Encoders;
pub(crate) use tokens::REVISION as TOKENS_REVISION;
pub use tokens::{Length, Tokens};
