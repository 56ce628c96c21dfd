//! What an import prints: rows, rejects, pictures, then the leak audit.

use std::fmt;

use super::counts::Table;
use super::{Counts, Import};
use crate::audit::{Audit, Shared};
use crate::number::{counted, percent, thousands};
use crate::{Label, Split};

/// Width of the column with the subjects of the lines.
const SUBJECT: usize = 30;

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} from {}", self.dataset, self.source.display())?;
        writeln!(f)?;
        write_rows(f, &self.counts)?;
        writeln!(f)?;
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
    let names = ["fake", "real", "humor", "unlabelled"];
    let occurs = |table: &Table, name: &str| table.values().any(|row| row.contains_key(name));
    let shown = |table: &Table| -> Vec<&str> {
        let named = names.into_iter().filter(|name| occurs(table, name));
        named.collect()
    };
    let (read, taken) = (shown(&counts.read), shown(&counts.taken));
    let width = |columns: &[&str]| 11 * (columns.len() + 1);
    writeln!(
        f,
        "  {:<10}{:>read$}  {:>taken$}",
        "",
        "rows read",
        "posts",
        read = width(&read),
        taken = width(&taken),
    )?;
    write!(f, "  {:<10}", "")?;
    for columns in [&read, &taken] {
        columns
            .iter()
            .try_for_each(|name| write!(f, "{name:>11}"))?;
        write!(f, "{:>11}  ", "all")?;
    }
    writeln!(f)?;
    for split in [Split::Train, Split::Validation, Split::Test] {
        if !counts.read.contains_key(&split) {
            continue;
        }
        write!(f, "  {:<10}", split.to_string())?;
        for (table, columns) in [(&counts.read, &read), (&counts.taken, &taken)] {
            let count = |name: &str| table.get(&split).and_then(|row| row.get(name)).copied();
            let cells = columns.iter().map(|name| count(name).unwrap_or_default());
            let all: usize = cells.clone().sum();
            for cell in cells.chain([all]) {
                write!(f, "{:>11}", thousands(cell))?;
            }
            write!(f, "  ")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn write_counts(f: &mut fmt::Formatter<'_>, counts: &Counts) -> fmt::Result {
    let (rows, posts, rejects) = (counts.rows, counts.posts, counts.rejects);
    let sum = format!(
        "{} = {} + {}",
        thousands(rows),
        counted(posts, "post"),
        counted(rejects, "reject")
    );
    line(f, "rows", &sum)?;
    for (reason, count) in &counts.rejects_by_reason {
        line(f, &format!("rejects: {reason}"), &thousands(*count))?;
    }
    let pictures = &counts.pictures;
    let named = format!(
        "{} named: {} found, {} missing",
        thousands(pictures.named),
        thousands(pictures.found),
        thousands(pictures.missing)
    );
    line(f, "pictures", &named)?;
    if pictures.links_not_followed > 0 {
        let links = counted(pictures.links_not_followed, "link");
        line(f, "", &format!("{links} out of the folder not followed"))?;
    }
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
    if pictures.distinct > 0 {
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
    for baseline in &audit.baselines {
        let answer = format!("{:.3} on {}", baseline.accuracy, baseline.split);
        line(f, &format!("always answering {}", baseline.answer), &answer)?;
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
    if audit.guesses.is_empty() {
        return Ok(());
    }
    writeln!(f, "  best guess of the label, all posts, from nothing but")?;
    for guess in &audit.guesses {
        line(
            f,
            &format!("  {}", guess.from),
            &format!("{:.3}", guess.accuracy),
        )?;
    }
    Ok(())
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
