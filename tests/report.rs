//! `mmfnd report` over runs of made-up features: the page, its tables, and what becomes of what is missing or broken.

use std::fs;
use std::path::{Path, PathBuf};

use mmfnd_posts::write_posts;
use serde_json::Value;

use crate::program::{Mmfnd, Ran};
use crate::train::world::{World, posts};
use crate::train::{SMALL, train};

/// A world whose every post is a script, with one run of the whole head and one of the text alone.
fn world_of_scripts() -> World {
    let mut posts = posts(96);
    for post in &mut posts {
        post.text = format!("</script><script>alert('{}')</script>\"&amp;", post.id);
        post.event = Some(format!("<b>event {}</b>", post.id.len()));
    }
    let world = World::new(posts);
    write_posts(&world.path("posts.parquet"), &world.posts).unwrap();
    train(&world, "runs/whole", &[]).succeeds();
    let text_only = ["--set", "head.ablation=text-only"];
    train(&world, "runs/text", &text_only).succeeds();
    world
}

fn report(world: &World, more: &[&str]) -> Mmfnd {
    let path = |name: &str| world.path(name).display().to_string();
    let (runs, posts) = (path("runs"), path("posts.parquet"));
    Mmfnd::new(
        ["report", &runs, "--posts", &posts]
            .into_iter()
            .chain(more.iter().copied()),
    )
}

fn page(world: &World, name: &str) -> String {
    let out = world.path(name);
    report(world, &["--out", out.to_str().unwrap()]).succeeds();
    fs::read_to_string(out).unwrap()
}

#[test]
fn the_page_is_whole_asks_no_network_and_shows_a_script_as_text() {
    let world = world_of_scripts();
    let html = page(&world, "page.html");
    assert!(html.starts_with("<!doctype html>"), "{:.80}", html);
    assert!(html.trim_end().ends_with("</html>"));
    for part in [
        "<svg",
        "roc-a",
        "learning-loss-a",
        "gates-a",
        "events-a",
        "ablations-a",
        "as published",
    ] {
        assert!(html.contains(part), "no `{part}` on the page");
    }
    let without_names = html.replace("http://www.w3.org/2000/svg", "");
    for reference in [
        "http:", "https:", "src=", "url(//", "@import", "<link", "<iframe", "fetch(",
    ] {
        assert!(
            !without_names.contains(reference),
            "the page has `{reference}`"
        );
    }
    assert_eq!(html.matches("<script").count(), 1, "ours alone");
    assert!(
        html.contains("&#60;script&#62;alert(&#39;p"),
        "no card shows the post"
    );
    assert!(!html.contains("<b>event"));
    let shown: Value = serde_json::from_slice(&fs::read(world.path("page.json")).unwrap()).unwrap();
    assert_eq!(shown["sections"][0]["id"], "answer");
    let again = page(&world, "again.html");
    assert!(html == again, "the same runs give another page");
}

