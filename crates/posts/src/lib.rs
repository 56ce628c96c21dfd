//! Posts, dataset readers and the leak audit.
//!
//! A dataset comes in through [`import`], which makes each of its rows a [`Post`] or a reject and audits the
//! posts for leaks; from then on it is one file, `posts.parquet`, that [`read_posts`] reads.
//!
//! ```
//! use mmfnd_posts::{Label, import, read_posts};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let manifest = folder.path().join("posts.csv");
//! std::fs::write(folder.path().join("shark.jpg"), b"a picture")?;
//! std::fs::write(&manifest, "id,text,image,label\n1,Shark in the subway,shark.jpg,fake\n2,Rain,rain.jpg,real\n")?;
//!
//! let import = import::manifest(&manifest, &import::Options::default())?;
//! assert_eq!(import.rejects[0].detail, "no file for `rain.jpg`");
//! import.write(&folder.path().join("out"))?;
//!
//! let posts = read_posts(&folder.path().join("out/posts.parquet"))?;
//! assert_eq!(posts[0].label, Some(Label::Fake));
//! # Ok(())
//! # }
//! ```

pub mod atomic;
pub mod audit;
mod error;
mod files;
pub mod hash;
pub mod import;
mod number;
mod parquet_guard;
mod post;
mod tables;

pub use error::Error;
pub use files::{open_regular, read_regular, read_text};
pub use parquet_guard::{metadata_of, rows_of, without_panic};
pub use post::{Label, Post, Split, UnknownSplit};
pub use tables::columns::Columns;
pub use tables::posts::{PostSource, PostsFile, other_columns, read_posts, write_posts};
pub use tables::record_batch::io_error;
pub use tables::results::{TableColumn, check_table_path, write_table};
