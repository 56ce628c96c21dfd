//! How many threads, and runs side by side, a command may be asked for: what no machine of this size can use is
//! refused, instead of being started.

use std::num::NonZero;

/// The most that is started whatever the machine: a slow disk can keep more threads waiting than there are cores.
const ALWAYS: usize = 64;

/// A number of threads, 0 for one on each core.
pub fn threads(text: &str) -> Result<usize, String> {
    number(text, (0, " (one for each core)"))
}

/// A number of runs side by side.
pub fn jobs(text: &str) -> Result<usize, String> {
    number(text, (1, ""))
}

fn number(text: &str, (least, meaning): (usize, &str)) -> Result<usize, String> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let most = most(cores);
    let number = text.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("a number from {least}{meaning} to {most}; cores here: {cores}"))
}

/// Four for each core, where there are many.
fn most(cores: usize) -> usize {
    ALWAYS.max(4 * cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_machines_may_have_more_than_small_ones() {
        assert_eq!([1, 2, 16, 96].map(most), [64, 64, 64, 384]);
    }

    #[test]
    fn what_no_machine_can_use_is_refused() {
        assert_eq!([threads("0"), threads("64")], [Ok(0), Ok(64)]);
        assert_eq!(jobs("64"), Ok(64));
        let refused = [
            threads("2000000"),
            threads("-1"),
            jobs("0"),
            jobs("2000000"),
        ];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
    }
}