#[test]
fn tables_are_printed_in_four_formats_and_figures_written() {
    let world = world_of_scripts();
    let printed = |format| report(&world, &["--format", format]).succeeds().stdout;
    let md = printed("md");
    assert!(md.contains("### Table 1: methods on"), "{md}");
    assert!(
        md.contains("| MMFND w/o") || md.contains("| MMFND text-only |"),
        "{md}"
    );
    let csv = printed("csv");
    assert!(
        csv.contains("method,accuracy,fake news precision,"),
        "{csv}"
    );
    let json: Value = serde_json::from_str(&printed("json")).unwrap();
    assert!(json["sections"].as_array().unwrap().len() > 5);
    let latex = printed("latex");
    for environment in ["table", "tabular"] {
        let count = |what: &str| latex.matches(&format!("\\{what}{{{environment}}}")).count();
        assert!(count("begin") > 4, "{latex}");
        assert_eq!(count("begin"), count("end"));
    }
    assert!(latex.is_ascii() || !latex.contains('±'), "{latex}");
    let figures = world.path("figures");
    report(&world, &["--figures", figures.to_str().unwrap()]).succeeds();
    let svg = fs::read_to_string(figures.join("roc-a.svg")).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=") && !svg.contains("var(--"),
        "{svg:.200}"
    );
    assert!(
        fs::read(figures.join("roc-a.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn what_cannot_be_reported_on_is_an_error_with_a_remedy() {
    let world = world_of_scripts();
    let path = |name: &str| world.path(name).display().to_string();
    let missing = path("nowhere");
    Mmfnd::new(["report", &missing])
        .fails()
        .expect_stderr("nowhere");
    fs::create_dir(world.path("empty")).unwrap();
    let empty = ["report", &path("empty"), "--out", &path("page.html")];
    Mmfnd::new(empty)
        .fails()
        .expect_stderr("no finished run in")
        .expect_stderr("mmfnd train");
    assert!(!world.path("page.html").exists());
    let (posts, metrics) = (path("posts.parquet"), path("runs/whole/metrics.json"));
    let before = [&posts, &metrics].map(|file| fs::read(file).unwrap());
    for out in [&posts, &metrics] {
        report(&world, &["--out", out])
            .fails()
            .expect_stderr("would be replaced");
    }
    // the JSON beside the page would replace a run's file, too
    report(&world, &["--out", &path("runs/whole/metrics.html")])
        .fails()
        .expect_stderr("would be replaced");
    assert!(before == [&posts, &metrics].map(|file| fs::read(file).unwrap()));
}

/// The lines of the page that say what was left out.
fn left_out(html: &str) -> Vec<&str> {
    let items = html
        .split("<li>")
        .filter_map(|item| item.split("</li>").next());
    items
        .filter(|item| item.starts_with("Left out: "))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_is_unfinished_damaged_or_newer_is_named_on_the_page_and_left_out() {
    let world = world_of_scripts();
    let whole = world.path("runs/whole");
    let broken = |name: &str| -> PathBuf {
        let folder = world.path("runs").join(name);
        copy(&whole, &folder);
        folder
    };
    fs::remove_file(broken("half").join("metrics.json")).unwrap();
    let damaged = broken("torn").join("metrics.json");
    let text = fs::read_to_string(&damaged).unwrap();
    fs::write(&damaged, &text[..text.len() / 2]).unwrap();
    let newer = broken("newer").join("run.json");
    let text = fs::read_to_string(&newer).unwrap();
    fs::write(&newer, text.replacen("\"format\": 1", "\"format\": 7", 1)).unwrap();
    let html = page(&world, "page.html");
    let left_out = left_out(&html);
    for (name, what) in [
        ("half", "is not finished"),
        ("torn", "is damaged"),
        ("newer", "is of format 7"),
    ] {
        let is_said = |line: &&str| line.contains(name) && line.contains(what);
        assert_eq!(
            left_out.iter().filter(|line| is_said(line)).count(),
            1,
            "{left_out:?}"
        );
    }
    assert_eq!(left_out.len(), 3, "{left_out:?}");
    fs::remove_dir_all(&whole).unwrap();
    fs::remove_dir_all(world.path("runs/text")).unwrap();
    report(
        &world,
        &["--out", world.path("none.html").to_str().unwrap()],
    )
    .fails()
    .expect_stderr("is of format 7");
}

#[test]
fn runs_of_different_test_sets_stand_in_separate_blocks_with_the_reason() {
    let first = world_of_scripts();
    let other = crate::train::world(64);
    train(&other, "runs/whole", &[]).succeeds();
    let path = |world: &World, name: &str| world.path(name).display().to_string();
    let out = path(&first, "page.html");
    let folders = [path(&first, "runs"), path(&other, "runs")];
    Mmfnd::new(["report", &folders[0], &folders[1], "--out", &out]).succeeds();
    let html = fs::read_to_string(&out).unwrap();
    assert!(html.contains("figures over different posts cannot be ranked"));
    for table in ["methods-a", "methods-b"] {
        assert!(
            html.contains(&format!("<table id=\"{table}\"")),
            "no table {table}"
        );
    }
}

#[test]
fn a_sweep_that_still_runs_is_reported_as_far_as_it_is() {
    let world = crate::train::world(96);
    let path = |name: &str| world.path(name).display().to_string();
    let (posts, store, out) = (path("posts.parquet"), path("store"), path("runs/grid"));
    let sweep = ["sweep", "--posts", &posts, "--store", &store, "--out", &out];
    let grid = ["--grid", "head.experts=1..3", "--seeds", "2"];
    let small = SMALL.iter().flat_map(|&setting| ["--set", setting]);
    Mmfnd::new(sweep.into_iter().chain(grid).chain(small)).succeeds();
    let html = page(&world, "done.html");
    assert!(html.contains("experts-accuracy-figure"), "no figure 4");
    assert!(left_out(&html).is_empty());
    let records = world.path("runs/grid/runs.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let torn = format!("{}\n{}", lines[..4].join("\n"), &lines[4][..40]);
    fs::write(&records, torn).unwrap();
    let html = page(&world, "running.html");
    assert!(
        left_out(&html)[0].contains("is not finished: 4 of 6 runs"),
        "{:?}",
        left_out(&html)
    );
}

#[test]
fn the_page_is_in_the_readme_and_the_changelog() {
    for file in ["README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.contains("mmfnd report"), "{file} does not mention it");
    }
}

#[test]
fn help_names_what_is_written() {
    let ran: Ran = Mmfnd::new(["report", "--help"]).succeeds();
    ran.expect_stdout("--figures").expect_stdout("latex");
}

#[test]
fn what_the_classifier_reads_is_kept_and_drawn_unless_it_is_of_other_weights() {
    let world = world_of_scripts();
    let path = |name: &str| world.path(name).display().to_string();
    let (posts, store) = (path("posts.parquet"), path("store"));
    let keep = |run: &str, out: &str| {
        let (run, out) = (path(run), path(out));
        let predict = ["predict", &run, "--posts", &posts, "--store", &store];
        Mmfnd::new(
            predict
                .into_iter()
                .chain(["--out", &out, "--with-aggregate"]),
        )
        .succeeds();
    };
    keep("runs/whole", "aggregate.csv");
    let table = fs::read_to_string(world.path("aggregate.csv")).unwrap();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().ends_with(",similarity,aggregate"));
    let widths: Vec<_> = lines
        .map(|line| line.rsplit(',').next().unwrap().split(' ').count())
        .collect();
    assert!(
        widths.len() == 96 && widths.iter().all(|width| *width == widths[0] && *width > 1),
        "{widths:?}"
    );
    for _ in 0..2 {
        keep("runs/whole", "runs/whole/aggregate.parquet"); // its own file is replaced
    }
    let html = page(&world, "page.html");
    for part in [
        "projection-0-label-a",
        "projection-0-event-a",
        "separation-a",
    ] {
        assert!(html.contains(part), "no `{part}`");
    }
    fs::copy(
        world.path("runs/whole/aggregate.parquet"),
        world.path("runs/text/aggregate.parquet"),
    )
    .unwrap();
    let html = page(&world, "page.html");
    assert!(
        left_out(&html)
            .iter()
            .any(|line| line.contains("its p_fake are others")),
        "{:?}",
        left_out(&html)
    );
    train(&world, "runs/whole", &["--overwrite", "--seed", "9"]).succeeds();
    assert!(
        !world.path("runs/whole/aggregate.parquet").exists(),
        "it is of the weights that went"
    );
}

#[test]
fn two_runs_are_compared_post_by_post() {
    let world = world_of_scripts();
    let path = |name: &str| world.path(name).display().to_string();
    let (whole, text, posts, out) = (
        path("runs/whole"),
        path("runs/text"),
        path("posts.parquet"),
        path("versus.html"),
    );
    let compare = ["compare", &whole, &text, "--posts", &posts, "--out", &out];
    let shown = Mmfnd::new(compare).succeeds();
    for part in [
        "24 labelled test posts of both",
        "a minus b: ",
        "McNemar's exact test: p = ",
    ] {
        assert!(
            shown.stdout.contains(part),
            "no `{part}` in {}",
            shown.stdout
        );
    }
    let html = fs::read_to_string(&out).unwrap();
    assert!(
        html.contains("whole against text") && html.contains("head.ablation"),
        "{html:.300}"
    );
    let same = Mmfnd::new(["compare", &whole, &whole]).succeeds();
    assert!(
        same.stdout
            .contains("a minus b: +0.000, 95 % interval [+0.000, +0.000], p = 1.000"),
        "{}",
        same.stdout
    );
    let other = crate::train::world(64);
    for (index, post) in posts_of(&other).into_iter().enumerate() {
        assert_eq!(
            post,
            format!("p{index}"),
            "the same ids as in the first world"
        );
    }
    train(&other, "run", &[]).succeeds();
    let other = other.path("run").display().to_string();
    Mmfnd::new(["compare", &whole, &other])
        .succeeds()
        .expect_stdout("8 labelled test posts belong to one of the runs alone");
    Mmfnd::new(["compare", &whole, &path("runs")])
        .fails()
        .expect_stderr("is no run directory");
    let before = fs::read(&posts).unwrap();
    for command in [&["compare", &whole, &text][..], &["report", &whole]] {
        Mmfnd::new(command.iter().copied().chain(["--out", &posts]))
            .fails()
            .expect_stderr("one that ends in `.html`");
    }
    assert!(before == fs::read(&posts).unwrap());
}

fn posts_of(world: &World) -> Vec<String> {
    world.posts.iter().map(|post| post.id.clone()).collect()
}

#[test]
fn event_files_of_runs_and_sweeps_are_there_when_asked_for_and_of_resumed_runs_whole() {
    let world = crate::train::world(96);
    let path = |name: &str| world.path(name).display().to_string();
    let file = |run: &str| {
        world
            .path(run)
            .join("tensorboard/events.out.tfevents.0.mmfnd")
    };
    train(&world, "plain", &[]).succeeds();
    assert!(!file("plain").exists());
    train(&world, "run", &["--tensorboard"]).succeeds();
    let bytes = fs::read(file("run")).unwrap();
    let steps = |bytes: &[u8]| {
        bytes
            .windows(10)
            .filter(|window| window == b"loss/train")
            .count()
    };
    assert_eq!(steps(&bytes), 4, "an epoch each");
    let (posts, store, out) = (path("posts.parquet"), path("store"), path("grid"));
    let sweep = [
        "sweep",
        "--posts",
        &posts,
        "--store",
        &store,
        "--out",
        &out,
        "--tensorboard",
    ];
    let grid = ["--grid", "head.experts=1..2", "--seeds", "1"];
    let small = SMALL.iter().flat_map(|&setting| ["--set", setting]);
    let ran = Mmfnd::new(sweep.into_iter().chain(grid).chain(small)).succeeds();
    for run in ["experts=1,seed=1", "experts=2,seed=1"] {
        assert_eq!(
            steps(&fs::read(file(&format!("grid/runs/{run}"))).unwrap()),
            4
        );
        assert!(
            ran.stderr.contains(&format!("{run}: validation accuracy")),
            "{ran:?}"
        );
    }
    assert!(
        ran.stderr.contains("best so far") && ran.stderr.contains("2 of 2 runs done"),
        "{ran:?}"
    );
}
