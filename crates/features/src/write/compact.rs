//! Many small parts become few large ones. A part is closed every some seconds, so that a kill loses little: hours of
//! an encoder are a thousand files.
//!
//! The new parts are written behind the old ones, whose rows still count, as a row counts where its key stands first;
//! then `encoder.json` says where the parts begin that count, and the old ones are removed. So a kill at any moment
//! leaves a store that has every row, and the next run does what was not done.

use std::fs;
use std::path::Path;

use crate::Error;
use crate::disk::encoder_file::replace_remedy;
use crate::disk::folder::sync_folder;
use crate::disk::part::{self, Part};
use crate::identity::{EncoderSpec, Key, KeySet, Maker};
use crate::table::layout::{self, Layout};
use crate::table::part_bytes::Rows;
use crate::table::values::wrong_value;
use crate::table::{Values, part_bytes};

/// Parts are joined up to this size: what is joined lies in memory four times.
const MOST_BYTES: u64 = 64 << 20;

/// Fewer files than these are not worth the writing.
const WORTHWHILE: usize = 8;

/// Parts that become one.
struct Group<'a> {
    parts: Vec<(&'a Part, Layout, Vec<Key>)>,
    bytes: u64,
    maker: Maker,
}

/// Writes the rows of `parts` once more, in fewer parts that are numbered from `next` on; `None` where that would save
/// hardly any.
pub(super) fn compact(
    folder: &Path,
    spec: &EncoderSpec,
    parts: &[Part],
    next: usize,
) -> Result<Option<Vec<Part>>, Error> {
    let is_worthwhile = |groups: usize| groups + WORTHWHILE <= parts.len();
    // Sizes are soon known; only where they promise something are parts opened.
    if !is_worthwhile(fewest(parts)?) {
        return Ok(None);
    }
    let groups = groups(folder, spec, parts)?;
    if !is_worthwhile(groups.len()) {
        return Ok(None);
    }
    let mut seen = KeySet::default();
    let mut joined = Vec::new();
    for group in &groups {
        let new = group.write(folder, spec, next + joined.len(), &mut seen)?;
        joined.extend(new);
    }
    sync_folder(folder)?;
    Ok(Some(joined))
}

/// How many groups there are at least.
fn fewest(parts: &[Part]) -> Result<usize, Error> {
    let (mut groups, mut last) = (0, MOST_BYTES);
    for part in parts {
        let bytes = part.bytes()?;
        last += bytes;
        if last > MOST_BYTES {
            groups += 1;
            last = bytes;
        }
    }
    Ok(groups)
}

/// Parts that stand side by side and were made by the same, as many as fit.
fn groups<'a>(
    folder: &Path,
    spec: &EncoderSpec,
    parts: &'a [Part],
) -> Result<Vec<Group<'a>>, Error> {
    let mut groups: Vec<Group> = Vec::new();
    for part in parts {
        let (layout, keys) = layout::open(part, spec, &replace_remedy(folder))?;
        let (maker, bytes) = (layout.maker().clone(), part.bytes()?);
        let opened = (part, layout, keys);
        match groups.last_mut() {
            Some(group) if group.maker == maker && group.bytes + bytes <= MOST_BYTES => {
                group.parts.push(opened);
                group.bytes += bytes;
            }
            _ => groups.push(Group {
                parts: vec![opened],
                bytes,
                maker,
            }),
        }
    }
    Ok(groups)
}

impl Group<'_> {
    /// Writes the rows whose keys were not seen as one part, if there are any; a part that stays as it is only gets
    /// another number.
    fn write(
        &self,
        folder: &Path,
        spec: &EncoderSpec,
        number: usize,
        seen: &mut KeySet,
    ) -> Result<Option<Part>, Error> {
        let mut rows = Vec::new();
        let mut keys = Vec::new();
        for (_, _, in_part) in &self.parts {
            let new = (0..in_part.len()).filter(|&row| !seen.contains(&in_part[row]));
            let new: Vec<usize> = new.collect();
            let new_keys: Vec<Key> = new.iter().map(|&row| in_part[row]).collect();
            seen.extend(&new_keys);
            keys.extend(new_keys);
            rows.push(new);
        }
        match self.parts.as_slice() {
            _ if keys.is_empty() => Ok(None),
            [(part, _, in_part)] if in_part.len() == keys.len() => {
                part::take(folder, number, part).map(Some)
            }
            _ => {
                let (values, tokens) = self.read(folder, spec, &rows)?;
                let rows = Rows {
                    keys: &keys,
                    tokens: &tokens,
                    values: &values,
                };
                let bytes = part_bytes::of_values((spec, &self.maker), rows)?;
                part::write(folder, number, &bytes).map(Some)
            }
        }
    }

    /// The values of some rows of each part, and how many tokens each has if they are ragged.
    fn read(
        &self,
        folder: &Path,
        spec: &EncoderSpec,
        rows: &[Vec<usize>],
    ) -> Result<(Values, Vec<u32>), Error> {
        let of_parts = rows.iter().zip(&self.parts);
        let bytes = of_parts.clone().map(|(rows, (_, layout, _))| {
            let bytes = rows.iter().map(|&row| layout.row_bytes(row));
            bytes.collect::<Vec<_>>()
        });
        let bytes: Vec<_> = bytes.collect();
        let value_bytes = spec.value_type.bytes();
        let lengths = bytes
            .iter()
            .map(|bytes| bytes.iter().sum::<usize>() / value_bytes);
        let lengths: Vec<_> = lengths.collect();
        let mut values = Values::zeros(spec.value_type, lengths.iter().sum());
        let mut buffer = Vec::new();
        let targets = values.split_mut(&lengths).into_iter();
        for ((mut target, rows), (part, layout, keys)) in targets.zip(rows).zip(&self.parts) {
            part.read_into(&mut buffer, &replace_remedy(folder))?;
            let mut start = 0;
            for &row in rows {
                let filled = target.fill(start, &buffer[layout.row(row)]);
                start += layout.row_bytes(row) / value_bytes;
                filled.map_err(|(index, value)| {
                    let problem = format!("is no number; {}", replace_remedy(folder));
                    wrong_value(spec, keys[row], index, value, &problem)
                })?;
            }
        }
        let token_bytes = spec.token_width() * value_bytes;
        let tokens = bytes.iter().flatten().filter(|_| spec.ragged);
        let tokens = tokens.map(|bytes| (bytes / token_bytes) as u32);
        Ok((values, tokens.collect()))
    }
}

/// Removes the parts that do not count any more.
pub(super) fn remove_before(folder: &Path, first: usize) -> Result<(), Error> {
    for part in part::list(folder)?
        .iter()
        .filter(|part| part.number < first)
    {
        fs::remove_file(&part.path).map_err(|source| Error::write(&part.path, source))?;
    }
    Ok(())
}
