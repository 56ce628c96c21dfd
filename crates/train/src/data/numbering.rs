//! Numbers for what a head may learn from beside the features: the events, pictures and posts that a run is trained on.

use std::collections::BTreeMap;
use std::sync::Arc;

use mmfnd_posts::Post;

use super::dataset::labels;
use super::split::Splits;
use crate::heads::Targets;

/// By row of the posts, of those that are trained on.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    /// How many events they name.
    pub events: usize,
    /// How many they are.
    pub posts: usize,
    of: Vec<Option<Numbers>>,
    classes: Arc<[Vec<usize>; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Numbers {
    event: Option<usize>,
    picture: usize,
    post: usize,
}

impl Numbering {
    /// Events by their names' order, posts by their rows' order; `pictures` as [`pictures`](super::pictures) numbers
    /// them.
    pub fn new<E>(posts: &[Post], pictures: &[Result<usize, E>], splits: &Splits) -> Self {
        let mut rows = splits.train.clone();
        rows.sort_unstable();
        let names = rows.iter().filter_map(|&row| posts[row].event.as_deref());
        let mut events: BTreeMap<&str, usize> = names.map(|name| (name, 0)).collect();
        for (number, event) in events.values_mut().enumerate() {
            *event = number;
        }
        let mut of = vec![None; posts.len()];
        let mut classes = [Vec::new(), Vec::new()];
        for (post, (&row, label)) in rows.iter().zip(labels(posts, &rows)).enumerate() {
            classes[label].push(post);
            of[row] = Some(Numbers {
                event: posts[row].event.as_deref().map(|name| events[name]),
                picture: pictures[row].as_ref().copied().unwrap_or(usize::MAX),
                post,
            });
        }
        Self {
            events: events.len(),
            posts: rows.len(),
            of,
            classes: Arc::new(classes),
        }
    }

    /// What is known of posts that are trained on.
    pub fn targets(&self, posts: &[Post], rows: &[usize]) -> Targets {
        let numbers = rows.iter().map(|&row| self.of[row]);
        let numbers: Vec<_> = numbers
            .map(|numbers| numbers.expect("only training posts have targets"))
            .collect();
        Targets {
            labels: labels(posts, rows),
            events: numbers.iter().map(|numbers| numbers.event).collect(),
            pictures: numbers.iter().map(|numbers| numbers.picture).collect(),
            posts: numbers.iter().map(|numbers| numbers.post).collect(),
            classes: self.classes.clone(),
        }
    }
}
