//! How far an epoch is that takes a while: posts, pictures a second, time to go, memory.

use std::time::{Duration, Instant};

use mmfnd_train::BatchReport;
use mmfnd_train::system_memory::resident;

use super::progress::duration;

/// Shorter epochs are shown by what they gave.
const WORTH_SHOWING: Duration = Duration::from_secs(3);

/// Since when an epoch, and the training, have run.
pub struct BatchProgress {
    started: Instant,
    /// Batches that were done before, in a run that goes on.
    before: Option<usize>,
    epoch: usize,
    epoch_started: Instant,
}

impl BatchProgress {
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            before: None,
            epoch: 0,
            epoch_started: now,
        }
    }

    /// What is shown of a batch; nothing of an epoch that has just begun.
    pub fn message(&mut self, report: &BatchReport) -> Option<String> {
        if report.epoch != self.epoch {
            (self.epoch, self.epoch_started) = (report.epoch, Instant::now());
        }
        let done = (report.epoch - 1) * report.of_batches + report.batches;
        let before = *self.before.get_or_insert(done - 1);
        let in_epoch = self.epoch_started.elapsed();
        (in_epoch >= WORTH_SHOWING).then(|| {
            let left = (report.epochs * report.of_batches - done) as f64;
            let each = self.started.elapsed().as_secs_f64() / (done - before) as f64;
            let to_go = Duration::from_secs_f64(left * each);
            said(report, (in_epoch, to_go), resident())
        })
    }
}

fn said(
    report: &BatchReport,
    (in_epoch, to_go): (Duration, Duration),
    resident: Option<u64>,
) -> String {
    let mut parts = vec![format!(
        "epoch {}: {} of {} posts",
        report.epoch, report.posts, report.of_posts
    )];
    if report.pictures > 0 {
        let rate = report.pictures as f64 / in_epoch.as_secs_f64();
        parts.push(format!("{rate:.1} distinct pictures/s"));
    }
    parts.push(format!("{} to go", duration(to_go)));
    parts.extend(resident.map(|bytes| format!("{:.1} GB of memory", bytes as f64 / 1e9)));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(pictures: usize) -> BatchReport {
        BatchReport {
            epoch: 2,
            epochs: 4,
            batches: 10,
            of_batches: 20,
            posts: 640,
            of_posts: 1_275,
            pictures,
        }
    }

    #[test]
    fn posts_pictures_time_and_memory_are_said() {
        let times = (Duration::from_secs(10), Duration::from_secs(90));
        assert_eq!(
            said(&report(125), times, Some(1_840_000_000)),
            "epoch 2: 640 of 1275 posts, 12.5 distinct pictures/s, 90 s to go, 1.8 GB of memory"
        );
        assert_eq!(
            said(&report(0), times, None),
            "epoch 2: 640 of 1275 posts, 90 s to go"
        );
    }

    #[test]
    fn the_time_to_go_is_that_of_the_batches_that_this_process_did() {
        let hour = Duration::from_secs(3_600);
        let began = Instant::now().checked_sub(hour).expect("an hour ago");
        let mut progress = BatchProgress {
            started: began,
            before: Some(20),
            epoch: 2,
            epoch_started: began,
        };
        // ten batches an hour, fifty are left
        let message = progress.message(&report(0)).expect("it takes long enough");
        assert!(message.contains("5.0 h to go"), "{message}");
        let next = BatchReport {
            epoch: 3,
            ..report(0)
        };
        assert_eq!(progress.message(&next), None);
    }
}
