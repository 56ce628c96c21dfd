//! Batches of features in the order in which they are wanted. What lies on the disk is read by a thread of its own while the steps before it are computed, so that training
//! on a store that does not fit into memory takes the same batches, in the same order, and about the same time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use burn::tensor::{Device, Tensor, TensorData};
use mmfnd_features::{Column, Error};
use rayon::prelude::*;

use crate::batch::Dataset;
use crate::heads::Inputs;

/// Batches that may wait for their step: enough to bridge a slow read, little memory.
const WAITING: usize = 8;

/// Values of some posts, `[B, width]`, of each encoder that is read.
type Gathered = [Option<Vec<f32>>; 4];

/// The batches to come.
pub(crate) struct Ahead<'a> {
    dataset: &'a Dataset<'a>,
    batches: std::vec::IntoIter<Vec<usize>>,
    /// What was read from the disk; none when all features are in memory.
    read: Option<Receiver<Result<Gathered, Error>>>,
}

impl<'a> Ahead<'a> {
    /// `batches` are rows of posts that have all features.
    pub(crate) fn new(dataset: &'a Dataset<'a>, batches: Vec<Vec<usize>>) -> Self {
        let columns = dataset.columns();
        let on_disk = columns.map(|column| column.filter(|column| column.is_on_disk()));
        let read = on_disk.iter().any(Option::is_some).then(|| {
            let (sender, receiver) = sync_channel(WAITING);
            // Cheap clones: their values stay where they are.
            let (columns, batches) = (on_disk.map(Option::<&Column>::cloned), batches.clone());
            std::thread::spawn(move || read_all(&columns, &batches, &sender));
            receiver
        });
        Self {
            dataset,
            batches: batches.into_iter(),
            read,
        }
    }

    /// Features of the next batch.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn next(&mut self, device: &Device) -> Result<Inputs, Error> {
        let rows = self
            .batches
            .next()
            .expect("no more batches are taken than were asked for");
        let mut values = match &self.read {
            Some(read) => read.recv().expect("the thread reads every batch")?,
            None => Gathered::default(),
        };
        for (values, column) in values.iter_mut().zip(self.dataset.columns()) {
            if let (None, Some(column)) = (&values, column) {
                *values = Some(gather(column, &rows));
            }
        }
        Ok(self.inputs(values, rows.len(), device))
    }

    fn inputs(&self, values: Gathered, rows: usize, device: &Device) -> Inputs {
        let [bert, clip_text, clip_image, resnet] = values;
        let matrix = |values: Vec<f32>| {
            let width = values.len() / rows;
            Tensor::from_data(TensorData::new(values, [rows, width]), device)
        };
        let layers = self.dataset.columns()[0].map_or(1, |bert| bert.shape[0]);
        let stack = |values: Vec<f32>| {
            let width = values.len() / rows / layers;
            Tensor::from_data(TensorData::new(values, [rows, layers, width]), device)
        };
        Inputs {
            bert: bert.map(stack),
            resnet: resnet.map(matrix),
            clip_text: clip_text.map(matrix),
            clip_image: clip_image.map(matrix),
        }
    }
}

/// Reads batch after batch; stops after an error, and when nobody waits any more.
fn read_all(
    columns: &[Option<Column>; 4],
    batches: &[Vec<usize>],
    sender: &SyncSender<Result<Gathered, Error>>,
) {
    for rows in batches {
        let read = read(columns, rows);
        let is_over = read.is_err();
        if sender.send(read).is_err() || is_over {
            return;
        }
    }
}

/// One after the other: all other threads are busy with the step.
fn read(columns: &[Option<Column>; 4], rows: &[usize]) -> Result<Gathered, Error> {
    let mut values = Gathered::default();
    for (values, column) in values.iter_mut().zip(columns) {
        let Some(column) = column else { continue };
        let width = column.width();
        let values = values.insert(vec![0.0; rows.len() * width]);
        for (target, &row) in values.chunks_exact_mut(width).zip(rows) {
            column.read_row(row, target)?;
        }
    }
    Ok(values)
}

/// Copies values that are in memory.
fn gather(column: &Column, rows: &[usize]) -> Vec<f32> {
    let width = column.width();
    let mut values = vec![0.0; rows.len() * width];
    let targets = values.par_chunks_exact_mut(width).zip(rows);
    targets.for_each(|(target, &row)| {
        let there = column.copy_row(row, target);
        debug_assert!(there, "row {row} has no features");
    });
    values
}
