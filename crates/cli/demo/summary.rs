//! What the demo prints: the figures of each head, by cause, and five posts.

use std::fmt::Write as _;

use mmfnd_posts::{Post, Split};
use mmfnd_train::metrics::{KindAccuracy, Scored, by_cause};
use mmfnd_train::{Metrics, Prediction, RunSummary};

use super::Model;
use crate::show::metrics::metrics_table;
use crate::show::table::{left, right, table};

/// A post with a prediction.
type ScoredPost<'a> = (&'a Post, Prediction);

/// The posts of a run with their predictions, of one split or of all.
fn scored<'a>(posts: &'a [Post], run: &'a RunSummary, split: Option<Split>) -> Vec<ScoredPost<'a>> {
    let pairs = run.rows.iter().zip(&run.predictions);
    pairs
        .map(|(&row, prediction)| (&posts[row], prediction.clone()))
        .filter(|(post, _)| split.is_none_or(|split| post.split == split))
        .collect()
}

/// The tables of the demo.
pub(super) fn summary(posts: &[Post], models: &[Model]) -> String {
    let mut text = String::new();
    let rows = models
        .iter()
        .filter_map(|model| Some((model.name.to_owned(), model.run.metrics.test.as_ref()?)));
    let first = &models[0].run;
    let selected = first.metrics.selection;
    let _ = write!(
        text,
        "\nTest split, one run each (seed {}, {} epochs, the best chosen by {} accuracy)\n{}",
        first.info.seed,
        selected.epochs,
        selected.by.split(),
        metrics_table("model", rows)
    );
    let _ = write!(
        text,
        "\nAccuracy by cause of fakeness, test split\n{}",
        causes(posts, models)
    );
    let _ = write!(text, "\n{}", similarity(&scored(posts, first, None)));
    let _ = write!(
        text,
        "\nFive test posts\n{}",
        examples(&scored(posts, first, Some(Split::Test)))
    );
    text
}

/// One line per cause, one column per model.
fn causes(posts: &[Post], models: &[Model]) -> String {
    let of = |model: &Model| {
        let scored = scored(posts, &model.run, Some(Split::Test));
        by_cause(
            scored
                .into_iter()
                .map(|(post, prediction)| (post, prediction.label())),
        )
    };
    let kinds: Vec<Vec<KindAccuracy>> = models.iter().map(of).collect();
    let mut columns = vec![left("cause"), right("n")];
    columns.extend(models.iter().map(|model| right(model.name)));
    let row = |(i, first): (usize, &KindAccuracy)| {
        let accuracies = kinds
            .iter()
            .map(|model| format!("{:.3}", model[i].accuracy));
        let names = [first.kind.clone(), first.n.to_string()];
        names.into_iter().chain(accuracies).collect()
    };
    table(columns, kinds[0].iter().enumerate().map(row))
}

/// How far CLIP alone tells mismatched pairs from all other posts.
fn similarity(posts: &[ScoredPost<'_>]) -> String {
    let scored = posts.iter().map(|(post, prediction)| Scored {
        logits: [prediction.similarity, 0.0],
        label: usize::from(post.cause.as_deref() == Some("mismatch")),
    });
    let metrics = Metrics::of(&scored.collect::<Vec<_>>());
    let area = metrics
        .auroc
        .map_or("-".to_owned(), |area| format!("{area:.3}"));
    format!(
        "CLIP similarity alone, mismatch against all other posts: AUC {area} (n = {})\n",
        metrics.n
    )
}

/// The first test post of each kind.
fn examples(posts: &[ScoredPost<'_>]) -> String {
    let columns = vec![
        left("post"),
        left("is"),
        right("p_fake"),
        right("text").apart(),
        right("image"),
        right("cross"),
        right("similarity").apart(),
        left("text of the post"),
    ];
    let kinds = ["real", "mismatch", "style", "tamper", "overlay"];
    let row = |kind: &str| {
        let is_kind = |(post, _): &&ScoredPost<'_>| post.cause.as_deref().unwrap_or("real") == kind;
        let (post, prediction) = posts.iter().find(is_kind)?;
        let [text, image, cross] = prediction.attention;
        let figures = [prediction.p_fake, text, image, cross, prediction.similarity];
        let mut cells = vec![post.id.clone(), kind.to_owned()];
        cells.extend(figures.map(|figure| format!("{figure:.3}")));
        cells.push(post.text.clone());
        Some(cells)
    };
    table(columns, kinds.into_iter().filter_map(row))
        + "text, image, cross: attention of the three branches\n"
}
