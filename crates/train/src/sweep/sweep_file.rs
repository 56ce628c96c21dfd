//! `sweep.json`: what a sweep is of. More values and more seeds may be added to it later, anything else makes it
//! another sweep.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use mmfnd_features::EncoderSpec;
use mmfnd_posts::atomic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::RECORDS;
use super::setup::{RUNS, Sweep};
use crate::config::{Config, leaves};
use crate::data::fingerprint;
use crate::{Device, Error};

const FILE: &str = "sweep.json";

/// An axis as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxisInfo {
    /// Such as `head.experts`.
    pub key: String,
    /// What it was set to.
    pub values: Vec<Value>,
}

/// What `sweep.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepInfo {
    format: u32,
    version: String,
    commit: Option<String>,
    device: Device,
    best_test: bool,
    axes: Vec<AxisInfo>,
    seeds: Vec<u64>,
    config: BTreeMap<String, Value>,
    store: String,
    posts: String,
    encoders: Vec<EncoderSpec>,
    #[serde(default)]
    encoding_seconds: BTreeMap<String, f64>,
}

impl SweepInfo {
    /// Of a sweep as it is asked for.
    pub fn of(sweep: &Sweep) -> Self {
        let (grid, options) = (sweep.grid, sweep.options);
        let axes = grid.axes.iter().map(|axis| AxisInfo {
            key: axis.key.clone(),
            values: axis.values.iter().map(json).collect(),
        });
        let varies =
            |key: &str| key == "train.seed" || grid.axes.iter().any(|axis| axis.key == key);
        let leaves = leaves(&grid.base).into_iter();
        Self {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: options.commit.clone(),
            device: options.device,
            best_test: options.best_test,
            axes: axes.collect(),
            seeds: sweep.seeds(),
            config: leaves
                .filter(|(key, _)| !varies(key))
                .map(|(key, value)| (key, json(&value)))
                .collect(),
            store: options.store.clone(),
            posts: fingerprint(sweep.posts, sweep.features),
            encoders: sweep.features.specs.clone(),
            encoding_seconds: sweep.features.encoding_seconds.clone(),
        }
    }

