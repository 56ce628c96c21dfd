//! Comes in: groups of runs, posts files. Goes out: a test set each, with its runs, their predictions and what is
//! known about its posts.

mod aggregates;
mod audit;
mod posts;
mod test_set;

pub use posts::PostsFile;
pub use test_set::{Shown, TestSet, test_sets};
