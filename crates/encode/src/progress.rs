//! How far a stage is, and where its time goes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where time went. Reading and preparing are sums over threads, running and writing are one thread each, and all four
/// overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Reading pictures.
    pub read: Duration,
    /// Tokenising, decoding, resizing.
    pub prepare: Duration,
    /// Inference.
    pub run: Duration,
    /// Writing parts of the store.
    pub write: Duration,
}

/// States of tokens that are going to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenStates {
    /// Distinct texts whose tokens they are.
    pub texts: u64,
    /// Their tokens, as many of each text as are kept.
    pub tokens: u64,
    /// Bytes that they take in the store.
    pub bytes: u64,
}

/// Maps of pictures that are going to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps {
    /// Distinct pictures whose maps they are.
    pub pictures: u64,
    /// Bytes that they take in the store.
    pub bytes: u64,
}

/// State of one stage, given to the callback after every batch.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The encoder's name, or several joined by `+` when they share their pictures.
    pub stage: &'a str,
    /// Contents done in this run.
    pub done: u64,
    /// Contents that were missing when the stage began.
    pub total: u64,
    /// Tokens of texts that were encoded so far.
    pub tokens: u64,
    /// Tokens that were computed for them, padding included.
    pub computed_tokens: u64,
    /// Pictures that were encoded so far.
    pub images: u64,
    /// Since the stage began.
    pub elapsed: Duration,
    /// Where the time went.
    pub times: Times,
    /// The states of tokens that the stage will keep, where it keeps some; known before its first batch.
    pub token_states: Option<TokenStates>,
    /// The maps that the stage will keep, where it keeps some; known before its first batch.
    pub maps: Option<Maps>,
    /// Time to go at the speed so far, by the tokens, pixels or bytes that are left; none before anything is done.
    pub eta: Option<Duration>,
}

impl Progress<'_> {
    /// Real tokens per second, padding not counted.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Pictures per second.
    pub fn images_per_second(&self) -> f64 {
        self.images as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Part of the computed tokens that was padding.
    pub fn padding(&self) -> f64 {
        1.0 - self.tokens as f64 / self.computed_tokens.max(1) as f64
    }
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.computed_tokens > 0 {
            let padding = 100.0 * self.padding();
            write!(
                f,
                "{:.0} tokens/s, {padding:.1} % padding",
                self.tokens_per_second()
            )?;
        } else {
            write!(f, "{:.1} images/s", self.images_per_second())?;
        }
        let Times {
            read,
            prepare,
            run,
            write,
        } = self.times;
        let shares = [read, prepare, run, write].map(|time| time.as_secs_f64());
        let all = shares.iter().sum::<f64>().max(1e-9);
        let [read, prepare, run, write] = shares.map(|share| 100.0 * share / all);
        write!(
            f,
            ", read {read:.0} prepare {prepare:.0} run {run:.0} write {write:.0} %"
        )?;
        match self.eta {
            Some(eta) => write!(f, ", {} s to go", eta.as_secs()),
            None => Ok(()),
        }
    }
}

/// How much of something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    done: u64,
    total: u64,
}

impl Share {
    pub(crate) fn new(done: u64, total: u64) -> Self {
        Self { done, total }
    }

    /// What is left, as a multiple of what is done.
    pub(crate) fn left(self) -> f64 {
        self.total.saturating_sub(self.done) as f64 / self.done.max(1) as f64
    }
}

/// Time to go at the speed so far. Inference costs by the batch's area, whatever the size of a picture was; reading and
/// preparing cost by its pixels. Each counts for as much as it has taken so far.
pub(crate) fn weighted_time_to_go(
    elapsed: Duration,
    times: &Times,
    run: Share,
    prepare: Share,
) -> Option<Duration> {
    if run.done == 0 {
        return None;
    }
    let run_time = times.run.as_secs_f64();
    let prepare_time = (times.read + times.prepare).as_secs_f64();
    let spent = run_time + prepare_time;
    let left = match spent > 0.0 {
        true => (run_time * run.left() + prepare_time * prepare.left()) / spent,
        false => run.left(),
    };
    Some(elapsed.mul_f64(left))
}

/// A sum that several threads add to.
#[derive(Default)]
pub(crate) struct Sum(AtomicU64);

impl Sum {
    pub(crate) fn add(&self, number: u32) {
        self.0.fetch_add(number.into(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Nanoseconds that several threads add to.
#[derive(Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// Runs `work` and adds the time that it took.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.0
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The four clocks of a stage, and the weight of what was made ready.
#[derive(Default)]
pub(crate) struct Clocks {
    pub(crate) read: Clock,
    pub(crate) prepare: Clock,
    pub(crate) run: Clock,
    pub(crate) write: Clock,
    pub(crate) prepared: Sum,
}

impl Clocks {
    pub(crate) fn times(&self) -> Times {
        Times {
            read: self.read.get(),
            prepare: self.prepare.get(),
            run: self.run.get(),
            write: self.write.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(read: u64, prepare: u64, run: u64) -> Times {
        let [read, prepare, run] = [read, prepare, run].map(Duration::from_secs);
        let write = Duration::ZERO;
        Times {
            read,
            prepare,
            run,
            write,
        }
    }

    #[test]
    fn time_to_go_counts_pixels_where_preparing_takes_the_time_and_pictures_where_inference_does() {
        // Half of the pictures are done, with a tenth of all pixels.
        let (pictures, pixels) = (Share::new(10, 20), Share::new(1_000, 10_000));
        let to_go = |times| weighted_time_to_go(Duration::from_secs(10), &times, pictures, pixels);
        let found = [seconds(4, 6, 0), seconds(0, 0, 10), seconds(1, 4, 5)].map(to_go);
        assert_eq!(
            found,
            [90, 10, 50].map(|left| Some(Duration::from_secs(left)))
        );
    }

    #[test]
    fn time_to_go_is_unknown_before_the_first_batch_and_nothing_after_the_last() {
        let elapsed = Duration::from_secs(10);
        let to_go = |done| {
            let share = Share::new(done, 20);
            weighted_time_to_go(elapsed, &seconds(1, 1, 1), share, share)
        };
        assert_eq!((to_go(0), to_go(20)), (None, Some(Duration::ZERO)));
    }

    #[test]
    fn padding_is_the_share_of_computed_tokens_that_are_not_real() {
        let progress = Progress {
            stage: "bert",
            done: 1,
            total: 2,
            tokens: 75,
            computed_tokens: 100,
            images: 0,
            elapsed: Duration::from_secs(1),
            times: Times::default(),
            token_states: None,
            maps: None,
            eta: None,
        };
        assert!((progress.padding() - 0.25).abs() < 1e-9);
        assert!(
            progress
                .to_string()
                .starts_with("75 tokens/s, 25.0 % padding")
        );
    }
}
