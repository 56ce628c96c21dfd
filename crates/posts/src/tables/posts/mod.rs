//! `posts.parquet`: the one form in which posts are kept; its columns are listed in `docs/formats.md`. Posts come in,
//! the file goes out, and back.

mod read;
mod row;
mod source;
mod write;

pub use read::{PostsFile, other_columns, read_posts};
pub use source::PostSource;
pub use write::write_posts;
