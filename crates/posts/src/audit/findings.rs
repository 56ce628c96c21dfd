//! What the figures of an audit mean, in sentences with a remedy.

use super::figures::Audit;
use super::guess::Guess;
use crate::number::{counted, percent, thousands};
use crate::{Label, Post, Split};

/// From this share on a repetition, or one event, is worth a sentence.
const MUCH: f64 = 0.1;
/// From this share of train on an event is said to dominate.
const DOMINATES: f64 = 0.5;
/// A guess is worth a sentence when it beats the constant answer by so much.
const BEATS: f64 = 0.05;

/// Posts of a label from which on its shares mean something.
const ENOUGH: usize = 10;

impl Audit {
    /// Looks at posts; `listed` has for each the number of pictures that it names, whether they exist or not.
    ///
    /// # Panics
    /// When `listed` has another length than `posts`.
    pub fn of_import(posts: &[Post], listed: &[usize]) -> Self {
        assert_eq!(posts.len(), listed.len(), "a count per post");
        let mut audit = Self::without_findings(posts, listed);
        audit.findings = findings_of(&audit);
        audit
    }
}

/// The worst first.
fn findings_of(audit: &Audit) -> Vec<String> {
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
    let two_or_more = |label| {
        let count = audit.listed_pictures.get(&label)?;
        (count.posts >= ENOUGH).then_some(count.two_or_more)
    };
    let (real, fake) = (two_or_more(Label::Real)?, two_or_more(Label::Fake)?);
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
        let is = if pictures.unreadable == 1 {
            "is"
        } else {
            "are"
        };
        findings.push(format!(
            "{} cannot be read, or {is} empty or too large, and took no part in this audit",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixture::post;

    /// Twenty posts, the even ones fake, after a change; the first sixteen are of train.
    fn findings(change: impl Fn(usize, &mut Post, &mut usize)) -> String {
        let mut listed = vec![1; 20];
        let posts: Vec<Post> = (0..20)
            .map(|id| {
                let split = if id < 16 { Split::Train } else { Split::Test };
                let label = if id % 2 == 0 {
                    Label::Fake
                } else {
                    Label::Real
                };
                let mut post = post(id, split, label, &format!("text {id}"));
                change(id, &mut post, &mut listed[id]);
                post
            })
            .collect();
        Audit::of_import(&posts, &listed).findings.join("\n")
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert_eq!(findings(|_, _, _| {}), "");
    }

    #[test]
    fn numbers_of_pictures_that_differ_by_label_are_said() {
        let found = findings(|id, _, listed| *listed = 1 + id % 2);
        let expected = "100 % of the real posts list two or more pictures, 0 % of the fake ones: \
                        a model must not see how many there are";
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_per_label_is_said() {
        let found = findings(|id, post, _| {
            let folder = if id % 2 == 0 { "rumor" } else { "nonrumor" };
            post.images = vec![std::path::Path::new(folder).join(format!("{id}.jpg"))];
        });
        let expected = "the folder of the first picture alone gives the label of 100 % of the posts \
                        (always the commoner: 50 %): a model must not see it";
        assert!(found.contains(expected), "{found}");
        let expected = "20 picture files cannot be read, or are empty or too large, and took no";
        assert!(found.contains(expected), "{found}");
        let found = findings(|id, post, _| {
            post.images.extend((id == 0).then(|| "gone.jpg".into()));
        });
        let expected = "1 picture file cannot be read, or is empty or too large, and took no";
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn what_train_and_test_share_is_said() {
        let found = findings(|id, post, _| {
            post.event = Some(if id % 16 == 0 { "storm" } else { "flood" }.to_owned());
            if id % 16 == 0 {
                post.text = format!("Same text https://t.co/{id}");
            }
        });
        for expected in [
            "1 text in more than one split, links and case aside (1 post outside train)",
            "2 events in more than one split (4 posts outside train): flood, storm",
            "the event flood is 94 % of train (15 posts)",
        ] {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn repeated_texts_of_a_split_are_said() {
        let found = findings(|id, post, _| post.text = (id % 8).to_string());
        assert!(
            found.contains("50 % of the texts of train repeat"),
            "{found}"
        );
        let found = findings(|id, post, _| post.text = (id / 2).to_string());
        assert!(found.contains("10 texts with both labels"), "{found}");
    }
}
