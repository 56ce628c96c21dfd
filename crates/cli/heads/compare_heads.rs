//! `mmfnd compare-heads`: Table 1 of the paper, every head that the store's columns allow, with several seeds.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, bail};
use mmfnd_features::Store;
use mmfnd_posts::{Post, Split};
use mmfnd_report::published_figures;
use mmfnd_train::statistics::Spread;
use mmfnd_train::{Config, HEADS, RunDir};

use crate::heads::sweep::{Common, Swept, sweep};
use crate::show::note::note;
use crate::show::sweep_table::{Names, mean_sd};
use crate::show::table::{left, right, table};

/// Train every head that the store's columns allow, with several seeds: Table 1 of the paper
///
/// Each head is trained with its own defaults, where neither --config nor --set says otherwise. A sweep over
/// head.kind; see `mmfnd sweep --help` for what it writes and how it goes on after an interruption. Each head is
/// compared with the best one by validation.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let common = arguments.common;
    let posts = mmfnd_posts::read_posts(&common.posts)?;
    let store = Store::open(&common.store)?;
    let mut kinds = Vec::new();
    for kind in HEADS {
        match obstacle(kind.name, &store, &posts)? {
            None => kinds.push(kind.name),
            Some(why) => note(format_args!("left out: {} ({why})", kind.name)),
        }
    }
    if kinds.is_empty() {
        bail!(
            "no head can do with what is in `{}`; encode the posts with a preset that has `bert` and `resnet`",
            store.path().display()
        );
    }
    let grid = common.grid(&[format!("head.kind={}", kinds.join(","))])?;
    let names = Names::Given("head", kinds);
    sweep("compare-heads", &grid, common, (None, &names), &first_table)
}

/// Why a head cannot be trained on these posts and this store, if so.
fn obstacle(kind: &str, store: &Store, posts: &[Post]) -> anyhow::Result<Option<String>> {
    let config = Config::read(None, &[format!("head.kind={kind}")])?;
    let is_there = |name: &&str| store.encoders().iter().any(|spec| spec.name == *name);
    let encoders = config.head.encoders().into_iter();
    let lacking: Vec<_> = encoders.filter(|name| !is_there(name)).collect();
    if !lacking.is_empty() {
        let option = match lacking.contains(&mmfnd_train::TOKENS) {
            true => "; `mmfnd encode --with-tokens` adds tokens",
            false => "",
        };
        return Ok(Some(format!(
            "the store lacks {}{option}",
            lacking.join(", ")
        )));
    }
    let trained = posts.iter().filter(|post| post.split == Split::Train);
    let events: BTreeSet<_> = trained.filter_map(|post| post.event.as_deref()).collect();
    Ok(config.head.check_events(events.len()).err())
}

/// Table 1 in the paper's layout, with what each head took, and the paper's own figures apart from it.
fn first_table(swept: &Swept) -> anyhow::Result<String> {
    let mut columns = vec![left("head"), right("accuracy\nmean ± sd")];
    for class in ["fake", "real"] {
        columns.push(right("prec.").apart());
        columns.extend([right(format!("{class}\nrecall")), right("F1")]);
    }
    columns.extend([right("seconds\na run").apart(), right("weights")]);
    let mut rows = Vec::new();
    for (point, summary) in swept.grid.points.iter().zip(&swept.summary.points) {
        let Some(test) = &summary.test else { continue };
        let runs = swept.records.iter().filter(|record| {
            record.is_finished() && record.point.values().eq(summary.point.values())
        });
        let seconds: Vec<_> = runs.clone().map(|record| record.seconds).collect();
        let first = runs
            .clone()
            .next()
            .context("a head with figures has a run")?;
        let folder = swept.out.join("runs").join(&first.run);
        let mut row = vec![
            point.config.head.kind().name.to_owned(),
            mean_sd(Some(test.accuracy)),
        ];
        for class in [test.fake, test.real] {
            let means = [class.precision, class.recall, class.f1];
            row.extend(means.map(|spread| format!("{:.3}", spread.mean)));
        }
        let seconds = Spread::of(&seconds).map_or(f64::NAN, |spread| spread.mean);
        let weights = RunDir::open(&folder)?.weight_count()?;
        row.extend([format!("{seconds:.1}"), weights.to_string()]);
        rows.push(row);
    }
    let mut text = format!("{}\n", table(columns, rows));
    for (dataset, name) in [("weibo", "Weibo"), ("twitter", "Twitter")] {
        writeln!(
            text,
            "as published, other test sets: Table 1 of the paper, {name}; in no ranking with the figures above"
        )?;
        let columns = [
            "method",
            "accuracy",
            "prec.",
            "fake recall",
            "F1",
            "prec.",
            "real recall",
            "F1",
        ];
        let columns = columns.iter().enumerate();
        let columns = columns.map(|(i, title)| if i == 0 { left(*title) } else { right(*title) });
        let rows = published_figures(1, dataset).map(|(method, figures)| {
            let figures = figures.into_iter().map(str::to_owned);
            [method.to_owned()].into_iter().chain(figures).collect()
        });
        writeln!(text, "{}", table(columns.collect(), rows))?;
    }
    Ok(text)
}
