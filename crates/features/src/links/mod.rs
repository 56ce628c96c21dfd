//! Which contents a post consists of. Links come in, parts of links go out, and back; beside them the contents that
//! could not be encoded.

mod link;
pub(crate) mod link_part;
mod newest;
pub(crate) mod rejects;

pub use link::Link;
pub(crate) use link::PostKeys;
pub use newest::Links;
pub(crate) use newest::{Target, linked_pictures};
pub use rejects::StoreReject;
