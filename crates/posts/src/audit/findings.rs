//! What the figures of an audit mean, in sentences with a remedy.

use super::{Audit, Guess};
use crate::number::{counted, percent, thousands};
use crate::{Label, Split};

/// From this share on a repetition, or one event, is worth a sentence.
const MUCH: f64 = 0.1;
/// From this share of train on an event is said to dominate.
const DOMINATES: f64 = 0.5;
/// A guess is worth a sentence when it beats the constant answer by so much.
const BEATS: f64 = 0.05;

/// The worst first.
pub(super) fn of(audit: &Audit) -> Vec<String> {
    let mut findings = Vec::new();
    across_splits(audit, &mut findings);
    findings.extend(number_of_pictures(audit));
    findings.extend(
        audit
            .guesses
            .iter()
            .skip(1)
            .filter_map(|guess| gives_away(audit, guess)),
    );
    pictures(audit, &mut findings);
    repetitions(audit, &mut findings);
    events(audit, &mut findings);
    findings
}

fn across_splits(audit: &Audit, findings: &mut Vec<String>) {
    let pictures = audit.pictures.several_splits;
    if pictures.distinct > 0 {
        findings.push(format!(
            "{} in more than one split ({} outside train): results on these posts are memory",
            counted(pictures.distinct, "picture"),
            counted(pictures.posts, "post"),
        ));
    }
    let texts = audit.texts.near_several_splits;
    if texts.distinct > 0 {
        findings.push(format!(
            "{} in more than one split, links and case aside ({} outside train)",
            counted(texts.distinct, "text"),
            counted(texts.posts, "post"),
        ));
    }
    let events = &audit.events.several_splits;
    if !events.is_empty() {
        findings.push(format!(
            "{} in more than one split ({} outside train): {}",
            counted(events.len(), "event"),
            counted(audit.events.posts_in_several_splits, "post"),
            some(events),
        ));
    }
}

/// Weibo's non-rumours always list two or more.
fn number_of_pictures(audit: &Audit) -> Option<String> {
    let real = audit.listed_pictures.get(&Label::Real)?.two_or_more;
    let fake = audit.listed_pictures.get(&Label::Fake)?.two_or_more;
    let sentence = format!(
        "{} of the real posts list two or more pictures, {} of the fake ones: a model must not see how many there are",
        percent(real),
        percent(fake),
    );
    ((real - fake).abs() >= MUCH).then_some(sentence)
}

fn gives_away(audit: &Audit, guess: &Guess) -> Option<String> {
    let constant = audit.guesses.first()?.accuracy;
    let sentence = match guess.from {
        "which picture it is" | "number of pictures listed" => return None,
        "event" => format!(
            "the event alone gives the label of {} of the posts (always the commoner: {}): validate on other events",
            percent(guess.accuracy),
            percent(constant),
        ),
        property => format!(
            "the {property} alone gives the label of {} of the posts (always the commoner: {}): a model must not see it",
            percent(guess.accuracy),
            percent(constant),
        ),
    };
    (guess.accuracy >= constant + BEATS).then_some(sentence)
}

fn pictures(audit: &Audit, findings: &mut Vec<String>) {
    let pictures = &audit.pictures;
    let both = pictures.both_labels;
    if both.distinct > 0 {
        findings.push(format!(
            "{} with both labels ({})",
            counted(both.distinct, "picture"),
            counted(both.posts, "post"),
        ));
    } else if pictures.posts_sharing >= MUCH && !audit.listed_pictures.is_empty() {
        findings.push(format!(
            "no picture has both labels, and one serves up to {} posts: validation must be split by picture or event, never by post",
            thousands(pictures.most_posts),
        ));
    }
    if pictures.unreadable > 0 {
        findings.push(format!(
            "{} cannot be read or are empty, and took no part in this audit",
            counted(pictures.unreadable, "picture file"),
        ));
    }
}

fn repetitions(audit: &Audit, findings: &mut Vec<String>) {
    for (split, share) in &audit.texts.near_repeated {
        if *share >= MUCH {
            findings.push(format!(
                "{} of the texts of {split} repeat an earlier one, links and case aside",
                percent(*share),
            ));
        }
    }
    let both = audit.texts.near_both_labels;
    if both.distinct > 0 {
        findings.push(format!(
            "{} with both labels, links and case aside ({})",
            counted(both.distinct, "text"),
            counted(both.posts, "post"),
        ));
    }
}

fn events(audit: &Audit, findings: &mut Vec<String>) {
    if let Some(largest) = audit.events.largest.get(&Split::Train)
        && largest.share >= DOMINATES
    {
        findings.push(format!(
            "the event {} is {} of train ({})",
            largest.event,
            percent(largest.share),
            counted(largest.posts, "post"),
        ));
    }
}

/// The first few names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names[..names.len().min(SHOWN)].join(", ") + &more
}
