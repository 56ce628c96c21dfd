//! The answer first: the headline figure with its interval, what it must be compared with, and what limits it.

use std::collections::HashSet;

use mmfnd_posts::Split;

use super::Input;
use crate::content::{Block, Cell, Table};
use crate::evidence::{Shown, TestSet};
use crate::numbers::{Spread, wilson};
use crate::runs::{Group, Prediction, Problem};

pub(super) fn blocks(input: &Input<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for set in input.sets {
        if input.sets.len() > 1 {
            blocks.push(Block::Part(set.name.clone()));
        }
        blocks.push(headline(set));
        blocks.push(Block::Table(comparisons(set)));
        let warnings = warnings(set);
        if !warnings.is_empty() {
            blocks.push(Block::Warnings(warnings));
        }
    }
    if input.sets.len() > 1 {
        let why = "The runs were not all tested on the same posts. Each test set has tables of its own: figures over different posts cannot be ranked.";
        blocks.insert(0, Block::Text(why.to_owned()));
    }
    let problems = input.problems;
    if !problems.is_empty() {
        let shown = problems.iter().take(20);
        let line = |problem: &Problem| format!("Left out: {} {}", problem.place, problem.what);
        let mut lines: Vec<_> = shown.map(line).collect();
        if problems.len() > lines.len() {
            lines.push(format!("and {} more", problems.len() - lines.len()));
        }
        blocks.push(Block::Warnings(lines));
    }
    blocks
}

fn headline(set: &TestSet<'_>) -> Block {
    let best = set.best();
    let accuracies = best.values(|run| Some(run.test.accuracy));
    let (mean, spread) = (
        accuracies.iter().sum::<f64>() / accuracies.len() as f64,
        Spread::of(&accuracies),
    );
    let interval = match spread.and_then(|spread| spread.interval) {
        Some((low, high)) => format!(
            "95 % interval of the mean over {} seeds: {low:.3} to {high:.3} (Student's t)",
            accuracies.len()
        ),
        None => {
            let (low, high) = wilson(mean, set.n);
            format!(
                "one run; 95 % interval over posts: {low:.3} to {high:.3} (Wilson; says nothing about other seeds)"
            )
        }
    };
    let chosen = match best.is_optimistic() {
        true => "its epoch was chosen by the test posts: optimistic",
        false => "the best of all by accuracy on the validation posts, which also chose its epoch",
    };
    Block::Headline {
        value: format!("{mean:.3}"),
        label: format!(
            "accuracy of {} on the {} labelled test posts of {}",
            best.name, set.n, set.name
        ),
        details: vec![interval, format!("{}; {chosen}", trained_on(set))],
    }
}

fn trained_on(set: &TestSet<'_>) -> String {
    let posts = set.shown.first().map(|shown| {
        let count = |split| shown.of(split).count();
        let (train, validation) = (count(Split::Train), count(Split::Validation));
        format!("trained on {train} posts, {validation} for validation")
    });
    let mut presets: Vec<_> = (set.best().origin.encoders.iter())
        .map(|encoder| encoder.preset.as_str())
        .collect();
    presets.sort_unstable();
    presets.dedup();
    let encoders = format!("features of preset {}", presets.join(", "));
    posts
        .into_iter()
        .chain([encoders])
        .collect::<Vec<_>>()
        .join("; ")
}

/// What any figure must be compared with.
fn comparisons(set: &TestSet<'_>) -> Table {
    let mut table = Table::new(
        format!("compare-{}", set.key),
        format!("What {} must be compared with", set.best().name),
        &["answer", "#accuracy", "#seeds", "what it is"],
    );
    let mut row = |name: String, accuracy: Cell, seeds: Cell, what: &str| {
        table
            .rows
            .push(vec![Cell::text(name), accuracy, seeds, Cell::text(what)]);
    };
    let of = |group: &Group| Cell::spread(&group.values(|run| Some(run.test.accuracy)));
    row(
        set.best().name.clone(),
        of(set.best()),
        Cell::count(set.best().runs.len()),
        "the headline",
    );
    let single = |group: &&&Group| {
        let ablation = group.ablation();
        ablation == "text-only" || ablation == "image-only"
    };
    for group in set.groups.iter().skip(1).filter(single).take(4) {
        row(
            group.name.clone(),
            of(group),
            Cell::count(group.runs.len()),
            "one modality alone, same features",
        );
    }
    if let Some(shown) = set.shown.first() {
        if let Some((fake, accuracy)) = constant(shown) {
            let name = format!("always {}", if fake { "fake" } else { "real" });
            row(
                name,
                Cell::share(accuracy),
                Cell::text("–"),
                "the commoner label of the training posts, for every post",
            );
        }
        if let Some(accuracy) = similarity_alone(shown) {
            row(
                "similarity alone".to_owned(),
                Cell::share(accuracy),
                Cell::text("–"),
                "cosine of CLIP's text and picture, cut where it tells the training posts best",
            );
        }
    }
    table
}

