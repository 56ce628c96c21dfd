//! Several stores become one: the shards that machines filled, or stores of different posts.
//!
//! The new store is made under a temporary name beside its own and renamed when it is whole; parts are taken as they
//! are, by hard links where the file system has them, so that little is written. A killed merge leaves the temporary
//! folder, which the next one clears.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::encoder_writer::EncoderWriter;
use super::store_writer::StoreWriter;
use crate::Error;
use crate::disk::folder::{entries, make_folder, rename};
use crate::disk::lock::{LOCK, Lock};
use crate::disk::part;
use crate::disk::store_file::{REJECTS_FILE, RELINK};
use crate::identity::Key;
use crate::links::{StoreReject, Target, link_part, rejects};
use crate::read::Store;
use crate::table::plan;

/// What a merge made.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Stores that were merged.
    pub stores: usize,
    /// Posts that are linked.
    pub posts: usize,
    /// Of each encoder its name and its distinct rows.
    pub encoders: Vec<(String, usize)>,
    /// Contents that could not be encoded.
    pub rejects: usize,
}

/// Merges stores into a new one.
///
/// Refused are stores that are written to, unfinished, or of other encoders; shards that are not the whole of one
/// split; posts that two stores link differently; and a link to a content of which no store has a row. `out` must not
/// exist, or be an empty folder.
pub fn merge(stores: &[PathBuf], out: &Path) -> Result<Merged, Error> {
    let [first, _, ..] = stores else {
        return Err(Error::unfit(out, "cannot be made of fewer than two stores"));
    };
    let _locks = lock(stores)?;
    let opened = stores.iter().map(|path| Store::open(path));
    let opened: Vec<Store> = opened.collect::<Result<_, _>>()?;
    check_shards(&opened)?;
    check_encoders(&opened)?;
    check_free(out, first)?;
    let targets = targets(&opened)?;
    let new = beside(out);
    let merged = write(&opened, &targets, &new)?;
    rename(&new, out)?;
    Ok(merged)
}

/// Nobody may write to the stores meanwhile, and none may be given twice.
fn lock(stores: &[PathBuf]) -> Result<Vec<Lock>, Error> {
    let mut seen = Vec::new();
    let mut locks = Vec::new();
    for path in stores {
        Store::open(path)?;
        let canonical = fs::canonicalize(path).map_err(|source| Error::read(path, source))?;
        if seen.contains(&canonical) {
            return Err(Error::unfit(path, "is given twice; name each store once"));
        }
        seen.push(canonical);
        locks.push(Lock::take(path)?);
    }
    Ok(locks)
}

/// Shards have to be all of one split; stores that are none go together with others that are none.
fn check_shards(stores: &[Store]) -> Result<(), Error> {
    let Some(shard) = stores.iter().find_map(Store::shard) else {
        return Ok(());
    };
    let mut holders: HashMap<u32, &Path> = HashMap::new();
    for store in stores {
        let problem = match store.shard() {
            None => Some(format!(
                "is no shard, but others are shards of {}; merge the shards first",
                shard.of()
            )),
            Some(other) if other.of() != shard.of() => Some(format!(
                "holds shard {other}, another store shard {shard}: they come from different splits of the work"
            )),
            Some(other) => holders.insert(other.number(), store.path()).map(|holder| {
                format!(
                    "holds shard {other}, and so does `{}`; leave one out",
                    holder.display()
                )
            }),
        };
        if let Some(problem) = problem {
            return Err(Error::unfit(store.path(), problem));
        }
    }
    let missing: Vec<String> = (1..=shard.of())
        .filter(|number| !holders.contains_key(number))
        .map(|number| format!("{number}/{}", shard.of()))
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(Error::unfit(
            stores[0].path(),
            format!(
                "and the others are not all shards: {} is missing; make it with `mmfnd encode … --shard {}`",
                missing.join(", "),
                missing[0]
            ),
        )),
    }
}

/// All stores have to hold finished features of the same encoders, with the same classification layers.
fn check_encoders(stores: &[Store]) -> Result<(), Error> {
    let first = &stores[0];
    for store in stores {
        for (a, b) in [(first, store), (store, first)] {
            for spec in b.encoders() {
                a.table(&spec.name)?;
            }
        }
        for table in store.tables() {
            let spec = &table.file.encoder;
            let name = &spec.name;
            first.require_same(spec)?;
            if first.table(name)?.file.encoder.classifier_sha256 != spec.classifier_sha256 {
                let problem = format!(
                    "has another classification layer of `{name}` than `{}`; encode with one preset",
                    first.path().display()
                );
                return Err(Error::unfit(store.path(), problem));
            }
            if !plan::read(&table.folder)?.is_empty() {
                let problem =
                    format!("has unfinished features of `{name}`; run `mmfnd encode` on it again");
                return Err(Error::unfit(store.path(), problem));
            }
        }
    }
    Ok(())
}

