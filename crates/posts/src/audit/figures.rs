//! The figures of an audit.

use std::collections::BTreeMap;

use serde::Serialize;

use super::events::Events;
use super::guess::{self, Baseline, Guess, UrlCount};
use super::pictures::{Identities, PictureAudit};
use super::texts::TextAudit;
use crate::{Label, Post};

/// What an audit found; every share lies between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// What it means, a sentence each; empty when nothing was found.
    pub findings: Vec<String>,
    /// Pictures, told apart by their content.
    pub pictures: PictureAudit,
    /// Texts.
    pub texts: TextAudit,
    /// Events.
    pub events: Events,
    /// What always giving the same answer is worth, per split.
    pub baselines: Vec<Baseline>,
    /// How far the label can be guessed from what is no evidence.
    pub guesses: Vec<Guess>,
    /// Pictures that the posts list, existing or not, by label.
    pub listed_pictures: BTreeMap<Label, UrlCount>,
}

impl Audit {
    /// All but the findings; `listed` has for each post the number of pictures that it names.
    pub(super) fn without_findings(posts: &[Post], listed: &[usize]) -> Self {
        let pictures = Identities::of(posts);
        Self {
            findings: Vec::new(),
            pictures: pictures.audit(posts),
            texts: TextAudit::of(posts),
            events: Events::of(posts),
            baselines: guess::baselines(posts),
            guesses: guess::guesses(posts, listed, &pictures),
            listed_pictures: guess::listed_pictures(posts, listed),
        }
    }
}
