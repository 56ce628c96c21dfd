//! Figure 6: test posts as the classifier reads them, the whole head beside the one without progressive extraction.

use std::collections::{BTreeMap, BTreeSet};

use mmfnd_posts::Split;

use crate::content::{Block, Cell, Figure, Table};
use crate::draw::{Cloud, Point, cloud};
use crate::evidence::TestSet;
use crate::numbers::{MOST_COMPARED, MOST_DRAWN, purity, silhouette, tsne};
use crate::runs::{Prediction, Vectors};

/// Groups that have a colour; the rest are one.
const MOST_GROUPS: usize = 6;

const ABOUT: &str = "What the classifier of a head reads of each test post (m_Agg of the paper), laid out in the plane by t-SNE (perplexity 30, seeded). Only nearness means something there, and the eye is no measure: the table says how far apart the groups lie in the vectors themselves.";

/// A test post: its vector, and what it is.
struct Post {
    id: String,
    vector: Vec<f32>,
    label: String,
    kind: Option<String>,
}

/// A way to part posts: what it is called, and a post's group.
type Parting = (&'static str, fn(&Post) -> Option<String>);

pub(super) fn blocks(set: &TestSet<'_>) -> Vec<Block> {
    let mut table = Table::new(
        format!("separation-{}", set.key),
        "How far apart groups lie in what the classifier reads",
        &[
            "row",
            "grouped by",
            "#groups",
            "#posts",
            "#silhouette",
            "#nearest neighbour of the same group",
            "#by chance",
        ],
    );
    // the heads side by side, a row for each way to part the posts
    let mut figures = [Vec::new(), Vec::new()];
    for (index, (group, vectors)) in set.aggregates.iter().enumerate() {
        let posts = posts(set, vectors);
        let (kind, has_kinds) = kind_name(&posts);
        let partings: [Parting; 2] = [
            ("label", |post| Some(post.label.clone())),
            (kind, |post| post.kind.clone()),
        ];
        let drawn = every(&posts, MOST_DRAWN);
        let places = tsne(
            &drawn
                .iter()
                .map(|post| post.vector.as_slice())
                .collect::<Vec<_>>(),
        );
        for (row_of_page, (by, of)) in
            (partings.into_iter().enumerate()).take(1 + usize::from(has_kinds))
        {
            table
                .rows
                .extend(row(&group.name, by, &every(&posts, MOST_COMPARED), of));
            if let Some(places) = &places {
                let id = format!("projection-{index}-{by}-{}", set.key);
                let title = format!("{}: test posts by {by}", group.name);
                figures[row_of_page].push(figure(id, title, &drawn, (places, of)));
            }
        }
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    table.notes.push("Silhouette: from −1 to 1; 0 where a post lies as near to another group as to its own. By chance: the share of posts that a neighbour drawn at random would share its group with.".to_owned());
    let figures = figures
        .into_iter()
        .filter(|figures| !figures.is_empty())
        .map(Block::Figures);
    let about = Block::Text(ABOUT.to_owned());
    [about]
        .into_iter()
        .chain(figures)
        .chain([Block::Table(table)])
        .collect()
}

/// The labelled test posts that have a vector.
fn posts(set: &TestSet<'_>, vectors: &Vectors) -> Vec<Post> {
    let Some(shown) = set.shown.first() else {
        return Vec::new();
    };
    let post = |prediction: &Prediction| {
        let known = set.posts.and_then(|posts| posts.get(&prediction.post_id));
        let fake = prediction.fake?;
        Some(Post {
            id: prediction.post_id.clone(),
            vector: vectors.get(&prediction.post_id)?.clone(),
            label: (if fake { "fake" } else { "real" }).to_owned(),
            kind: known.and_then(|post| match (fake, &post.cause) {
                (true, Some(cause)) => Some(cause.clone()),
                (false, _) if set.has_causes() => Some("real".to_owned()),
                _ => post.event.clone(),
            }),
        })
    };
    shown.of(Split::Test).filter_map(post).collect()
}

/// What the second parting is of, and whether there is one.
fn kind_name(posts: &[Post]) -> (&'static str, bool) {
    let kinds = posts.iter().filter_map(|post| post.kind.as_ref());
    let kinds: BTreeSet<_> = kinds.collect();
    let name = if kinds.iter().any(|kind| *kind == "real") {
        "cause"
    } else {
        "event"
    };
    (name, kinds.len() > 1)
}

/// Every k-th post, so that there are no more than `most`.
fn every(posts: &[Post], most: usize) -> Vec<&Post> {
    posts
        .iter()
        .step_by(posts.len().div_ceil(most).max(1))
        .collect()
}

/// The names of the groups, the largest first, and each post's group.
fn grouped(posts: &[&Post], of: fn(&Post) -> Option<String>) -> (Vec<String>, Vec<usize>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for post in posts {
        *counts
            .entry(of(post).unwrap_or_else(|| "not known".to_owned()))
            .or_default() += 1;
    }
    let mut names: Vec<_> = counts.into_iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    let index = |post: &&Post| {
        let name = of(post).unwrap_or_else(|| "not known".to_owned());
        names.iter().position(|known| *known == name).unwrap_or(0)
    };
    let groups = posts.iter().map(index).collect();
    (names, groups)
}

fn row(
    name: &str,
    by: &str,
    posts: &[&Post],
    of: fn(&Post) -> Option<String>,
) -> Option<Vec<Cell>> {
    let (names, groups) = grouped(posts, of);
    let vectors: Vec<_> = posts.iter().map(|post| post.vector.as_slice()).collect();
    let share = |index: usize| {
        groups.iter().filter(|group| **group == index).count() as f64 / groups.len() as f64
    };
    let chance: f64 = (0..names.len()).map(|index| share(index).powi(2)).sum();
    let separation = silhouette(&vectors, &groups)?;
    Some(vec![
        Cell::text(name),
        Cell::text(by),
        Cell::count(names.len()),
        Cell::count(posts.len()),
        Cell::share(separation),
        Cell::share(purity(&vectors, &groups)),
        Cell::share(chance),
    ])
}

/// Places of posts, and how they are parted.
type Placed<'a> = (&'a [(f64, f64)], fn(&Post) -> Option<String>);

fn figure(id: String, title: String, posts: &[&Post], (places, of): Placed<'_>) -> Figure {
    let (mut names, groups) = grouped(posts, of);
    if names.len() > MOST_GROUPS {
        names.truncate(MOST_GROUPS - 1);
        names.push("others".to_owned());
    }
    let columns = ["post", "#x", "#y", "group"];
    let mut data = Table::new(format!("{id}-data"), title.clone(), &columns);
    let mut points: Vec<Point> = Vec::new();
    for ((post, &place), &group) in posts.iter().zip(places).zip(&groups) {
        let group = group.min(names.len() - 1);
        let name = of(post).unwrap_or_else(|| "not known".to_owned());
        points.push((place, group, format!("{}: {name}", post.id)));
        data.rows.push(vec![
            Cell::text(&post.id),
            Cell::digits(place.0, 1),
            Cell::digits(place.1, 1),
            Cell::text(name),
        ]);
    }
    let description = format!(
        "{} test posts, each a mark; its shape and colour say what it is.",
        posts.len()
    );
    let svg = cloud(&Cloud {
        id: &id,
        title: &title,
        description: &description,
        points: &points,
        groups: &names,
    });
    Figure {
        id,
        title,
        description,
        svg,
        data,
    }
}
