//! Checkpoints: everything that an interrupted training needs to end where the uninterrupted one would.
//!
//! `last.safetensors` holds the weights (`weight.NAME`), AdamW's moments (`moment1.PATH`, `moment2.PATH`) and, as its
//! metadata, where the training stood. It names the file of the best weights, which is written before it and never
//! changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::state::{Best, State};
use crate::Error;
use crate::heads::Memory;
use crate::optim::SavedMoments;
use crate::weights::file::{problem, read, write};
use crate::weights::{self, Stored, Weights};

const LAST: &str = "last.safetensors";
const MEMORY: &str = "memory.";

/// Where a training stood.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    epoch: usize,
    step: u64,
    optimizer_steps: BTreeMap<String, u64>,
    best: Option<BestPosition>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct BestPosition {
    epoch: usize,
    #[serde(with = "exact")]
    accuracy: f64,
    #[serde(with = "exact")]
    loss: f64,
}

/// Numbers as text: as JSON numbers they are not read back to the last bit, and an epoch could be taken for better than
/// its equal.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Writes a checkpoint over the last one.
pub(crate) fn save<H: Module>(folder: &Path, state: &State<H>) -> Result<(), Error> {
    if let Some(best) = &state.best {
        let path = best_path(folder, best.epoch);
        if !path.exists() {
            write(&path, weights::stored(&best.head), None)?;
        }
    }
    let weights = weights::stored(&state.head).into_iter();
    let mut all: Vec<_> = weights
        .map(|(name, weight)| (format!("weight.{name}"), weight))
        .collect();
    let mut optimizer_steps = BTreeMap::new();
    for (path, steps, moments) in state.optimizer.state() {
        for (name, moment) in ["moment1", "moment2"].iter().zip(moments) {
            all.push((format!("{name}.{path}"), moment));
        }
        optimizer_steps.insert(path.to_owned(), steps);
    }
    let memory = state.memory.iter();
    all.extend(memory.map(|(name, values)| (format!("{MEMORY}{name}"), Stored::row(values))));
    let position = Position {
        epoch: state.epoch,
        step: state.step,
        optimizer_steps,
        best: state.best.as_ref().map(|best| BestPosition {
            epoch: best.epoch,
            accuracy: best.accuracy,
            loss: best.loss,
        }),
    };
    let about = serde_json::to_string(&position).expect("plain values");
    write(&folder.join(LAST), all, Some(about))?;
    remove_old_best(folder, state.best.as_ref().map(|best| best.epoch));
    Ok(())
}

/// The last checkpoint, if there is one; `fresh` is a new state of the same head.
pub(crate) fn load<H: Module>(
    folder: &Path,
    fresh: State<H>,
    device: &Device,
) -> Result<State<H>, Error> {
    let path = folder.join(LAST);
    if !path.exists() {
        return Ok(fresh);
    }
    let (mut all, about) = read(&path)?;
    let position: Position = about.and_then(|about| serde_json::from_str(&about).ok()).ok_or_else(|| Error::Run {
        path: path.clone(),
        problem: "is damaged: it does not say where the training stood; train again with `--overwrite`".into(),
    })?;
    let mut state = BTreeMap::new();
    for (name, steps) in position.optimizer_steps {
        let mut take = |kind: &str| {
            all.remove(&format!("{kind}.{name}"))
                .map(|weight| weight.values)
        };
        let (Some(first), Some(second)) = (take("moment1"), take("moment2")) else {
            return Err(problem(
                &path,
                crate::WeightsProblem::Missing(format!("moment1.{name}")),
            ));
        };
        state.insert(
            name,
            SavedMoments {
                steps,
                values: [first, second],
            },
        );
    }
    let is_memory = |name: &String| name.starts_with(MEMORY);
    let (memory, all): (Weights, Weights) = all.into_iter().partition(|(name, _)| is_memory(name));
    let memory = memory
        .into_iter()
        .map(|(name, weight)| (name[MEMORY.len()..].to_owned(), weight.values));
    let weights = all.into_iter().map(|(name, weight)| {
        let name = name.strip_prefix("weight.").unwrap_or(&name).to_owned();
        (name, weight)
    });
    let inference = fresh.head.valid();
    let head = weights::load(fresh.head, &weights.collect());
    Ok(State {
        head: head.map_err(|error| problem(&path, error))?,
        optimizer: fresh.optimizer.with_state(state, device),
        memory: Memory::of(memory),
        epoch: position.epoch,
        step: position.step,
        best: position
            .best
            .map(|best| load_best(folder, best, inference))
            .transpose()?,
    })
}

fn load_best<H: Module>(folder: &Path, best: BestPosition, head: H) -> Result<Best<H>, Error> {
    let path = best_path(folder, best.epoch);
    let (weights, _) = read(&path)?;
    Ok(Best {
        epoch: best.epoch,
        accuracy: best.accuracy,
        loss: best.loss,
        head: weights::load(head, &weights).map_err(|error| problem(&path, error))?,
    })
}

fn best_path(folder: &Path, epoch: usize) -> PathBuf {
    folder.join(format!("best-{epoch}.safetensors"))
}

/// Best weights of earlier checkpoints; what cannot be removed is removed with the folder.
fn remove_old_best(folder: &Path, keep: Option<usize>) {
    let keep = keep.map(|epoch| best_path(folder, epoch));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_best = entry.file_name().to_string_lossy().starts_with("best-");
        if is_best && Some(entry.path()) != keep {
            let _ = fs::remove_file(entry.path());
        }
    }
}
