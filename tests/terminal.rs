//! What people see: help that fits, an interruption that says how to go on, standard output and error that are full.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::program::Mmfnd;
use crate::train::{train, world};

/// The help of a command and of all below it.
fn help_of(command: &[String], pages: &mut Vec<(String, String)>) {
    let mut program = Mmfnd::new(command.iter().map(String::as_str).chain(["--help"])).command();
    let output = program.env_remove("COLUMNS").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let below = text.lines().skip_while(|line| *line != "Commands:").skip(1);
    let below = below.take_while(|line| !line.is_empty());
    let names = below.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let is_name = |name: &&str| *name != "help";
    let is_start = |line: &str| !line.starts_with("   ");
    let starts: Vec<&str> = text.lines().filter(|line| is_start(line)).collect();
    for name in names.filter(is_name) {
        if starts
            .iter()
            .any(|line| line.starts_with(&format!("  {name} ")))
        {
            help_of(&[command, &[name.to_owned()]].concat(), pages);
        }
    }
    pages.push((command.join(" "), text));
}

#[test]
fn the_help_of_every_command_fits_a_terminal_of_80_columns() {
    let mut pages = Vec::new();
    help_of(&[], &mut pages);
    assert!(pages.len() > 20, "{} pages", pages.len());
    for (command, text) in &pages {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "mmfnd {command} --help: {line}");
        }
    }
}

#[test]
fn a_full_disk_under_the_log_ends_no_work() {
    let world = world(64);
    let path = |name: &str| world.path(name).display().to_string();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut quiet = train(&world, "run", &["--set", "train.epochs=1"]).command();
    let output = quiet.stderr(full()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (posts, store) = (path("posts.parquet"), path("store"));
    let sweep = [
        "sweep", "--posts", &posts, "--store", &store, "--seeds", "1",
    ];
    let sweep = sweep
        .into_iter()
        .chain(["--set", "train.epochs=1", "--set", "head.kind=linear"]);
    let out = path("sweep");
    let mut sweep = Mmfnd::new(sweep.chain(["--out", &out])).command();
    let output = sweep.stderr(full()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (demo, made) = (path("world"), path("made"));
    Mmfnd::new(["world", "--posts", "20", "--out", &demo]).succeeds();
    let posts = format!("{demo}/posts.parquet");
    let encode = [
        "encode", "--posts", &posts, "--preset", "demo", "--store", &made,
    ];
    let mut encode = Mmfnd::new(encode).command();
    let output = encode.stderr(full()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let closed = format!("exec \"$0\" world --posts 20 --out '{demo}' 2>&-");
    let program = Mmfnd::new([""; 0]).command().get_program().to_owned();
    let closed = Command::new("sh")
        .args(["-c", &closed])
        .arg(program)
        .status();
    assert!(closed.unwrap().success());
}

#[test]
fn results_that_cannot_be_printed_are_an_error_and_no_fault_of_the_program() {
    for command in [&["models", "list"][..], &["heads"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = Mmfnd::new(command).command().stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: cannot print"), "{said}");
        assert!(said.contains("No space left"), "{said}");
    }
}

#[test]
fn an_interrupted_training_says_how_to_go_on() {
    let world = world(96);
    let mut command = train(&world, "run", &["--set", "train.epochs=3000"]).command();
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    while !world.path("run/checkpoint/last.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(2), "{said}");
    assert!(
        said.contains("interrupted; ") && said.contains("`--resume`"),
        "{said}"
    );
    assert!(fs::read_dir(world.path("run")).unwrap().count() > 0);
}