/// The place of the new store has to be free.
fn check_free(out: &Path, first: &Path) -> Result<(), Error> {
    let problem = match entries(out) {
        Err(_) if !out.exists() => return Ok(()),
        Ok(entries) if entries.is_empty() => return Ok(()),
        Ok(_) if out == first => "is one of those that are merged; name a new folder",
        _ => "exists already; name a new folder",
    };
    Err(Error::unfit(out, problem))
}

/// The temporary folder, beside `out` so that it can be renamed.
fn beside(out: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(out.file_name().unwrap_or(std::ffi::OsStr::new("store")));
    name.push(".merge.tmp");
    out.with_file_name(name)
}

/// What each post links to, over all stores.
fn targets(stores: &[Store]) -> Result<Vec<Target>, Error> {
    let mut all: Vec<Target> = Vec::new();
    for store in stores {
        let targets = Target::read(store.links())?;
        for target in &targets {
            let known = all.binary_search_by_key(&target.post, |target| target.post);
            if known.is_ok_and(|index| all[index] != *target) {
                let post = name(stores, target.post)?;
                let problem = format!(
                    "links post `{post}` to other contents than a store before it; encode both from the same posts, or give the posts different ids"
                );
                return Err(Error::unfit(store.path(), problem));
            }
        }
        all.extend(targets);
        all.sort_by_key(|target| target.post);
        all.dedup_by_key(|target| target.post);
    }
    Ok(all)
}

/// The id of a post, for messages.
fn name(stores: &[Store], post: Key) -> Result<String, Error> {
    let mut name = String::new();
    for store in stores {
        link_part::for_each(store.links(), |rows, row| {
            if Key::of(rows.post_id(row).as_bytes()) == post {
                rows.post_id(row).clone_into(&mut name);
            }
        })?;
    }
    Ok(name)
}

/// Makes the new store.
fn write(stores: &[Store], targets: &[Target], new: &Path) -> Result<Merged, Error> {
    clear(new)?;
    let mut writer = StoreWriter::open(new)?;
    let mut encoders = Vec::new();
    for spec in stores[0].encoders() {
        let mut encoder = writer.encoder(spec, false)?;
        for store in stores {
            let table = store.table(&spec.name)?;
            table.check_parts()?;
            encoder.take(table)?;
        }
        if let Some(classifier) = stores[0].table(&spec.name)?.classifier()? {
            encoder.set_classifier(&classifier)?;
        }
        check_rows(stores, targets, &encoder)?;
        encoders.push((spec.name.clone(), encoder.present().len()));
    }
    for store in stores {
        part::check(store.links(), RELINK)?;
        writer.take_links(store.links())?;
    }
    let rejects = all_rejects(stores)?;
    writer.write_rejects(&rejects)?;
    Ok(Merged {
        stores: stores.len(),
        posts: targets.len(),
        encoders,
        rejects: rejects.len(),
    })
}

/// Makes the temporary folder anew; one that another merge is filling is left alone.
fn clear(new: &Path) -> Result<(), Error> {
    make_folder(new)?;
    let _lock = Lock::take(new)?;
    for path in entries(new).map_err(|source| Error::read(new, source))? {
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false if path.ends_with(LOCK) => Ok(()),
            false => fs::remove_file(&path),
        };
        removed.map_err(|source| Error::write(path, source))?;
    }
    Ok(())
}

/// Every link has to find its row.
fn check_rows(stores: &[Store], targets: &[Target], encoder: &EncoderWriter) -> Result<(), Error> {
    let spec = encoder.spec();
    let is_absent = |target: &&Target| {
        let key = target.keys.of(spec.input);
        key.is_some_and(|key| !encoder.present().contains(&key))
    };
    let Some(target) = targets.par_iter().find_first(is_absent) else {
        return Ok(());
    };
    let post = name(stores, target.post)?;
    let problem = format!(
        "and the others have no features of `{}` for post `{post}`; encode all of them from the same posts, and with all encoders",
        spec.name
    );
    Err(Error::unfit(stores[0].path(), problem))
}

/// Rejects of all stores, each once.
fn all_rejects(stores: &[Store]) -> Result<Vec<StoreReject>, Error> {
    let mut all: Vec<StoreReject> = Vec::new();
    for store in stores {
        let path = store.path().join(REJECTS_FILE);
        if !path.exists() {
            continue;
        }
        let bytes = fs::read(&path).map_err(|source| Error::read(&path, source))?;
        all.extend(rejects::from_csv(&bytes).map_err(|source| Error::read(&path, source))?);
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|reject| seen.insert((reject.post_id.clone(), reject.path.clone())));
    Ok(all)
}