    /// A folder that has no `sweep.json` may have nothing in it but what a sweep begins with.
    pub fn refuse_anything_else(folder: &Path) -> Result<(), Error> {
        if !folder.exists() {
            return Ok(());
        }
        if folder.join(FILE).exists() {
            return read(&folder.join(FILE)).map(|_| ());
        }
        let failed = |source| mmfnd_posts::Error::Read {
            path: folder.to_owned(),
            source,
        };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            if ![RUNS, RECORDS].contains(&&*name) && !name.ends_with(".tmp") {
                return Err(Error::Run {
                    path: folder.to_owned(),
                    problem: format!(
                        "holds no sweep, and is not empty: it has `{name}`; use another `--out`"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Writes it, unless the folder holds another sweep.
    pub fn write_or_check(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        if path.exists() {
            let before = read(&path)?;
            // numbers are compared as they are read back
            let now =
                serde_json::to_string(self).and_then(|text| serde_json::from_str::<Self>(&text));
            if let Some(difference) = now.expect("what was just written").difference(&before) {
                return Err(Error::Run {
                    path: folder.to_owned(),
                    problem: format!(
                        "holds another sweep: {difference}; use another `--out`, or undo the change"
                    ),
                });
            }
        }
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain values");
        bytes.push(b'\n');
        Ok(atomic::write(&path, |file| file.write_all(&bytes))?)
    }

    /// What makes its finished runs useless for this one.
    fn difference(&self, before: &Self) -> Option<String> {
        let keys = |info: &Self| {
            info.axes
                .iter()
                .map(|axis| axis.key.clone())
                .collect::<Vec<_>>()
        };
        let show = |keys: Vec<String>| {
            if keys.is_empty() {
                "none".to_owned()
            } else {
                keys.join(", ")
            }
        };
        if keys(self) != keys(before) {
            return Some(format!(
                "its axes were {}, now {}",
                show(keys(before)),
                show(keys(self))
            ));
        }
        let was = before.config_as_read_now();
        let all = self.config.keys().chain(before.config.keys());
        let mut changed = all.filter(|key| self.config.get(*key) != was.get(*key));
        if let Some(key) = changed.next() {
            let [was, is] = [before, self].map(|info| {
                info.config
                    .get(key)
                    .map_or("not an option".to_owned(), Value::to_string)
            });
            return Some(format!("`{key}` was {was}, now {is}"));
        }
        let changed = [
            (
                format!("its device was {}, now {}", before.device, self.device),
                before.device != self.device,
            ),
            (
                "`--no-best-test` was given only once".to_owned(),
                before.best_test != self.best_test,
            ),
            ("the posts changed".to_owned(), before.posts != self.posts),
            (
                "the encoders of the store changed".to_owned(),
                self.has_other_encoders(before),
            ),
        ];
        let found = changed.into_iter().find(|(_, changed)| *changed);
        found.map(|(what, _)| what)
    }
}

impl SweepInfo {
    /// Its configuration, with what a version since then has added as options: unset they do what was done before.
    fn config_as_read_now(&self) -> BTreeMap<String, Value> {
        let settings = self.config.iter();
        let settings: Vec<_> = settings
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let Ok(config) = Config::read(None, &settings) else {
            return self.config.clone(); // it says something that is not read any more
        };
        // as they are read back
        let value = |value| serde_json::from_str(&json(&value).to_string()).expect("just written");
        let leaves = leaves(&config).into_iter();
        let mut all: BTreeMap<_, _> = leaves.map(|(key, of)| (key, value(of))).collect();
        all.extend(self.config.clone());
        all
    }

    /// More encoders may be read than before, as a new value of an axis may need them.
    fn has_other_encoders(&self, before: &Self) -> bool {
        let mut pairs = before
            .encoders
            .iter()
            .flat_map(|was| self.encoders.iter().map(move |is| (was, is)));
        pairs.any(|(was, is)| was.name == is.name && was != is)
    }
}

fn json(value: &toml::Value) -> Value {
    serde_json::to_value(value).expect("a plain value")
}

fn read(path: &Path) -> Result<SweepInfo, Error> {
    let text = fs::read_to_string(path).map_err(|source| mmfnd_posts::Error::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Error::Run {
        path: path.to_owned(),
        problem: format!("is damaged: {error}; use another `--out`"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refuse = || SweepInfo::refuse_anything_else(folder.path());
        fs::create_dir(folder.path().join(RUNS)).unwrap();
        fs::write(folder.path().join(RECORDS), "").unwrap();
        refuse().unwrap(); // as a kill leaves it
        fs::write(folder.path().join("store.json"), "{}").unwrap();
        let error = refuse().unwrap_err().to_string();
        assert!(error.contains("it has `store.json`"), "{error}");
        fs::write(folder.path().join(FILE), "{}").unwrap();
        assert!(refuse().unwrap_err().to_string().contains("sweep.json"));
    }

    /// Of a sweep of the paper's head, of these options.
    fn info(config: BTreeMap<String, Value>) -> SweepInfo {
        SweepInfo {
            format: 1,
            version: "1".into(),
            commit: None,
            device: Device::Flex,
            best_test: true,
            axes: Vec::new(),
            seeds: vec![1],
            config,
            store: "s".into(),
            posts: "p".into(),
            encoders: Vec::new(),
            encoding_seconds: BTreeMap::new(),
        }
    }

    #[test]
    fn an_option_that_a_later_version_has_makes_no_other_sweep_unless_it_is_set() {
        let leaves = leaves(&Config::default()).into_iter();
        let now: BTreeMap<_, _> = leaves.map(|(key, value)| (key, json(&value))).collect();
        let mut before = now.clone();
        before.remove("train.accumulate").unwrap();
        let (now, before) = (info(now), info(before));
        assert_eq!(now.difference(&before), None);
        let mut set = now.config.clone();
        set.insert("train.accumulate".into(), 4.into());
        let difference = info(set).difference(&before).unwrap();
        assert_eq!(difference, "`train.accumulate` was not an option, now 4");
        // one that is gone cannot be done again
        assert!(before.difference(&now).is_some());
    }

    #[test]
    fn sections_and_heads_of_any_kind_are_read_as_they_were_written() {
        let settings = ["head.kind=eann", "resnet.unfreeze=fc", "train.lr=1e-5"];
        let config = Config::read(None, &settings.map(str::to_owned)).unwrap();
        let leaves = leaves(&config).into_iter();
        let now: BTreeMap<_, _> = leaves.map(|(key, value)| (key, json(&value))).collect();
        let mut before = now.clone();
        before.remove("resnet.smallest_part").unwrap();
        assert_eq!(info(now).difference(&info(before)), None);
    }
}
