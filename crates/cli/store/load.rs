//! Features of posts from a store, as many of them in memory as a budget allows.

use mmfnd_features::{Features, Store};
use mmfnd_posts::Post;

use crate::show::note::note;

/// Features of posts, at most `budget` megabytes of them in memory; names those that stay on the disk.
pub(crate) fn load(
    store: &Store,
    posts: &[Post],
    encoders: &[&str],
    budget: Option<u64>,
) -> anyhow::Result<Features> {
    let budget = budget.map_or(u64::MAX, |megabytes| megabytes.saturating_mul(1_000_000));
    let features = Features::load_within(store, posts, encoders, budget)?;
    let columns = features.specs.iter().zip(&features.columns);
    let on_disk = columns.filter(|(_, column)| column.is_on_disk());
    let names: Vec<&str> = on_disk.map(|(spec, _)| spec.name.as_str()).collect();
    if !names.is_empty() {
        note(format_args!(
            "{:>10}  {} read from the store as needed: more than the memory budget",
            "features",
            names.join(", ")
        ));
    }
    Ok(features)
}
