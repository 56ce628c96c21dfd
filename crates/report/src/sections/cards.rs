//! Figure 1: posts as cards, chosen by rule.

use std::collections::HashSet;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mmfnd_posts::{Post, Split};

use super::Input;
use crate::content::{Block, Card, Picture};
use crate::evidence::TestSet;
use crate::runs::Prediction;

/// Longer side of a picture on a card, in pixels.
const SIDE: u32 = 320;

/// Characters of a post's text on its card.
const LETTERS: usize = 280;

/// By what a post is chosen: its name, and a figure of which the largest wins; none where the rule does not concern
/// the post.
type Rule = (&'static str, fn(&Prediction) -> Option<f64>);

const RULES: [Rule; 9] = [
    ("surest right, fake", |post| sure(post, true, true)),
    ("surest right, real", |post| sure(post, true, false)),
    ("surest wrong, fake taken for real", |post| {
        sure(post, false, true)
    }),
    ("surest wrong, real taken for fake", |post| {
        sure(post, false, false)
    }),
    ("most similar", |post| post.similarity),
    ("least similar", |post| Some(-post.similarity?)),
    ("most attention to the text", |post| post.attention[0]),
    ("most attention to the picture", |post| post.attention[1]),
    ("most attention to both together", |post| post.attention[2]),
];

/// How sure the answer is, of posts that are told right or wrong and are fake or real.
fn sure(post: &Prediction, right: bool, fake: bool) -> Option<f64> {
    let concerned = post.is_right() == Some(right) && post.fake == Some(fake);
    concerned.then(|| (post.p_fake - 0.5).abs())
}

pub(super) fn blocks(input: &Input<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for set in input.sets {
        let cards = cards(set, input.pictures);
        if cards.is_empty() {
            continue;
        }
        if input.sets.len() > 1 {
            blocks.push(Block::Part(set.name.clone()));
        }
        let about = format!(
            "Test posts, chosen by rule from what {} (seed {}) says about them: the largest of each figure, no post twice.",
            set.best().name,
            set.best().first().seed
        );
        blocks.push(Block::Text(about));
        blocks.push(Block::Cards(cards));
    }
    blocks
}

fn cards(set: &TestSet<'_>, pictures: bool) -> Vec<Card> {
    let Some((posts, shown)) = set.posts.zip(set.shown.first()) else {
        return Vec::new();
    };
    let mut used = HashSet::new();
    let mut cards = Vec::new();
    for (rule, figure) in RULES {
        let candidates = shown
            .of(Split::Test)
            .filter(|post| !used.contains(&post.post_id));
        let rated = candidates.filter_map(|post| Some((figure(post)?, post)));
        let best = rated.max_by(|a, b| {
            a.0.total_cmp(&b.0)
                .then_with(|| b.1.post_id.cmp(&a.1.post_id))
        });
        let Some((_, prediction)) = best else {
            continue;
        };
        if let Some(post) = posts.get(&prediction.post_id) {
            used.insert(prediction.post_id.clone());
            let mut card = card(rule, prediction, post);
            if let Some(picture) = card.picture.as_mut().filter(|_| pictures) {
                picture.small = post.images.iter().find_map(|path| small(path));
            }
            cards.push(card);
        }
    }
    cards
}

fn card(rule: &str, prediction: &Prediction, post: &Post) -> Card {
    let names = ["attention: text", "attention: picture", "attention: both"];
    let attention = names.into_iter().zip(prediction.attention);
    let bars = [("p_fake", Some(prediction.p_fake))]
        .into_iter()
        .chain(attention)
        .chain([("similarity", prediction.similarity)]);
    let bar = |(name, value): (&str, Option<f64>)| Some((name.to_owned(), value?));
    let label = match (prediction.fake, &post.cause) {
        (Some(true), Some(cause)) => format!("fake ({cause})"),
        (Some(true), None) => "fake".to_owned(),
        (Some(false), _) => "real".to_owned(),
        (None, _) => "not labelled".to_owned(),
    };
    Card {
        rule: rule.to_owned(),
        post_id: post.id.clone(),
        text: cut(&post.text),
        ocr_text: post
            .ocr_text
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(cut),
        picture: post.images.first().map(|path| Picture {
            path: file_name(path),
            small: None,
        }),
        label,
        is_right: prediction.is_right() == Some(true),
        bars: bars.filter_map(bar).collect(),
    }
}

/// A small copy of a picture; none where it cannot be read, since another picture of the post may be.
fn small(path: &Path) -> Option<String> {
    let bytes = mmfnd_pictures::read(path).ok()?;
    let jpeg = mmfnd_pictures::thumbnail(&bytes, SIDE).ok()?;
    Some(format!(
        "data:image/jpeg;base64,{}",
        BASE64_STANDARD.encode(jpeg)
    ))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
