//! The columns that heads know: what each is called, whom it is a row for, and how such a row lies.

use mmfnd_features::{Column, Features};

use crate::error::DataProblem;

/// The encoders of every preset, which heads read beside [`TOKENS`].
pub const ENCODERS: [&str; 4] = ["bert", "clip_text", "clip_image", "resnet"];
/// The feature that is a row for each token of a text.
pub const TOKENS: &str = "tokens";
/// VGG-19's second layer of 4096 before its ReLU, of a preset that has it.
pub(crate) const VGG: &str = "vgg";
/// ResNet's features of a picture's error levels, of a preset that has them.
const ELA: &str = "ela";

/// Something for each column of [`COLUMNS`].
pub(crate) type Each<T> = [T; COLUMNS.len()];

/// A column with one row a text or picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownColumn {
    /// The encoder.
    pub name: &'static str,
    /// Whether it reads texts; else it reads pictures.
    pub is_text: bool,
    /// Axes of a row.
    rank: usize,
    /// What they have to be.
    expected: &'static str,
}

/// First [`ENCODERS`], then those that a store may have beside them.
pub(crate) const COLUMNS: [KnownColumn; 6] = [
    KnownColumn {
        name: ENCODERS[0],
        is_text: true,
        rank: 2,
        expected: "[layers, width]: the `[CLS]` state of each layer",
    },
    KnownColumn {
        name: ENCODERS[1],
        is_text: true,
        rank: 1,
        expected: "[width]: one vector a text",
    },
    of_pictures(ENCODERS[2], "[width]: one vector a picture"),
    of_pictures(ENCODERS[RESNET], "[width]: one pooled vector a picture"),
    of_pictures(VGG, "[width]: one vector a picture, before its ReLU"),
    of_pictures(ELA, "[width]: one pooled vector a picture's error levels"),
];
/// The place of `resnet` in [`COLUMNS`].
pub(crate) const RESNET: usize = 3;

const fn of_pictures(name: &'static str, expected: &'static str) -> KnownColumn {
    KnownColumn {
        name,
        is_text: false,
        rank: 1,
        expected,
    }
}

/// Of [`COLUMNS`] those that a head reads, with the right number of axes.
pub(super) fn read<'a>(
    features: &'a Features,
    encoders: &[&str],
) -> Result<Each<Option<&'a Column>>, DataProblem> {
    let mut columns = [None; COLUMNS.len()];
    for (found, known) in columns.iter_mut().zip(COLUMNS) {
        if encoders.contains(&known.name) {
            *found = Some(column(features, known.name, (known.rank, known.expected))?);
        }
    }
    Ok(columns)
}

/// The column of [`TOKENS`].
pub(super) fn tokens(features: &Features) -> Result<&Column, DataProblem> {
    let expected = "[most tokens, width], and as many rows of that width as a text has tokens";
    let column = column(features, TOKENS, (2, expected))?;
    match column.starts.is_empty() {
        false => Ok(column),
        true => Err(DataProblem::Shape {
            name: TOKENS,
            shape: column.shape.clone(),
            expected,
        }),
    }
}

/// The column of an encoder, with as many axes as it has to have.
pub(super) fn column<'a>(
    features: &'a Features,
    name: &'static str,
    (rank, expected): (usize, &'static str),
) -> Result<&'a Column, DataProblem> {
    let column = features.column(name);
    let column = column.ok_or(DataProblem::NoEncoder { name })?;
    match column.shape.len() == rank {
        true => Ok(column),
        false => Err(DataProblem::Shape {
            name,
            shape: column.shape.clone(),
            expected,
        }),
    }
}
