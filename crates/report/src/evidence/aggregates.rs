//! What the classifiers of a few heads read, where it was kept.

use crate::runs::{Group, Problem, Vectors};

/// Heads side by side in figure 6.
const HEADS: usize = 2;

/// The whole head and the one without P, where `mmfnd predict --with-aggregate` kept their vectors; else what else has
/// some.
pub(super) fn aggregates<'a>(
    groups: &[&'a Group],
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Group, Vectors)> {
    let rank = |group: &&Group| match (group.is_mmfnd(), group.ablation().as_str()) {
        (true, "" | "none") => 0,
        (true, "without-p") => 1,
        _ => 2,
    };
    let mut groups = groups.to_vec();
    groups.sort_by_key(rank);
    let mut found: Vec<(&Group, Vectors)> = Vec::new();
    for group in groups {
        let is_seen = found
            .iter()
            .any(|(other, _)| rank(other) == rank(&group) && rank(&group) < 2);
        if found.len() == HEADS || is_seen {
            continue;
        }
        for run in &group.runs {
            match run.vectors() {
                Ok(None) => continue,
                Ok(Some(vectors)) => found.push((group, vectors)),
                Err(problem) => problems.push(problem),
            }
            break;
        }
    }
    found
}
