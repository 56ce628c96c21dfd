//! Sets of keys that take little more than the keys themselves: what a store's index of a million contents is made of.

use std::collections::HashSet;

use super::key::Key;

/// New keys that are kept apart before they are sorted in; above it an eighth of the set.
const RECENT: usize = 4096;

/// A set of keys: 16 bytes a key, where a hash table needs up to 40.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    sorted: Vec<Key>,
    recent: HashSet<Key>,
}

impl KeySet {
    /// Whether the key is in it.
    pub fn contains(&self, key: &Key) -> bool {
        self.recent.contains(key) || self.sorted.binary_search(key).is_ok()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len() + self.recent.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.sorted.iter().chain(&self.recent)
    }

    /// Adds keys.
    pub fn extend(&mut self, keys: &[Key]) {
        let new = keys
            .iter()
            .filter(|key| self.sorted.binary_search(key).is_err());
        self.recent.extend(new);
        if self.recent.len() > RECENT.max(self.sorted.len() / 8) {
            self.sorted.reserve_exact(self.recent.len());
            self.sorted.extend(self.recent.drain());
            self.recent = HashSet::new();
            // Stable sorting notices that most of it is sorted.
            self.sorted.sort();
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        // A hash table keeps an eighth free, a control byte a place, and doubles.
        let places = self.recent.capacity() * 8 / 7;
        self.sorted.capacity() * size_of::<Key>() + places * (size_of::<Key>() + 1)
    }
}

impl From<Vec<Key>> for KeySet {
    fn from(mut keys: Vec<Key>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        keys.shrink_to_fit();
        let recent = HashSet::new();
        Self {
            sorted: keys,
            recent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::of(&number.to_le_bytes())
    }

    #[test]
    fn a_set_that_grows_has_what_was_added_and_nothing_else() {
        let mut set = KeySet::from(vec![key(1), key(0), key(1)]);
        assert_eq!(set.len(), 2);
        for start in (0..30_000).step_by(100) {
            let keys: Vec<Key> = (start..start + 150).map(key).collect();
            set.extend(&keys);
        }
        assert_eq!(set.len(), 30_050);
        assert_eq!(set.iter().collect::<HashSet<_>>().len(), 30_050);
        assert!((0..30_050).all(|number| set.contains(&key(number))));
        assert!((30_050..31_000).all(|number| !set.contains(&key(number))));
    }

    #[test]
    fn a_set_takes_little_more_than_its_keys() {
        let mut set = KeySet::default();
        for start in (0..200_000).step_by(1000) {
            set.extend(&(start..start + 1000).map(key).collect::<Vec<_>>());
        }
        let each = set.bytes() as f64 / set.len() as f64;
        assert!((16.0..22.0).contains(&each), "{each} bytes a key");
    }
}
