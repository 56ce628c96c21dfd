//! Progress on standard error: a bar on a terminal, a plain line now and then when piped.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::note::note;

/// The longest that a piped run stays silent.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// One piece of work with a known size.
pub struct Stage {
    name: String,
    started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Stage {
    /// Starts a stage of `total` steps.
    pub fn start(name: &str, total: u64) -> Self {
        Self::start_among(name, total, &MultiProgress::new())
    }

    /// Starts a stage whose bar stands among others.
    pub fn start_among(name: &str, total: u64, lines: &MultiProgress) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{prefix:>10} [{bar:30}] {pos}/{len}  {wide_msg}")
                    .expect("the template is a constant");
            let bar = ProgressBar::new(total)
                .with_style(style.progress_chars("=> "))
                .with_prefix(name.to_owned());
            lines.add(bar)
        });
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            started: now,
            last_line: now,
            bar,
        }
    }

    /// Says how far the stage is; `message` is shown behind the count.
    pub fn update(&mut self, done: u64, total: u64, message: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                note(format_args!("{:>10}  {done}/{total}  {message}", self.name));
            }
            None => {}
        }
    }

    /// Says something that stays.
    pub fn line(&self, message: &str) {
        let line = format!("{:>10}  {message}", self.name);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => note(line),
        }
    }

    /// Ends the stage with one line that stays.
    pub fn finish(self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        note(format_args!(
            "{:>10}  {message} ({seconds:.1} s)",
            self.name
        ));
    }
}

/// A time as one would say it.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_in_the_unit_that_one_would_say() {
        let shown = [5, 99, 100, 3600, 7200].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5 s", "99 s", "2 min", "60 min", "2.0 h"]);
    }
}
