//! Who gets which label: splits, events and causes, with exact counts.

use std::fmt;

use mmfnd_posts::Split;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::caption::town;
use super::scene::Place;

/// Why a post is fake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The caption of another scene.
    Mismatch,
    /// A true picture and caption in sensational words.
    Style,
    /// A piece of another picture spliced into it.
    Tamper,
    /// Text in the picture that contradicts it: only reading it can tell.
    Overlay,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mismatch => "mismatch",
            Self::Style => "style",
            Self::Tamper => "tamper",
            Self::Overlay => "overlay",
        })
    }
}

/// What is decided of a post before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Part of the dataset.
    pub split: Split,
    /// Town and number: posts of one event share landscape and town, and no other split has them.
    pub event: String,
    /// The event's town.
    pub town: String,
    /// The event's landscape.
    pub place: Place,
    /// `None` for real posts.
    pub cause: Option<Cause>,
}

/// Gives out the roles of a world: 70 % train, 10 % validation, 20 % test; half of each is fake.
pub fn roles(posts: usize, rng: &mut ChaCha8Rng) -> Vec<Role> {
    let validation = posts / 10;
    let test = posts / 5;
    let sizes = [
        (Split::Train, posts - validation - test),
        (Split::Validation, validation),
        (Split::Test, test),
    ];
    let mut roles = Vec::with_capacity(posts);
    let mut events = 0;
    for (split, size) in sizes {
        let mut causes = causes(size);
        causes.shuffle(rng);
        let mut causes = causes.into_iter().peekable();
        while causes.peek().is_some() {
            let (town, place) = (town(rng), Place::any(rng));
            events += 1;
            let event = format!("{}-{events:04}", town.to_lowercase());
            for cause in causes.by_ref().take(rng.random_range(5..11)) {
                roles.push(Role {
                    split,
                    event: event.clone(),
                    town: town.clone(),
                    place,
                    cause,
                });
            }
        }
    }
    roles
}

/// Half real; of all posts 4 % overlay fakes; the other causes equally often.
fn causes(posts: usize) -> Vec<Option<Cause>> {
    let fakes = posts / 2;
    let overlays = (posts * 8 + 100) / 200;
    let others = [Cause::Mismatch, Cause::Style, Cause::Tamper];
    let fake = |index: usize| match index < overlays {
        true => Cause::Overlay,
        false => others[(index - overlays) % others.len()],
    };
    (0..posts)
        .map(|index| (index < fakes).then(|| fake(index)))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn counts_are_exact_in_every_split() {
        let roles = roles(1200, &mut ChaCha8Rng::seed_from_u64(10));
        let count = |split, cause| {
            let of = |role: &&Role| role.split == split && role.cause == cause;
            roles.iter().filter(of).count()
        };
        let causes = [
            None,
            Some(Cause::Mismatch),
            Some(Cause::Style),
            Some(Cause::Tamper),
            Some(Cause::Overlay),
        ];
        assert_eq!(
            causes.map(|cause| count(Split::Train, cause)),
            [420, 129, 129, 128, 34]
        );
        assert_eq!(
            causes.map(|cause| count(Split::Validation, cause)),
            [60, 19, 18, 18, 5]
        );
        assert_eq!(
            causes.map(|cause| count(Split::Test, cause)),
            [120, 37, 37, 36, 10]
        );
    }

    #[test]
    fn no_event_is_in_two_splits() {
        for posts in [0, 1, 7, 50, 1200] {
            let roles = roles(posts, &mut ChaCha8Rng::seed_from_u64(11));
            assert_eq!(roles.len(), posts);
            let pairs: HashSet<_> = roles.iter().map(|role| (&role.event, role.split)).collect();
            let events: HashSet<_> = roles.iter().map(|role| &role.event).collect();
            assert_eq!(pairs.len(), events.len());
        }
    }
}
