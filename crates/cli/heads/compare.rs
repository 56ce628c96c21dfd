//! `mmfnd compare`: two runs on the same test posts, and the posts on which they differ.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use mmfnd_posts::{Label, Post};
use mmfnd_report::{Disputed, Versus, p_value};
use mmfnd_train::statistics::RESAMPLES;
use mmfnd_train::{Differing, Pair, RunDir};

use crate::report::{check_page, write_page};
use crate::show::note::note;
use crate::show::table::{left, right, table};

/// Posts that are printed.
const PRINTED: usize = 20;

/// Compare two runs on the test posts that both have: a paired test, and the posts on which they differ
///
/// With --posts, posts that share a picture are drawn together, and their texts are shown.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the first run
    #[arg(value_name = "RUN_A")]
    first: PathBuf,
    /// Folder of the second run
    #[arg(value_name = "RUN_B")]
    second: PathBuf,
    /// Posts that the runs are about; repeatable
    #[arg(long, value_name = "FILE")]
    posts: Vec<PathBuf>,
    /// Also write the comparison as a page, with all posts on which they differ
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let folders = [arguments.first, arguments.second];
    if let Some(out) = &arguments.out {
        let reads = folders.iter().chain(&arguments.posts);
        check_page(out, &reads.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let [first, second] = [RunDir::open(&folders[0])?, RunDir::open(&folders[1])?];
    let mut posts = HashMap::new();
    for path in &arguments.posts {
        let read = mmfnd_posts::read_posts(path)?;
        posts.extend(read.into_iter().map(|post| (post.id.clone(), post)));
    }
    let picture = |id: &str| {
        let path = posts.get(id)?.images.first()?;
        Some(path.display().to_string())
    };
    let pair = Pair::of(&first, &second, &picture)?;
    let text = in_words(&pair, &folders, &posts);
    let mut stdout = std::io::stdout().lock();
    (stdout.write_all(text.as_bytes())).context("cannot print the comparison")?;
    if let Some(out) = &arguments.out {
        let versus = versus(&pair, folders, arguments.posts);
        write_page(&mmfnd_report::versus(&versus)?, out)?;
        note(format_args!("`{}`: open it in a browser", out.display()));
    }
    Ok(())
}

fn how(pair: &Pair) -> String {
    let of = match pair.clusters == pair.posts {
        true => "posts".to_owned(),
        false => format!("{} pictures, with their posts", pair.clusters),
    };
    format!("paired bootstrap, {RESAMPLES} draws of the {of}")
}

fn warnings(pair: &Pair) -> Vec<String> {
    match pair.unshared {
        0 => Vec::new(),
        n => vec![format!(
            "{n} labelled test posts belong to one of the runs alone and are left out."
        )],
    }
}

fn in_words(pair: &Pair, folders: &[PathBuf; 2], posts: &HashMap<String, Post>) -> String {
    let accuracy = folders
        .iter()
        .zip(pair.accuracy)
        .zip([pair.mcnemar.only_first, pair.mcnemar.only_second]);
    let rows = accuracy
        .zip(["a", "b"])
        .map(|(((folder, accuracy), only), name)| {
            vec![
                name.to_owned(),
                format!("{accuracy:.3}"),
                only.to_string(),
                folder.display().to_string(),
            ]
        });
    let columns = vec![
        left("run"),
        right("accuracy"),
        right("right alone"),
        left("folder"),
    ];
    let mut text = format!(
        "{} labelled test posts of both\n{}",
        pair.posts,
        table(columns, rows)
    );
    for warning in warnings(pair) {
        text += &format!("note: {warning}\n");
    }
    let difference = pair.difference;
    text += &format!(
        "\na minus b: {:+.3}, 95 % interval [{:+.3}, {:+.3}], {} ({})\nMcNemar's exact test: {}\n",
        difference.mean,
        difference.low,
        difference.high,
        p_value(difference.p),
        how(pair),
        p_value(pair.mcnemar.p)
    );
    if pair.differing.is_empty() {
        return text + "no post that one tells right and the other wrong\n";
    }
    let mut differing: Vec<_> = pair.differing.iter().collect();
    let apart = |post: &Differing| (post.p_fake[0] - post.p_fake[1]).abs();
    differing.sort_by(|x, y| apart(y).total_cmp(&apart(x)));
    let columns = vec![
        left("post"),
        left("is"),
        left("right"),
        right("p_fake a"),
        right("p_fake b"),
        left("text"),
    ];
    let row = |post: &&Differing| {
        let text = posts
            .get(&post.post_id)
            .map_or("", |post| post.text.as_str());
        vec![
            post.post_id.clone(),
            post.label.to_string(),
            (if post.first_is_right { "a" } else { "b" }).to_owned(),
            format!("{:.3}", post.p_fake[0]),
            format!("{:.3}", post.p_fake[1]),
            text.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(60)
                .collect(),
        ]
    };
    let rows = differing.iter().take(PRINTED).map(row);
    text += &format!(
        "\n{} posts that one tells right and the other wrong, p_fake farthest apart first\n{}",
        differing.len(),
        table(columns, rows)
    );
    if differing.len() > PRINTED {
        text += &format!(
            "and {} more; --out writes a page with all of them\n",
            differing.len() - PRINTED
        );
    }
    text
}

fn versus(pair: &Pair, folders: [PathBuf; 2], posts: Vec<PathBuf>) -> Versus {
    let disputed = |post: &Differing| Disputed {
        post_id: post.post_id.clone(),
        fake: post.label == Label::Fake,
        p_fake: post.p_fake,
        first_is_right: post.first_is_right,
    };
    Versus {
        folders,
        posts,
        n: pair.posts,
        accuracy: pair.accuracy,
        interval: (pair.difference.low, pair.difference.high),
        p: pair.difference.p,
        how: how(pair),
        only: [pair.mcnemar.only_first, pair.mcnemar.only_second],
        mcnemar: pair.mcnemar.p,
        disputed: pair.differing.iter().map(disputed).collect(),
        warnings: warnings(pair),
    }
}
