//! Two runs side by side: the difference between them with its interval, and the posts on which they differ.

use std::path::PathBuf;

use crate::Error;
use crate::content::{Block, Cell, Report, Section, Table};
use crate::evidence::PostsFile;
use crate::runs::{self, Config, shown};

/// Rows of the table of posts.
const ROWS: usize = 400;

/// A post that one run tells right and the other wrong.
#[derive(Clone, Debug)]
pub struct Disputed {
    /// The post.
    pub post_id: String,
    /// Whether it is fake.
    pub fake: bool,
    /// What either run says.
    pub p_fake: [f32; 2],
    /// Whether the first run is the one that is right.
    pub first_is_right: bool,
}

/// What a paired test says of two runs on the test posts of both.
#[derive(Clone, Debug)]
pub struct Versus {
    /// The runs.
    pub folders: [PathBuf; 2],
    /// Posts files, for texts.
    pub posts: Vec<PathBuf>,
    /// Labelled test posts of both.
    pub n: usize,
    /// Accuracy of either.
    pub accuracy: [f64; 2],
    /// The first minus the second: 95 % interval and two-sided p of the paired bootstrap.
    pub interval: (f64, f64),
    /// See `interval`.
    pub p: f64,
    /// How that was computed, in words.
    pub how: String,
    /// Posts that only the first, and only the second, tells right; McNemar's exact p.
    pub only: [usize; 2],
    /// See `only`.
    pub mcnemar: f64,
    /// On which they differ.
    pub disputed: Vec<Disputed>,
    /// What limits the figures.
    pub warnings: Vec<String>,
}

/// The comparison as a report of its own.
pub fn versus(versus: &Versus) -> Result<Report, Error> {
    let mut problems = Vec::new();
    let mut posts = Vec::new();
    for path in &versus.posts {
        posts.push(PostsFile::read(path, &mut problems)?);
    }
    let names = names(versus);
    let mut answer = vec![
        headline(versus, &names),
        Block::Table(figures(versus, &names)),
    ];
    if !versus.warnings.is_empty() {
        answer.push(Block::Warnings(versus.warnings.clone()));
    }
    let section = |id: &str, title: &str, blocks| Section {
        id: id.to_owned(),
        title: title.to_owned(),
        blocks,
    };
    let disputed = vec![Block::Table(disputed(versus, &posts))];
    let sections = vec![
        section("answer", "The answer", answer),
        section("posts", "Posts on which they differ", disputed),
        section(
            "provenance",
            "How the runs differ",
            vec![Block::Table(settings(versus))],
        ),
    ];
    Ok(Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: format!("{} against {}", names[0], names[1]),
        sections,
    })
}

/// The folders' names where they differ, else their paths.
fn names(versus: &Versus) -> [String; 2] {
    let [first, second] = &versus.folders;
    let name = |folder: &PathBuf| {
        folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    match (name(first), name(second)) {
        (Some(a), Some(b)) if a != b => [a, b],
        _ => [first, second].map(|folder| folder.display().to_string()),
    }
}

/// As papers write it: `p = 0.012`, `p < 0.001`.
pub fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => "p < 0.001".to_owned(),
        false => format!("p = {p:.3}"),
    }
}

fn headline(versus: &Versus, names: &[String; 2]) -> Block {
    let difference = versus.accuracy[0] - versus.accuracy[1];
    let (low, high) = versus.interval;
    let verdict = match low > 0.0 || high < 0.0 {
        true => {
            "The interval does not contain 0: on posts like these the difference is more than chance."
        }
        false => "The interval contains 0: the difference may be chance.",
    };
    Block::Headline {
        value: format!("{difference:+.3}"),
        label: format!(
            "accuracy of {} minus that of {}, on the {} labelled test posts of both",
            names[0], names[1], versus.n
        ),
        details: vec![
            format!(
                "95 % interval {low:+.3} to {high:+.3}, {} ({})",
                p_value(versus.p),
                versus.how
            ),
            verdict.to_owned(),
        ],
    }
}

fn figures(versus: &Versus, names: &[String; 2]) -> Table {
    let columns = ["run", "#accuracy", "#posts that it alone tells right"];
    let mut table = Table::new("figures", "Both on the same posts", &columns);
    for (index, name) in names.iter().enumerate() {
        table.rows.push(vec![
            Cell::text(name),
            Cell::share(versus.accuracy[index]),
            Cell::count(versus.only[index]),
        ]);
    }
    table.notes.push(format!(
        "McNemar's exact test of the posts that one alone tells right: {}. One run each: how far another seed would differ is not in these figures; mmfnd sweep compares over seeds.",
        p_value(versus.mcnemar)
    ));
    table
}

/// The surest errors first.
fn disputed(versus: &Versus, posts: &[PostsFile]) -> Table {
    let columns = [
        "post",
        "is",
        "right is",
        "#p_fake, first",
        "#p_fake, second",
        "text",
    ];
    let mut table = Table::new(
        "disputed",
        "One tells them right, the other wrong",
        &columns,
    );
    let mut disputed: Vec<_> = versus.disputed.iter().collect();
    let apart = |post: &Disputed| (post.p_fake[0] - post.p_fake[1]).abs();
    disputed.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
    for post in disputed.iter().take(ROWS) {
        let known = posts.iter().find_map(|file| file.get(&post.post_id));
        table.rows.push(vec![
            Cell::text(&post.post_id),
            Cell::text(if post.fake { "fake" } else { "real" }),
            Cell::text(if post.first_is_right {
                "the first"
            } else {
                "the second"
            }),
            Cell::share(f64::from(post.p_fake[0])),
            Cell::share(f64::from(post.p_fake[1])),
            Cell::text(known.map_or("–", |post| &post.text)),
        ]);
    }
    table
        .notes
        .push("Those whose p_fake lies farthest apart first.".to_owned());
    if disputed.len() > ROWS {
        table
            .notes
            .push(format!("{} more are not shown.", disputed.len() - ROWS));
    }
    table
}

/// Keys of the configuration that are not the same.
fn settings(versus: &Versus) -> Table {
    let configs: Vec<Config> = (versus.folders.iter())
        .map(|folder| runs::config(folder).unwrap_or_default())
        .collect();
    let columns = ["key", "first", "second"];
    let mut table = Table::new("settings", "Settings in which they differ", &columns);
    let keys = configs.iter().flat_map(|config| config.keys());
    for key in keys.collect::<std::collections::BTreeSet<_>>() {
        let value = |index: usize| configs[index].get(key).map_or("–".to_owned(), shown);
        if value(0) != value(1) {
            table.rows.push(vec![
                Cell::text(key),
                Cell::text(value(0)),
                Cell::text(value(1)),
            ]);
        }
    }
    let [first, second] = &versus.folders;
    table.notes.push(format!(
        "First: {}; second: {}.",
        first.display(),
        second.display()
    ));
    if table.rows.is_empty() {
        table
            .notes
            .push("Their configurations are the same.".to_owned());
    }
    table
}
