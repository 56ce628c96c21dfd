//! `mmfnd evaluate`: the figures of a run, in the paper's layout.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use mmfnd_features::{Features, Store};
use mmfnd_posts::{Post, Split};
use mmfnd_train::metrics::{KindAccuracy, Scored, by_cause};
use mmfnd_train::{Device, Metrics, Model, Prediction, RunDir, RunInfo, RunMetrics, Selection};

use crate::heads::train::load;

/// Show how good a run is on a split, in the paper's layout
///
/// Without --posts the figures are those that the run wrote; with --posts and --store they are computed anew, with the accuracy by cause where posts name one.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// train, validation or test
    #[arg(long, default_value = "test")]
    split: Split,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Posts to compute the figures on, as their own column `split` says
    #[arg(long, value_name = "FILE", requires = "store")]
    posts: Option<PathBuf>,
    /// Feature store with their features
    #[arg(long, value_name = "DIR", requires = "posts")]
    store: Option<PathBuf>,
    /// Most megabytes of features in memory; what does not fit is read from the store as it is needed, with the same result
    #[arg(long, value_name = "MB", requires = "store")]
    memory_budget: Option<u64>,
    /// Where to compute: flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: Device,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let run = RunDir::open(&arguments.run)?;
    let (mut metrics, info) = (run.metrics()?, run.info()?);
    let mut causes = Vec::new();
    if let (Some(posts), Some(store)) = (&arguments.posts, &arguments.store) {
        let posts = mmfnd_posts::read_posts(posts)?;
        let model = Model::load(&arguments.run, arguments.device)?;
        let store = Store::open(store)?;
        let features = load(&store, &posts, model.encoders(), arguments.memory_budget)?;
        let computed;
        (computed, causes) = evaluate(&model, &features, &posts, arguments.split)?;
        *split_mut(&mut metrics, arguments.split) = computed;
    }
    let split = metrics.of(arguments.split).with_context(|| {
        format!(
            "no post of split `{}` has a label and a picture; name another --split",
            arguments.split
        )
    })?;
    let mut stdout = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(
            stdout,
            "{}",
            json(arguments.split, split, &causes, &metrics, &info)?
        ),
        false => {
            let rows = vec![(arguments.split, split)];
            let table = Table {
                rows,
                selection: metrics.selection,
                seed: info.seed,
                with_ocr: info.with_ocr,
            };
            write!(stdout, "{table}\n{}{}", Details(split), Causes(&causes))
        }
    }
    .context("cannot print the figures")
}

/// Figures of the posts of a split, and accuracy by cause.
fn evaluate(
    model: &Model,
    features: &Features,
    posts: &[Post],
    split: Split,
) -> anyhow::Result<(Option<Metrics>, Vec<KindAccuracy>)> {
    let is_asked = |row: &usize| posts[*row].split == split && posts[*row].label.is_some();
    let rows: Vec<_> = (0..posts.len()).filter(is_asked).collect();
    let predictions = model.predict(features, posts, &rows)?;
    let posts = rows.iter().map(|&row| &posts[row]);
    let scored: Vec<(&Post, Prediction)> = posts
        .zip(predictions)
        .filter_map(|(post, prediction)| Some((post, prediction?)))
        .collect();
    let logits = scored.iter().filter_map(|(post, prediction)| {
        let label = post.label?.index();
        Some(Scored {
            logits: prediction.logits,
            label,
        })
    });
    let logits: Vec<_> = logits.collect();
    let metrics = (!logits.is_empty()).then(|| Metrics::of(&logits));
    let predicted = scored
        .iter()
        .map(|(post, prediction)| (*post, prediction.label()));
    Ok((metrics, by_cause(predicted)))
}

fn split_mut(metrics: &mut RunMetrics, split: Split) -> &mut Option<Metrics> {
    match split {
        Split::Train => &mut metrics.train,
        Split::Validation => &mut metrics.validation,
        Split::Test => &mut metrics.test,
    }
}

fn json(
    split: Split,
    metrics: &Metrics,
    causes: &[KindAccuracy],
    run: &RunMetrics,
    info: &RunInfo,
) -> anyhow::Result<String> {
    let mut value = serde_json::json!({
        split.to_string(): metrics,
        "seed": info.seed,
        "selection": run.selection,
        "with_ocr": info.with_ocr,
    });
    if !causes.is_empty() {
        value["causes"] = serde_json::to_value(causes)?;
    }
    Ok(serde_json::to_string_pretty(&value)?)
}

