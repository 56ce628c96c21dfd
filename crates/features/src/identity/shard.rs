//! Shards: parts of the work on the same posts, split by the hash of the contents, each in a store of its own until
//! they are merged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::key::Key;

/// Most shards: a number of machines, not of contents.
const MOST: u32 = 10_000;

/// One of several shards, written `i/n`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// Its number, counted from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many shards there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether a content belongs to it.
    pub fn holds(self, key: &Key) -> bool {
        let [head @ .., _, _, _, _, _, _, _, _] = *key.as_bytes();
        u64::from_be_bytes(head) % u64::from(self.of) == u64::from(self.number - 1)
    }

    /// Why its store cannot be trained on.
    pub(crate) fn reads_refused(self) -> String {
        format!(
            "holds shard {self} only; join it with the others by `mmfnd features merge STORE … --out DIR`"
        )
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A text that names no shard.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no shard; use i/n, such as 1/3, 2/3 and 3/3 for three machines")]
pub struct NoShard(String);

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) && of <= MOST => {
                Ok(Self { number, of })
            }
            _ => Err(NoShard(text.to_owned())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_content_belongs_to_exactly_one_shard_and_they_are_about_equal() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"]
            .map(|text| text.parse().unwrap())
            .into();
        let mut counts = [0; 3];
        for number in 0..3000u32 {
            let key = Key::of(&number.to_le_bytes());
            let holders: Vec<usize> = (0..3).filter(|&index| shards[index].holds(&key)).collect();
            assert_eq!(holders.len(), 1);
            counts[holders[0]] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_shard_reads_as_it_is_written_and_nothing_else_does() {
        for text in ["1/1", "2/7", "10000/10000"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in [
            "", "1", "0/3", "4/3", "a/b", "1/3/5", "-1/3", "1/20000", "/",
        ] {
            let said = text.parse::<Shard>().unwrap_err().to_string();
            assert!(said.contains("1/3"), "{said}");
        }
    }
}
