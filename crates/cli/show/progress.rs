//! Progress on standard error: a bar on a terminal, a plain line now and then when piped.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

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
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{prefix:>10} [{bar:30}] {pos}/{len}  {wide_msg}")
                    .expect("the template is a constant");
            ProgressBar::new(total)
                .with_style(style.progress_chars("=> "))
                .with_prefix(name.to_owned())
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
