//! Which contents are encoded together: decided once, written down, and repeated by a run that continues.
//!
//! Sums in a runtime depend on the shape of the batch, so the same bits come out only of the same batches.

use std::collections::HashSet;

use mmfnd_features::{EncoderWriter, Key};

use crate::error::Error;

/// One missing content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissingContent {
    /// Hash of the content.
    pub(crate) key: Key,
    /// Where it is found: number of a post or of a picture's file.
    pub(crate) source: u32,
    /// Its length in tokens; 1 for pictures.
    pub(crate) length: u32,
    /// What it costs to make it ready, beside others of its kind: pixels of a picture, tokens of a text.
    pub(crate) weight: u32,
    /// A bit for each encoder of the stage that lacks it.
    pub(crate) lacking: u32,
}

/// Bounds of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Most contents times the longest one's length.
    pub area: usize,
    /// Most contents.
    pub rows: usize,
    /// A batch of this area is closed at the first content that would be padded by more than a tenth.
    pub enough: usize,
}

impl Budget {
    /// Texts on a CPU. A core's caches nearly hold the largest layer of so many tokens; with four times as many BERT
    /// takes 5 % longer, CLIP's text tower 11 %.
    pub const TEXTS_ON_CPU: Self = Self {
        area: 512,
        rows: 256,
        enough: 256,
    };

    /// Texts on a GPU, which has thousands of lanes to fill.
    pub const TEXTS_ON_GPU: Self = Self {
        area: 16_384,
        rows: 512,
        enough: 4096,
    };

    /// Pictures on a CPU: more than eight at a time gain nothing on a core.
    pub const PICTURES_ON_CPU: Self = Self {
        area: 8,
        rows: 8,
        enough: 8,
    };

    /// Pictures on a GPU: some 20 MB of pixels per encoder and batch.
    pub const PICTURES_ON_GPU: Self = Self {
        area: 32,
        rows: 32,
        enough: 32,
    };

    /// Cuts contents of these lengths into batches as a run does: the numbers of each batch's contents.
    pub fn batches(self, lengths: &[u32]) -> Vec<Vec<usize>> {
        let content = |(number, &length): (usize, &u32)| MissingContent {
            key: Key::of(&number.to_le_bytes()),
            source: number as u32,
            length,
            weight: 0,
            lacking: 1,
        };
        let contents = lengths.iter().enumerate().map(content).collect();
        let batches = Batches::new(contents, Vec::new(), self).run.into_iter();
        let numbers = |batch: Vec<MissingContent>| {
            batch
                .iter()
                .map(|content| content.source as usize)
                .collect()
        };
        batches.map(numbers).collect()
    }

    /// The same in proportion, with another area where one is asked for.
    pub(crate) fn with_area(self, area: Option<usize>) -> Self {
        let Some(area) = area else { return self };
        let scaled = |bound: usize| (bound * area / self.area).max(1);
        Self {
            area,
            rows: scaled(self.rows),
            enough: scaled(self.enough),
        }
    }
}

/// Batches to run now, and the plan to write down first.
struct Batches {
    run: Vec<Vec<MissingContent>>,
    plan: Vec<Vec<Key>>,
}

impl Batches {
    /// Repeats the batches of an unfinished plan as far as they are missing, and appends batches of everything else,
    /// longest first.
    fn new(missing: Vec<MissingContent>, unfinished: Vec<Vec<Key>>, budget: Budget) -> Self {
        let mut rest = missing;
        let run = take_planned(&mut rest, &unfinished);
        rest.sort_unstable_by_key(|item| (std::cmp::Reverse(item.length), item.source, item.key));
        let fresh = cut(rest, budget);
        let keys = |batch: &Vec<MissingContent>| batch.iter().map(|item| item.key).collect();
        let plan = unfinished
            .into_iter()
            .chain(fresh.iter().map(keys))
            .collect();
        let run = run.into_iter().chain(fresh).collect();
        Self { run, plan }
    }
}

/// Repeats unfinished batches and cuts the rest into new ones; the plan is on disk when this returns.
pub(crate) fn write_plan(
    missing: Vec<MissingContent>,
    budget: Budget,
    writers: &mut [EncoderWriter],
) -> Result<Vec<Vec<MissingContent>>, Error> {
    let mut unfinished = Vec::with_capacity(writers.len());
    for writer in writers.iter() {
        unfinished.push(writer.plan()?);
    }
    let batches = Batches::new(missing, merged(unfinished), budget);
    if !batches.run.is_empty() {
        for writer in writers {
            writer.set_plan(&batches.plan)?;
        }
    }
    Ok(batches.run)
}

