//! The worker threads that hash, read, decode and tokenise, and whom they tell how far they are.

use rayon::ThreadPool;

use crate::progress::Progress;

/// The worker threads of a run.
pub(crate) struct Workers<'a> {
    pub(crate) pool: ThreadPool,
    pub(crate) on_progress: &'a dyn Fn(&Progress<'_>),
}
