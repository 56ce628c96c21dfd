//! What is known of the posts of a batch while they are trained on.

use std::sync::Arc;

/// What is known of the posts of a batch while they are trained on.
#[derive(Clone, Debug)]
pub struct Targets {
    /// 1 for fake.
    pub labels: Vec<usize>,
    /// Numbers of the events, of posts that have one.
    pub events: Vec<Option<usize>>,
    /// Numbers of the pictures: the same for the same picture.
    pub pictures: Vec<usize>,
    /// Numbers of the posts among those that are trained on.
    pub posts: Vec<usize>,
    /// Those numbers of all real posts that are trained on, and of all fake ones.
    pub classes: Arc<[Vec<usize>; 2]>,
}
