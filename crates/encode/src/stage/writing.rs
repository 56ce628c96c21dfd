//! The writing thread: gathers rows into parts of a bearable size and age.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mmfnd_features::{EncoderWriter, Key};

use crate::error::Error;
use crate::progress::Clock;

/// When gathered rows are written. A part holds whole batches, so that a batch is in the store or it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteWhen {
    /// Most bytes (as float32) that are gathered.
    pub(crate) bytes: usize,
    /// The longest that a row waits: what a kill can lose.
    pub(crate) every: Duration,
}

/// One batch of one encoder.
pub(crate) struct Rows {
    /// Number of the writer within its stage.
    pub(crate) encoder: usize,
    pub(crate) keys: Vec<Key>,
    /// How many tokens each has, where rows are ragged.
    pub(crate) tokens: Vec<u32>,
    /// Row by row.
    pub(crate) values: Vec<f32>,
}

/// What waits to be written for one encoder.
#[derive(Default)]
struct Waiting {
    keys: Vec<Key>,
    tokens: Vec<u32>,
    values: Vec<f32>,
    since: Option<Instant>,
    /// Up to when time was counted.
    counted: Option<Instant>,
}

impl Waiting {
    fn add(&mut self, rows: Rows) {
        self.keys.extend(rows.keys);
        self.tokens.extend(rows.tokens);
        self.values.extend(rows.values);
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self, when: WriteWhen) -> bool {
        let bytes = size_of_val(self.values.as_slice());
        bytes >= when.bytes
            || self
                .since
                .is_some_and(|since| since.elapsed() >= when.every)
    }

    /// Of the time that went by since `begin`, or since the last part, the encoder has its share.
    fn write(
        &mut self,
        writer: &mut EncoderWriter,
        (begin, encoders): (Instant, u32),
        clock: &Clock,
    ) -> Result<(), Error> {
        if !self.keys.is_empty() {
            let now = Instant::now();
            let before = self.counted.replace(now).unwrap_or(begin);
            writer.spent((now - before) / encoders);
            clock.time(|| writer.append_ragged(&self.keys, &self.tokens, &self.values))?;
        }
        self.keys.clear();
        self.tokens.clear();
        self.values.clear();
        self.since = None;
        Ok(())
    }
}

/// Writes until the sender is gone; then writes what is left.
pub(crate) fn write(
    rows: &Receiver<Rows>,
    writers: &mut [EncoderWriter],
    when: WriteWhen,
    clock: &Clock,
) -> Result<(), Error> {
    let begin = Instant::now();
    let mut is_busy = vec![false; writers.len()];
    let mut waiting_rows: Vec<Waiting> = writers.iter().map(|_| Waiting::default()).collect();
    loop {
        let oldest = waiting_rows
            .iter()
            .filter_map(|waiting| waiting.since)
            .min();
        let wait = oldest.map_or(when.every, |since| {
            when.every.saturating_sub(since.elapsed())
        });
        let is_over = match rows.recv_timeout(wait) {
            Ok(rows) => {
                is_busy[rows.encoder] = true;
                waiting_rows[rows.encoder].add(rows);
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        let encoders = is_busy.iter().map(|&is_busy| u32::from(is_busy)).sum();
        for (waiting, writer) in waiting_rows.iter_mut().zip(writers.iter_mut()) {
            if is_over || waiting.is_due(when) {
                waiting.write(writer, (begin, encoders), clock)?;
            }
        }
        if is_over {
            return Ok(());
        }
    }
}
