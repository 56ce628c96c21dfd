//! Posts, dataset readers, the leak audit and the demo world.

pub mod atomic;
pub mod audit;
mod columns;
pub mod demo;
mod error;
mod file;
pub mod import;
mod number;
mod post;
mod table;

pub use error::Error;
pub use file::{read_posts, write_posts};
pub use post::{Label, Post, Split, UnknownSplit};
pub use table::{TableColumn, check_table_path, write_table};
