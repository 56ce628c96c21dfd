//! Looks for runs and sweeps in folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, Axis, Problem, Record, SweepFile};
use super::group::{Group, Origin, Run};
use crate::Error;

/// How deep below a named folder runs are looked for: `demo/runs/mmfnd`, `all/demo/runs/mmfnd`.
const DEPTH: usize = 4;

/// How far a sweep is.
#[derive(Clone, Debug)]
pub struct SweepState {
    /// Its folder.
    pub path: PathBuf,
    /// What varies.
    pub axes: Vec<Axis>,
    /// Seeds of each point.
    pub seeds: usize,
    /// Runs that were asked for.
    pub runs: usize,
    /// Of them finished.
    pub finished: usize,
    /// Of them failed.
    pub failed: usize,
}

/// What the folders hold.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs that differ in the seed alone.
    pub groups: Vec<Group>,
    /// The sweeps.
    pub sweeps: Vec<SweepState>,
    /// What was left out, and why.
    pub problems: Vec<Problem>,
    /// Folders that were looked at; two that are named may lie in one another.
    seen: BTreeSet<PathBuf>,
}

/// All runs and sweeps in these folders and below them.
pub fn find(folders: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    for folder in folders {
        let canonical = fs::canonicalize(folder);
        let canonical = canonical.and_then(|path| fs::read_dir(&path).map(|_| path));
        canonical.map_err(|source| Error::Folder {
            path: folder.clone(),
            source,
        })?;
        found.look(folder, DEPTH);
    }
    found.groups = Group::named(found.groups);
    if found.groups.is_empty() {
        let places: Vec<_> = (folders.iter())
            .map(|folder| format!("`{}`", folder.display()))
            .collect();
        let left_out = (found.problems.iter())
            .map(|problem| format!("\n  `{}` {}", problem.place, problem.what))
            .collect();
        return Err(Error::NoRuns {
            places: places.join(", "),
            left_out,
        });
    }
    Ok(found)
}

impl Found {
    fn look(&mut self, folder: &Path, depth: usize) {
        let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        if !self.seen.insert(place) {
            return;
        }
        if folder.join("sweep.json").exists() {
            if let Err(problem) = self.sweep(folder) {
                self.problems.push(problem);
            }
        } else if ["run.json", "config.toml", "metrics.json"]
            .iter()
            .any(|name| folder.join(name).exists())
        {
            match run(folder) {
                Ok((origin, run)) => self.add(origin, run),
                Err(problem) => self.problems.push(problem),
            }
        } else if depth > 0 {
            for folder in folders_in(folder) {
                self.look(&folder, depth - 1);
            }
        }
    }

    fn sweep(&mut self, folder: &Path) -> Result<(), Problem> {
        let sweep = files::sweep(folder)?;
        let records = files::records(folder)?;
        let points: usize = sweep.axes.iter().map(|axis| axis.values.len()).product();
        let finished = records.iter().filter(|record| record.status == "finished");
        let finished = finished.count();
        let failed = records.len() - finished;
        let runs = (points * sweep.seeds.len()).max(records.len());
        for record in records {
            if let Some(error) = &record.error {
                let place = folder.join("runs").join(&record.run);
                self.problems
                    .push(Problem::new(&place, format!("failed: {error}")));
            } else if let Some((origin, run)) = run_of(folder, &sweep, record) {
                self.add(origin, run);
            }
        }
        if finished + failed < runs {
            let what = format!(
                "is not finished: {finished} of {runs} runs; the same command goes on with it"
            );
            self.problems.push(Problem::new(folder, what));
        }
        self.sweeps.push(SweepState {
            path: folder.to_owned(),
            axes: sweep.axes,
            seeds: sweep.seeds.len(),
            runs,
            finished,
            failed,
        });
        Ok(())
    }

    /// Of two runs that differ in nothing, as in a sweep and an ablation over the same head, the first one counts.
    fn add(&mut self, origin: Origin, run: Run) {
        match self.groups.iter_mut().find(|group| group.origin == origin) {
            Some(group) if group.runs.iter().any(|other| other.seed == run.seed) => {}
            Some(group) => group.runs.push(run),
            None => self.groups.push(Group::new(origin, run)),
        }
    }
}

/// The folders in a folder, by name.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut folders: Vec<_> = entries
        .filter(is_folder)
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