fn labelled<'a>(
    shown: &'a Shown<'_>,
    split: Split,
) -> impl Iterator<Item = (&'a Prediction, bool)> {
    shown.of(split).filter_map(|post| Some((post, post.fake?)))
}

/// Train's commoner label, and the share of test posts that have it.
fn constant(shown: &Shown<'_>) -> Option<(bool, f64)> {
    let fakes = |split| {
        let labels: Vec<_> = labelled(shown, split).map(|(_, fake)| fake).collect();
        let fakes = labels.iter().filter(|fake| **fake).count();
        (fakes, labels.len())
    };
    let ((train_fakes, train), (fakes, n)) = (fakes(Split::Train), fakes(Split::Test));
    if train == 0 || n == 0 {
        return None;
    }
    let answer = 2 * train_fakes > train;
    let right = if answer { fakes } else { n - fakes };
    Some((answer, right as f64 / n as f64))
}

/// Accuracy of the cut of the similarity that is best on the training posts, either side being fake.
fn similarity_alone(shown: &Shown<'_>) -> Option<f64> {
    let pairs = |split| {
        let pair = |(post, fake): (&Prediction, bool)| Some((post.similarity?, fake));
        labelled(shown, split).filter_map(pair).collect::<Vec<_>>()
    };
    let (mut train, test) = (pairs(Split::Train), pairs(Split::Test));
    if train.is_empty() || test.is_empty() {
        return None;
    }
    train.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fakes = train.iter().filter(|(_, fake)| *fake).count();
    let (mut best, mut cut, mut low_is_fake) = (0, f64::NEG_INFINITY, true);
    let mut right = train.len() - fakes; // all are taken for real while nothing lies below the cut
    for (similarity, fake) in &train {
        if *fake {
            right += 1
        } else {
            right -= 1
        }
        for (right, low) in [(right, true), (train.len() - right, false)] {
            if right > best {
                (best, cut, low_is_fake) = (right, *similarity, low);
            }
        }
    }
    let is_right =
        |(similarity, fake): &&(f64, bool)| ((*similarity <= cut) == low_is_fake) == *fake;
    Some(test.iter().filter(is_right).count() as f64 / test.len() as f64)
}

fn warnings(set: &TestSet<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let best = set.best();
    if best.runs.len() == 1 {
        warnings.push("One seed: how far another training would differ is not known; train several (mmfnd sweep).".to_owned());
    }
    let optimistic = set
        .groups
        .iter()
        .filter(|group| group.is_optimistic())
        .count();
    if optimistic > 0 {
        warnings.push(format!("{optimistic} of {} rows chose their epoch by the test posts (train.select = \"test\"): their figures are optimistic.", set.groups.len()));
    }
    if let Some(share) = shared_events(set) {
        warnings.push(format!("{:.0} % of the validation posts belong to an event that training posts belong to: figures on them say little about other events.", share * 100.0));
    }
    if let Some(import) = set.posts.and_then(|posts| posts.import.as_ref()) {
        let findings = import.audit.findings.iter();
        warnings.extend(findings.map(|finding| format!("Found by the import: {finding}")));
    }
    let collapsed: usize = (set.groups.iter())
        .flat_map(|group| &group.runs)
        .filter(|run| !run.collapsed.is_empty())
        .count();
    if collapsed > 0 {
        warnings.push(format!(
            "In {collapsed} runs of sweeps a group of experts has collapsed at the chosen epoch."
        ));
    }
    warnings
}

/// Share of the validation posts whose event training posts have too; none where that is 0 or not known.
fn shared_events(set: &TestSet<'_>) -> Option<f64> {
    let (posts, shown) = (set.posts?, set.shown.first()?);
    let event = |post: &Prediction| posts.get(&post.post_id)?.event.clone();
    let train: HashSet<_> = shown.of(Split::Train).filter_map(event).collect();
    let validation: Vec<_> = shown.of(Split::Validation).collect();
    let shared = validation
        .iter()
        .filter(|post| event(post).is_some_and(|event| train.contains(&event)));
    let shared = shared.count();
    (shared > 0).then(|| shared as f64 / validation.len() as f64)
}
