//! Texts that repeat, also when their links are taken away.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::occurrences::{Occurrences, Shared, share};
use crate::hash::short;
use crate::{Post, Split};

/// What the posts have in common through their texts. *Near* is: without URLs, in lower case, white space made even.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextAudit {
    /// Texts that differ.
    pub distinct: usize,
    /// Share of posts, per split, whose text an earlier post of the split has.
    pub repeated: BTreeMap<Split, f64>,
    /// The same for texts that are near.
    pub near_repeated: BTreeMap<Split, f64>,
    /// Exact texts in two or more splits.
    pub several_splits: Shared,
    /// Near texts in two or more splits; what is empty without its URLs does not count.
    pub near_several_splits: Shared,
    /// Near texts with posts of both labels; what is empty without its URLs does not count.
    pub near_both_labels: Shared,
    /// Posts of which nothing is left without URLs.
    pub nothing_but_urls: usize,
}

impl TextAudit {
    pub(super) fn of(posts: &[Post]) -> Self {
        // One after the other: of a million texts each takes its room.
        let exact = Texts::of(posts, |post| Cow::Borrowed(&post.text));
        let (distinct, repeated) = (exact.distinct(), exact.repeated());
        let several_splits = exact.filled.in_several_splits();
        drop(exact);
        let near = Texts::of(posts, |post| Cow::Owned(near(&post.text)));
        let is_blank = |post: &&Post| post.text.trim().is_empty();
        Self {
            distinct,
            repeated,
            near_repeated: near.repeated(),
            several_splits,
            near_several_splits: near.filled.in_several_splits(),
            near_both_labels: near.filled.with_both_labels(),
            nothing_but_urls: near.blank_posts - posts.iter().filter(is_blank).count(),
        }
    }
}

/// Where texts occur; those of white space apart.
#[derive(Default)]
struct Texts {
    filled: Occurrences,
    blank: Occurrences,
    blank_posts: usize,
    posts: BTreeMap<Split, usize>,
}

impl Texts {
    fn of<'a>(posts: &'a [Post], text: impl Fn(&'a Post) -> Cow<'a, str>) -> Self {
        let mut texts = Self::default();
        for post in posts {
            let text = text(post);
            *texts.posts.entry(post.split).or_default() += 1;
            match text.trim().is_empty() {
                true => {
                    texts.blank.add(short(&text), post);
                    texts.blank_posts += 1;
                }
                false => texts.filled.add(short(&text), post),
            }
        }
        texts
    }

    fn distinct(&self) -> usize {
        self.filled.of.len() + self.blank.of.len()
    }

    /// Share of posts, per split, whose text an earlier post of the split has.
    fn repeated(&self) -> BTreeMap<Split, f64> {
        let share = |(split, count): (&Split, &usize)| {
            let all = self.filled.of.values().chain(self.blank.of.values());
            let distinct = all.filter(|found| found.is_in(*split)).count();
            (*split, share(count - distinct, *count))
        };
        self.posts.iter().map(share).collect()
    }
}

/// Without URLs, in lower case, one blank between words.
fn near(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = ["http://", "https://"]
        .iter()
        .filter_map(|scheme| rest.find(scheme))
        .min()
    {
        plain.push_str(&rest[..start]);
        plain.push(' ');
        rest = &rest[start..];
        // Chinese goes on behind a URL without a blank.
        let end = rest.find(|c: char| c.is_whitespace() || !c.is_ascii());
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    plain.push_str(rest);
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label::{Fake, Real};
    use crate::Split::{Test, Train};
    use crate::audit::fixture::post;

    #[test]
    fn near_texts_lack_urls_case_and_spacing() {
        assert_eq!(near("Look  HERE:http://t.co/x,y \n now"), "look here: now");
        assert_eq!(near("转发http://t.cn/abc求证"), "转发 求证");
        assert_eq!(near("https://t.co/1 http://t.co/2"), "");
    }

    #[test]
    fn repeats_are_counted_within_and_across_splits() {
        let posts = [
            post(0, Train, Fake, "a http://x/1"),
            post(1, Train, Real, "A http://x/2"),
            post(2, Train, Fake, "b"),
            post(3, Train, Fake, "b"),
            post(4, Test, Fake, "B"),
            post(5, Test, Fake, "http://x/3"),
            post(6, Train, Fake, "http://x/4"),
            post(7, Test, Fake, ""),
        ];
        let audit = TextAudit::of(&posts);
        assert_eq!(audit.repeated[&Train], 0.2);
        assert_eq!(audit.near_repeated[&Train], 0.4);
        assert_eq!(audit.several_splits, Shared::default());
        let shared = |distinct, posts| Shared { distinct, posts };
        assert_eq!(audit.near_several_splits, shared(1, 1));
        assert_eq!(audit.near_both_labels, shared(1, 2));
        assert_eq!(audit.nothing_but_urls, 2);
    }
}
