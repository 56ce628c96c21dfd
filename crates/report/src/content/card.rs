//! A post as a card.

use serde::Serialize;

/// A picture of a post.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Picture {
    /// The file's name.
    pub path: String,
    /// A small copy as a `data:` address, where pictures were asked for and it can be read.
    #[serde(skip)]
    pub small: Option<String>,
}

/// A post with what a run says about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    /// Why this post is shown: `surest right`.
    pub rule: String,
    /// Of the post.
    pub post_id: String,
    /// As its author wrote it, cut where it is long.
    pub text: String,
    /// Read in the picture.
    pub ocr_text: Option<String>,
    /// Its first picture.
    pub picture: Option<Picture>,
    /// `fake` or `real`, with the cause where it is known.
    pub label: String,
    /// Whether it was told right.
    pub is_right: bool,
    /// Bars from 0 to 1: p_fake, attention, similarity.
    pub bars: Vec<(String, f64)>,
}
