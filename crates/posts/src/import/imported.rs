//! What an import made.

use serde::Serialize;

use super::counts::Counts;
use super::options::Options;
use super::reject::Reject;
use crate::Post;
use crate::audit::Audit;

/// Posts, rejects, and what is known about both.
#[derive(Debug, Serialize)]
pub struct Import {
    /// Version of the program that made it.
    pub program: &'static str,
    /// `twitter`, `weibo` or `manifest`.
    pub dataset: &'static str,
    /// The folder, or for a manifest the file, that was read.
    pub source: String,
    /// How it was read.
    pub options: Options,
    /// Every count.
    pub counts: Counts,
    /// What the user should know about this import in particular.
    pub notes: Vec<String>,
    /// What would make a test result look better than it is.
    pub audit: Audit,
    /// Goes into `posts.parquet`.
    #[serde(skip)]
    pub posts: Vec<Post>,
    /// Goes into `rejects.csv`.
    #[serde(skip)]
    pub rejects: Vec<Reject>,
}