/// The planned batches as far as they are missing, which are taken out of what is missing.
fn take_planned(
    missing: &mut Vec<MissingContent>,
    planned: &[Vec<Key>],
) -> Vec<Vec<MissingContent>> {
    if planned.is_empty() {
        return Vec::new();
    }
    missing.sort_unstable_by_key(|item| item.key);
    let mut is_taken = vec![false; missing.len()];
    let mut take = |key: &Key| {
        let index = missing.binary_search_by_key(key, |item| item.key).ok()?;
        (!std::mem::replace(&mut is_taken[index], true)).then_some(missing[index])
    };
    let batches = planned
        .iter()
        .map(|batch| batch.iter().filter_map(&mut take).collect());
    let batches: Vec<Vec<MissingContent>> = batches.collect();
    let mut is_taken = is_taken.into_iter();
    missing.retain(|_| is_taken.next() == Some(false));
    batches
        .into_iter()
        .filter(|batch| !batch.is_empty())
        .collect()
}

/// Plans of several encoders as one: equal batches once.
fn merged(plans: impl IntoIterator<Item = Vec<Vec<Key>>>) -> Vec<Vec<Key>> {
    let mut seen = HashSet::new();
    let batches = plans.into_iter().flatten();
    batches.filter(|batch| seen.insert(batch.clone())).collect()
}

/// Cuts a list whose lengths do not grow, so the first of a batch is its longest.
fn cut(sorted: Vec<MissingContent>, budget: Budget) -> Vec<Vec<MissingContent>> {
    let mut batches: Vec<Vec<MissingContent>> = Vec::new();
    for item in sorted {
        let fits = |batch: &&mut Vec<MissingContent>| {
            let rows = batch.len() + 1;
            let longest = batch.first().map_or(1, |first| first.length) as usize;
            let is_much_shorter = 10 * (item.length as usize) < 9 * longest;
            let is_enough = batch.len() * longest >= budget.enough;
            rows <= budget.rows && rows * longest <= budget.area && !(is_much_shorter && is_enough)
        };
        match batches.last_mut().filter(fits) {
            Some(batch) => batch.push(item),
            None => batches.push(vec![item]),
        }
    }
    batches
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn items(lengths: &[u32]) -> Vec<MissingContent> {
        let item = |(i, length): (usize, &u32)| MissingContent {
            key: Key::of(&[i as u8]),
            source: i as u32,
            length: *length,
            weight: *length,
            lacking: 1,
        };
        lengths.iter().enumerate().map(item).collect()
    }

    const BUDGET: Budget = Budget {
        area: 20,
        rows: 4,
        enough: 20,
    };

    fn lengths(batches: &Batches) -> Vec<Vec<u32>> {
        let of = |batch: &Vec<MissingContent>| batch.iter().map(|item| item.length).collect();
        batches.run.iter().map(of).collect()
    }

    #[test]
    fn batches_keep_to_the_budget_of_tokens_and_of_rows() {
        let batches = Batches::new(items(&[3, 10, 9, 2, 2, 2, 2, 30]), vec![], BUDGET);
        assert_eq!(
            lengths(&batches),
            [vec![30], vec![10, 9], vec![3, 2, 2, 2], vec![2]]
        );
    }

    #[test]
    fn a_batch_that_is_large_enough_is_not_filled_up_with_much_shorter_contents() {
        let budget = Budget {
            area: 100,
            rows: 100,
            enough: 30,
        };
        let batches = Batches::new(items(&[20, 19, 12, 12, 11, 10]), vec![], budget);
        assert_eq!(
            lengths(&batches),
            [vec![20, 19], vec![12, 12, 11], vec![10]]
        );
    }

    #[test]
    fn a_budget_is_changed_in_proportion() {
        let larger = BUDGET.with_area(Some(200));
        assert_eq!((larger.area, larger.rows, larger.enough), (200, 40, 200));
        let smaller = BUDGET.with_area(Some(1));
        assert_eq!((smaller.area, smaller.rows, smaller.enough), (1, 1, 1));
        let batches = Batches::new(items(&[3, 10, 9]), vec![], smaller);
        assert_eq!(lengths(&batches), [vec![10], vec![9], vec![3]]);
        assert_eq!(BUDGET.with_area(None).area, BUDGET.area);
    }

    #[test]
    fn an_unfinished_plan_is_repeated_batch_by_batch() {
        let all = items(&[3, 10, 9, 2]);
        let whole = Batches::new(all.clone(), vec![], BUDGET);
        let done = &whole.run[0];
        let left: Vec<MissingContent> = all
            .into_iter()
            .filter(|item| !done.contains(item))
            .collect();
        let resumed = Batches::new(left, whole.plan.clone(), BUDGET);
        assert_eq!(resumed.run, whole.run[1..]);
        assert_eq!(resumed.plan, whole.plan);
    }

    #[test]
    fn contents_that_came_later_get_batches_of_their_own() {
        let whole = Batches::new(items(&[3, 10]), vec![], BUDGET);
        let grown = Batches::new(items(&[3, 10, 4]), whole.plan.clone(), BUDGET);
        assert_eq!(grown.plan.len(), whole.plan.len() + 1);
        assert_eq!(grown.run[..whole.run.len()], whole.run);
    }

    #[test]
    fn equal_batches_of_two_plans_are_kept_once() {
        let plan = Batches::new(items(&[1, 2, 3, 4, 5]), vec![], BUDGET).plan;
        assert_eq!(merged([plan.clone(), plan.clone()]), plan);
    }
}
