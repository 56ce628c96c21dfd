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
    /// Time to go at the speed so far; none before anything is done.
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

/// The four clocks of a stage.
#[derive(Default)]
pub(crate) struct Clocks {
    pub(crate) read: Clock,
    pub(crate) prepare: Clock,
    pub(crate) run: Clock,
    pub(crate) write: Clock,
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
