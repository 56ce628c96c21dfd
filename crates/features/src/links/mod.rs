//! Which contents a post consists of. Links come in, parts of links go out, and back.

pub(crate) mod link;
pub(crate) mod rejects;
