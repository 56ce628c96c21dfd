//! `predictions.parquet` of a run.

use std::collections::HashMap;
use std::path::Path;

use mmfnd_posts::{Columns, Error, Split};

use super::files::Problem;

/// How far p_fake may differ where the same weights scored a post on another device.
const SAME: f64 = 1e-3;

/// What a run said about a post.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The post.
    pub post_id: String,
    /// Part of the dataset.
    pub split: Split,
    /// Whether it is fake; none where nobody knows.
    pub fake: Option<bool>,
    /// Whether it was taken for fake.
    pub taken_for_fake: bool,
    /// Probability of fake.
    pub p_fake: f64,
    /// Weight of text, picture and cross-modal branch, where there is one.
    pub attention: [Option<f64>; 3],
    /// Cosine of CLIP's text and picture.
    pub similarity: Option<f64>,
}

impl Prediction {
    /// Whether the post was told right; none where its label is not known.
    pub fn is_right(&self) -> Option<bool> {
        self.fake.map(|fake| fake == self.taken_for_fake)
    }
}

/// Post → what the classifier reads of it.
pub type Vectors = HashMap<String, Vec<f32>>;

/// Reads what `mmfnd predict --with-aggregate` kept in the folder of a run; none where it was not asked.
pub fn vectors(folder: &Path) -> Result<Option<Vectors>, Problem> {
    let path = folder.join("aggregate.parquet");
    if !path.exists() {
        return Ok(None);
    }
    let problem = |error: Error| Problem::new(&path, error);
    let table =
        Columns::read(&path, "what `mmfnd predict --with-aggregate` writes").map_err(problem)?;
    let ids = table.strings("post_id", false).map_err(problem)?;
    let vectors = table.vectors("aggregate").map_err(problem)?;
    let p_fake = table.floats("p_fake").map_err(problem)?;
    let said = predictions(folder)?;
    let said: HashMap<_, _> = (said.iter())
        .map(|prediction| (prediction.post_id.as_str(), prediction.p_fake))
        .collect();
    let is_other = |(id, p_fake): (&Option<String>, &Option<f32>)| {
        let said = id.as_deref().and_then(|id| said.get(id));
        matches!((said, p_fake), (Some(said), Some(p_fake)) if (said - f64::from(*p_fake)).abs() > SAME)
    };
    if ids.iter().zip(&p_fake).any(is_other) {
        let what = "is not of the run's weights: its p_fake are others than in `predictions.parquet`; write it again (`mmfnd predict --with-aggregate`)";
        return Err(Problem::new(&path, what));
    }
    let is_whole = |vector: &Vec<f32>| vector.iter().all(|value| value.is_finite());
    let rows = ids.into_iter().zip(vectors);
    let row =
        |(id, vector): (Option<String>, Option<Vec<f32>>)| Some((id?, vector.filter(is_whole)?));
    Ok(Some(rows.filter_map(row).collect()))
}

/// Reads the predictions of the run in `folder`.
pub fn predictions(folder: &Path) -> Result<Vec<Prediction>, Problem> {
    let path = folder.join("predictions.parquet");
    let problem = |error: Error| Problem::new(&path, error);
    let table = Columns::read(&path, "the predictions of a run").map_err(problem)?;
    let strings = |name| table.strings(name, false).map_err(problem);
    let integers = |name| table.integers(name).map_err(problem);
    let floats = |name| table.floats(name).map_err(problem);
    let (ids, splits) = (strings("post_id")?, strings("split")?);
    let (labels, predicted) = (integers("label")?, integers("predicted")?);
    let p_fake = floats("p_fake")?;
    let attention = [
        floats("attention_text")?,
        floats("attention_image")?,
        floats("attention_cross")?,
    ];
    let similarity = floats("similarity")?;
    let row = |row: usize| {
        Some(Prediction {
            post_id: ids[row].clone()?,
            split: splits[row].as_ref()?.parse().ok()?,
            fake: labels[row].map(|label| label == 1),
            taken_for_fake: predicted[row]? == 1,
            p_fake: f64::from(p_fake[row].filter(|p| p.is_finite())?),
            attention: [0, 1, 2].map(|branch: usize| attention[branch][row].map(f64::from)),
            similarity: similarity[row].map(f64::from),
        })
    };
    let damaged = |row| Problem::new(&path, format!("is damaged in row {}", row + 1));
    (0..table.rows())
        .map(|index| row(index).ok_or_else(|| damaged(index)))
        .collect()
}
