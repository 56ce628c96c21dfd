//! Datasets as they are distributed, made into posts. A folder or a list comes in; every row of it goes out, as a post
//! or as a reject with its reason.

mod collector;
mod counts;
mod imported;
mod lines;
mod manifest;
mod options;
mod pictures;
mod reject;
mod source_file;
mod summary;
#[cfg(test)]
mod tests;
mod twitter;
mod weibo;
mod write;

pub use counts::{Counts, Missed, PictureCounts, Table};
pub use imported::Import;
pub use manifest::manifest;
pub use options::{MissingImage, Options};
pub use reject::{Reason, Reject};
pub use twitter::twitter;
pub use weibo::weibo;
pub use write::prepare_out;
