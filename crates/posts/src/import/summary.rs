//! What an import prints: rows, rejects, pictures, then the leak audit.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use super::counts::{Counts, Table};
use super::imported::Import;
use crate::Label;
use crate::audit::{Audit, Shared};
use crate::number::{counted, percent, thousands};

/// Width of the column with the subjects of the lines.
const SUBJECT: usize = 31;

const ALL: &str = "all";

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} from {}", self.dataset, self.source)?;
        writeln!(f)?;
        if !self.counts.read.is_empty() {
            write_rows(f, &self.counts)?;
            writeln!(f)?;
        }
        write_counts(f, &self.counts)?;
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        writeln!(f)?;
        write_audit(f, &self.audit)
    }
}

/// Read and taken side by side, a line per split.
fn write_rows(f: &mut fmt::Formatter<'_>, counts: &Counts) -> fmt::Result {
    let tables = [&counts.read, &counts.taken].map(|table| (table, columns(table)));
    write!(f, "  {:<10}", "")?;
    for (title, (_, columns)) in ["rows read", "posts"].into_iter().zip(&tables) {
        let width = columns.iter().map(|name| width(name)).sum::<usize>() + width(ALL);
        write!(f, "  {title:>width$}")?;
    }
    write!(f, "\n  {:<10}", "")?;
    for (_, columns) in &tables {
        write!(f, "  ")?;
        for name in columns.iter().chain([&ALL]) {
            write!(f, "{name:>width$}", width = width(name))?;
        }
    }
    writeln!(f)?;
    for split in counts.read.keys() {
        write!(f, "  {:<10}", split.to_string())?;
        for (table, columns) in &tables {
            write_cells(f, table.get(split).unwrap_or(&BTreeMap::new()), columns)?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn write_cells(
    f: &mut fmt::Formatter<'_>,
    row: &BTreeMap<&'static str, usize>,
    columns: &[&str],
) -> fmt::Result {
    write!(f, "  ")?;
    for name in columns {
        let count = row.get(name).copied().unwrap_or_default();
        write!(f, "{:>width$}", thousands(count), width = width(name))?;
    }
    let all = thousands(row.values().sum());
    write!(f, "{all:>width$}", width = width(ALL))
}

/// The labels that occur, in a fixed order.
fn columns(table: &Table) -> Vec<&'static str> {
    let occurs = |name: &&str| table.values().any(|row| row.contains_key(name));
    let names = ["fake", "real", "humor", "unlabelled"];
    names.into_iter().filter(occurs).collect()
}

fn width(column: &str) -> usize {
    column.len().max(7) + 2
}

fn write_counts(f: &mut fmt::Formatter<'_>, counts: &Counts) -> fmt::Result {
    let sum = format!(
        "{} = {} + {}",
        thousands(counts.rows),
        counted(counts.posts, "post"),
        counted(counts.rejects, "reject")
    );
    line(f, "rows", &sum)?;
    if counts.rejects > 0 {
        let mut reasons: Vec<_> = counts.rejects_by_reason.iter().collect();
        reasons.sort_by_key(|(_, count)| Reverse(**count));
        let reasons = reasons.iter().map(|(reason, count)| (reason, **count));
        line(f, "rejects", &list(reasons))?;
    }
    write_picture_counts(f, counts)?;
    for (count, what) in [
        (
            counts.posts_with_several_pictures,
            "posts with several pictures",
        ),
        (counts.posts_without_picture, "posts without a picture"),
        (counts.posts_without_text, "posts without a text"),
    ] {
        if count > 0 {
            line(f, what, &thousands(count))?;
        }
    }
    Ok(())
}

fn write_picture_counts(f: &mut fmt::Formatter<'_>, counts: &Counts) -> fmt::Result {
    let pictures = &counts.pictures;
    let named = format!(
        "{} named, {} found, {} missing",
        thousands(pictures.named),
        thousands(pictures.found),
        thousands(pictures.missing)
    );
    line(f, "pictures", &named)?;
    let many = counts.rows.div_ceil(100).max(2);
    let missed: Vec<_> = pictures
        .most_missed
        .iter()
        .filter(|missed| missed.rows >= many)
        .collect();
    if !missed.is_empty() {
        let missed = missed
            .iter()
            .take(3)
            .map(|missed| (&missed.name, missed.rows));
        line(f, "  missed by the most rows", &list(missed))?;
    }
    if pictures.links_not_followed > 0 {
        let links = counted(pictures.links_not_followed, "link");
        line(f, "  not followed", &format!("{links} out of the folder"))?;
    }
    Ok(())
}

fn write_audit(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    writeln!(f, "  Leak audit")?;
    write_pictures(f, audit)?;
    write_texts(f, audit)?;
    write_events(f, audit)?;
    write_guesses(f, audit)?;
    for finding in &audit.findings {
        writeln!(f, "  ! {finding}")?;
    }
    Ok(())
}

fn write_pictures(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let pictures = &audit.pictures;
    let files = format!(
        "{}, {} different",
        counted(pictures.files, "file"),
        thousands(pictures.distinct)
    );
    line(f, "pictures by content", &files)?;
    if pictures.most_posts > 1 {
        let most = format!(
            "median {}, most {} ({})",
            thousands(pictures.median_posts),
            thousands(pictures.most_posts),
            pictures.most_posts_file
        );
        line(f, "posts per picture", &most)?;
    }
    line(
        f,
        "pictures with both labels",
        &shared(pictures.both_labels),
    )?;
    line(
        f,
        "pictures in several splits",
        &shared(pictures.several_splits),
    )
}

fn write_texts(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let texts = &audit.texts;
    line(f, "texts in several splits", &shared(texts.several_splits))?;
    let near = shared(texts.near_several_splits);
    line(f, "  links and case aside", &near)?;
    let repeated: Vec<String> = texts
        .repeated
        .iter()
        .map(|(split, share)| {
            let near = texts.near_repeated.get(split).copied().unwrap_or_default();
            format!("{split} {} ({})", percent(*share), percent(near))
        })
        .collect();
    line(f, "repeated texts (links aside)", &repeated.join(", "))
}

fn write_events(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    let events = &audit.events;
    if events.distinct == 0 {
        return line(f, "events", "none are known");
    }
    let counts: Vec<String> = events
        .count
        .iter()
        .map(|(split, count)| format!("{split} {count}"))
        .collect();
    let several = events.several_splits.len();
    let counts = format!(
        "{}; {several} in several splits; {} of {} have one label only",
        counts.join(", "),
        events.one_label,
        events.distinct
    );
    line(f, "events", &counts)?;
    let largest: Vec<String> = events
        .largest
        .iter()
        .map(|(split, largest)| format!("{split} {} {}", largest.event, percent(largest.share)))
        .collect();
    line(f, "largest event", &largest.join(", "))
}

fn write_guesses(f: &mut fmt::Formatter<'_>, audit: &Audit) -> fmt::Result {
    if let Some(first) = audit.baselines.first() {
        let accuracies: Vec<String> = audit
            .baselines
            .iter()
            .map(|baseline| format!("{} {:.3}", baseline.split, baseline.accuracy))
            .collect();
        let subject = format!("always answering {}", first.answer);
        line(f, &subject, &accuracies.join(", "))?;
    }
    for label in [Label::Fake, Label::Real] {
        if let Some(count) = audit.listed_pictures.get(&label) {
            let listed = format!(
                "{:.1} on average, {} list two or more",
                count.mean,
                percent(count.two_or_more)
            );
            line(f, &format!("pictures listed by {label} posts"), &listed)?;
        }
    }
    let Some((constant, others)) = audit.guesses.split_first() else {
        return Ok(());
    };
    writeln!(
        f,
        "  accuracy of guessing the label, over all posts, from nothing but"
    )?;
    let better = others
        .iter()
        .filter(|guess| guess.accuracy - constant.accuracy >= 0.001);
    for guess in [constant].into_iter().chain(better) {
        line(
            f,
            &format!("  {}", guess.from),
            &format!("{:.3}", guess.accuracy),
        )?;
    }
    Ok(())
}

/// `no picture 2,979, duplicate id 1`.
fn list<T: fmt::Display>(items: impl Iterator<Item = (T, usize)>) -> String {
    let items: Vec<String> = items
        .map(|(what, count)| format!("{what} {}", thousands(count)))
        .collect();
    items.join(", ")
}

fn shared(shared: Shared) -> String {
    if shared.distinct == 0 {
        return "0".to_owned();
    }
    format!(
        "{} ({})",
        thousands(shared.distinct),
        counted(shared.posts, "post")
    )
}

fn line(f: &mut fmt::Formatter<'_>, subject: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {subject:<SUBJECT$} {text}")
}