fn run(folder: &Path) -> Result<(Origin, Run), Problem> {
    if !folder.join("metrics.json").exists() {
        let what = "is not finished: it has no `metrics.json`; `mmfnd train --resume` ends it";
        return Err(Problem::new(folder, what));
    }
    let (info, metrics) = (files::run_info(folder)?, files::run_metrics(folder)?);
    let Some(test) = metrics.test else {
        let what = "has no labelled test post, so there is nothing to report";
        return Err(Problem::new(folder, what));
    };
    let run = Run {
        path: folder.to_owned(),
        seed: info.seed,
        selection: metrics.selection,
        validation: metrics.validation,
        test,
        best_test: metrics.best_test.map(|best| best.metrics),
        seconds: None,
        collapsed: Vec::new(),
    };
    let origin = Origin {
        posts: info.posts,
        store: info.store,
        version: info.version,
        commit: info.commit,
        device: info.device,
        with_ocr: info.with_ocr == Some(true),
        config: without_seed(files::config(folder)?),
        encoders: info.encoders,
        encoding_seconds: info.encoding_seconds,
        sweep: None,
    };
    Ok((origin, run))
}

/// A finished run of a sweep, from its line alone: two thousand folders are not opened.
fn run_of(folder: &Path, sweep: &SweepFile, record: Record) -> Option<(Origin, Run)> {
    let run = Run {
        path: folder.join("runs").join(&record.run),
        seed: record.seed,
        selection: record.selection?,
        validation: record.validation,
        test: record.test?,
        best_test: record.best_test.map(|best| best.metrics),
        seconds: Some(record.seconds),
        collapsed: record.collapsed,
    };
    let mut config = sweep.config.clone();
    config.extend(record.point);
    let origin = Origin {
        posts: sweep.posts.clone(),
        store: sweep.store.clone(),
        version: sweep.version.clone(),
        commit: sweep.commit.clone(),
        device: sweep.device.clone(),
        with_ocr: false,
        config: without_seed(config),
        encoders: sweep.encoders.clone(),
        encoding_seconds: sweep.encoding_seconds.clone(),
        sweep: Some(folder.to_owned()),
    };
    Some((origin, run))
}

fn without_seed(mut config: files::Config) -> files::Config {
    config.remove("train.seed");
    config.remove("train.checkpoint_every");
    config
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const METRICS: &str = r#"{"n":4,"accuracy":0.75,"loss":0.5,"fake":{"precision":1,"recall":0.5,"f1":0.67},
        "real":{"precision":0.67,"recall":1,"f1":0.8},"confusion":[[2,0],[1,1]],"macro_f1":0.73,"auroc":0.9}"#;

    fn write_run(folder: &Path, seed: u64, format: u32) {
        fs::create_dir_all(folder).unwrap();
        let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        let info = r#""version":"0.1.0","commit":null,"device":"flex","store":"s","posts":"p","encoders":[]"#;
        write(
            "run.json",
            format!("{{\"format\":{format},\"seed\":{seed},{info}}}"),
        );
        write(
            "config.toml",
            format!("[head]\nkind = \"mmfnd\"\n[train]\nseed = {seed}\n"),
        );
        let selection = r#"{"epoch":1,"epochs":1,"by":"validation","optimistic":false}"#;
        let metrics = METRICS.replace('\n', " ");
        write(
            "metrics.json",
            format!("{{\"selection\":{selection},\"validation\":null,\"test\":{metrics}}}"),
        );
    }

    #[test]
    fn runs_that_differ_in_the_seed_alone_are_one_group() {
        let folder = tempfile::tempdir().unwrap();
        write_run(&folder.path().join("deep/one"), 1, 1);
        write_run(&folder.path().join("two"), 2, 1);
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!((found.groups.len(), found.problems.len()), (1, 0));
        let seeds: Vec<_> = found.groups[0].runs.iter().map(|run| run.seed).collect();
        assert_eq!(
            (found.groups[0].name.as_str(), seeds),
            ("MMFND", vec![1, 2])
        );
    }

    #[test]
    fn what_is_unfinished_damaged_or_newer_is_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (seed, name) in ["a-good", "b-unfinished", "c-damaged"].iter().enumerate() {
            write_run(&at(name), seed as u64, 1);
        }
        write_run(&at("d-newer"), 9, 2);
        fs::remove_file(at("b-unfinished/metrics.json")).unwrap();
        fs::write(at("c-damaged/metrics.json"), "{\"selection\":").unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found.groups.len(), 1);
        let expected = [
            ("b-unfinished", "--resume"),
            ("c-damaged", "is damaged"),
            ("d-newer", "is of format 2"),
        ];
        assert_eq!(found.problems.len(), expected.len());
        for (problem, (name, what)) in found.problems.iter().zip(expected) {
            assert!(problem.place.contains(name), "{problem:?}");
            assert!(problem.what.contains(what), "{problem:?}");
        }
    }

    #[test]
    fn a_folder_without_runs_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no finished run in `"), "{error}");
        assert!(error.contains("mmfnd train"), "{error}");
    }
}
