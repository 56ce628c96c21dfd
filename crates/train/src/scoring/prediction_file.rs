//! Predictions as tables: of the posts of a run, and of any posts.

use std::path::Path;

use mmfnd_posts::{Columns, Post, Split, TableColumn, write_table};

use super::scorer::{Prediction, WithAggregate};
use crate::Error;

/// Writes predictions of a run's posts: with split, true label and predicted one.
pub(crate) fn write_run(
    path: &Path,
    (posts, splits): (&[&Post], &[Split]),
    (predictions, extras): (&[Prediction], &[&'static str]),
) -> Result<(), Error> {
    let label = |post: &&Post| post.label.map(|label| label.index() as i64);
    let split = |split: &Split| Some(split.to_string());
    let predictions: Vec<_> = predictions.iter().cloned().map(Some).collect();
    let mut columns = vec![
        ("post_id", ids(posts)),
        (
            "split",
            TableColumn::Text(splits.iter().map(split).collect()),
        ),
        ("label", TableColumn::Int(posts.iter().map(label).collect())),
        ("predicted", predicted(&predictions)),
    ];
    columns.extend(figures(&predictions, extras));
    Ok(write_table(path, &columns)?)
}

/// A row of the predictions that a run wrote.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunPrediction {
    pub post_id: String,
    pub split: Split,
    /// 1 for fake; none where the post has no label.
    pub label: Option<i64>,
    pub predicted: i64,
    pub p_fake: f32,
}

/// Reads what [`write_run`] wrote.
pub(crate) fn read_run(path: &Path) -> Result<Vec<RunPrediction>, Error> {
    let table = Columns::read(path, "the predictions of a run")?;
    let (ids, splits) = (
        table.strings("post_id", false)?,
        table.strings("split", false)?,
    );
    let (labels, predicted) = (table.integers("label")?, table.integers("predicted")?);
    let p_fake = table.floats("p_fake")?;
    let row = |row: usize| {
        Some(RunPrediction {
            post_id: ids[row].clone()?,
            split: splits[row].as_ref()?.parse().ok()?,
            label: labels[row],
            predicted: predicted[row]?,
            p_fake: p_fake[row]?,
        })
    };
    let damaged = |row| Error::Run {
        path: path.to_owned(),
        problem: format!(
            "is damaged in row {}; delete the run's folder and train it again",
            row + 1
        ),
    };
    (0..table.rows())
        .map(|index| row(index).ok_or_else(|| damaged(index)))
        .collect()
}

/// Writes predictions of any posts, with the head's [`extras`](crate::HeadKind::extras), nulls where there is none; the
/// ending of `path` names the format, and `label` is the predicted one.
pub fn write_predictions(
    path: &Path,
    posts: &[&Post],
    (predictions, extras): (&[Option<Prediction>], &[&'static str]),
) -> Result<(), Error> {
    let mut columns = vec![("post_id", ids(posts)), ("label", predicted(predictions))];
    columns.extend(figures(predictions, extras));
    Ok(write_table(path, &columns)?)
}

/// [`write_predictions`] with a column `aggregate`: what the classifier reads of each post.
pub fn write_predictions_with_aggregate(
    path: &Path,
    posts: &[&Post],
    (predictions, extras): (Vec<Option<WithAggregate>>, &[&'static str]),
) -> Result<(), Error> {
    let (predictions, aggregates): (Vec<_>, Vec<_>) =
        predictions.into_iter().map(Option::unzip).unzip();
    // where no post can be scored, any width will do for a column of nulls
    let width = aggregates
        .iter()
        .flatten()
        .map(Vec::len)
        .next()
        .unwrap_or(1);
    let mut columns = vec![("post_id", ids(posts)), ("label", predicted(&predictions))];
    columns.extend(figures(&predictions, extras));
    columns.push(("aggregate", TableColumn::Vector(width, aggregates)));
    Ok(write_table(path, &columns)?)
}

fn ids(posts: &[&Post]) -> TableColumn {
    TableColumn::Text(posts.iter().map(|post| Some(post.id.clone())).collect())
}

fn predicted(predictions: &[Option<Prediction>]) -> TableColumn {
    let label =
        |prediction: &Option<Prediction>| prediction.as_ref().map(|p| p.label().index() as i64);
    TableColumn::Int(predictions.iter().map(label).collect())
}

fn figures(
    predictions: &[Option<Prediction>],
    extras: &[&'static str],
) -> Vec<(&'static str, TableColumn)> {
    let column = |value: &dyn Fn(&Prediction) -> f32| {
        let values = predictions.iter();
        let values = values.map(|prediction| prediction.as_ref().map(value));
        TableColumn::Float(
            values
                .map(|value| value.filter(|value| !value.is_nan()))
                .collect(),
        )
    };
    let mut columns = vec![
        ("p_fake", column(&|p| p.p_fake)),
        ("attention_text", column(&|p| p.attention[0])),
        ("attention_image", column(&|p| p.attention[1])),
        ("attention_cross", column(&|p| p.attention[2])),
        ("similarity", column(&|p| p.similarity)),
    ];
    let extras = extras.iter().enumerate();
    columns.extend(extras.map(|(i, name)| (*name, column(&|p| p.extras[i]))));
    columns
}