/// The paper's table: accuracy, then precision, recall and F1 of both classes.
pub(crate) struct Table<'a> {
    rows: Vec<(Split, &'a Metrics)>,
    selection: Selection,
    seed: u64,
    with_ocr: Option<bool>,
}

impl<'a> Table<'a> {
    /// Validation and test split of a run.
    pub(crate) fn new(metrics: &'a RunMetrics, info: &RunInfo) -> Self {
        let row = |split| metrics.of(split).map(|metrics| (split, metrics));
        Self {
            rows: [Split::Validation, Split::Test]
                .into_iter()
                .filter_map(row)
                .collect(),
            selection: metrics.selection,
            seed: info.seed,
            with_ocr: info.with_ocr,
        }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", MetricsRow::head("split"))?;
        for (split, metrics) in &self.rows {
            let name = &split.to_string();
            writeln!(f, "{}", MetricsRow { name, metrics })?;
        }
        let Selection {
            epoch,
            epochs,
            by,
            optimistic,
        } = self.selection;
        write!(
            f,
            "seed {}, epoch {epoch} of {epochs}, chosen by {} accuracy",
            self.seed,
            by.split()
        )?;
        match optimistic {
            true => writeln!(f, ": the test figures are optimistic")?,
            false => writeln!(f)?,
        }
        match self.with_ocr {
            Some(true) => writeln!(f, "BERT also read the text in the pictures"),
            Some(false) => writeln!(f, "the text in the pictures was not read"),
            None => Ok(()),
        }
    }
}

/// A line of the paper's table.
pub(crate) struct MetricsRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) metrics: &'a Metrics,
}

impl MetricsRow<'_> {
    /// The two lines above; `what` is the title of the names.
    pub(crate) fn head(what: &str) -> String {
        let class = format!("{:>7} {:>7} {:>7}", "prec.", "recall", "F1");
        let above = format!(
            "{:<16} {:>6} {:>9}   {:^23}   {:^23}",
            "", "", "", "fake", "real"
        );
        let head = format!(
            "{what:<16} {:>6} {:>9}   {class}   {class} {:>7}",
            "n", "accuracy", "AUROC"
        );
        format!("{}\n{head}\n", above.trim_end())
    }
}

impl fmt::Display for MetricsRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, metrics } = self;
        write!(f, "{name:<16} {:>6} {:>9.3}", metrics.n, metrics.accuracy)?;
        for class in [metrics.fake, metrics.real] {
            write!(
                f,
                "   {:>7.3} {:>7.3} {:>7.3}",
                class.precision, class.recall, class.f1
            )?;
        }
        let auroc = metrics
            .auroc
            .map_or("-".to_owned(), |area| format!("{area:.3}"));
        write!(f, " {auroc:>7}")
    }
}

/// What the table has no room for.
struct Details<'a>(&'a Metrics);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Metrics {
            loss,
            macro_f1,
            auprc,
            ece,
            confusion: [real, fake],
            ..
        } = self.0;
        let auprc = auprc.map_or("-".to_owned(), |area| format!("{area:.3}"));
        writeln!(
            f,
            "loss {loss:.3}, macro F1 {macro_f1:.3}, AUPRC {auprc}, calibration error {ece:.3}"
        )?;
        writeln!(f, "{:<16} {:>10} {:>10}", "taken for", "real", "fake")?;
        writeln!(f, "{:<16} {:>10} {:>10}", "real posts", real[0], real[1])?;
        writeln!(f, "{:<16} {:>10} {:>10}", "fake posts", fake[0], fake[1])
    }
}

/// Accuracy by cause of fakeness, a line each.
pub(crate) struct Causes<'a>(pub(crate) &'a [KindAccuracy]);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_telling = self.0.iter().any(|kind| kind.kind != "real");
        for KindAccuracy { kind, n, accuracy } in self.0.iter().filter(|_| is_telling) {
            writeln!(f, "{kind:<16} {n:>6} {accuracy:>9.3}")?;
        }
        Ok(())
    }
}
