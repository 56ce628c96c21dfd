//! The rules of the house that no compiler knows: imports run one way, folders stay small, comments fit the page.
//!
//! Needs nothing but the source: `rustc --edition 2024 --test tests/house.rs -o house && ./house` is the quick way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module as its path below the crate; the file that stands for a folder (or the crate) is called `mod` in it.
type Module = Vec<String>;

/// Files side by side in one folder, the one that stands for the folder not counted.
const MOST_FILES: usize = 12;
const WIDEST_COMMENT: usize = 120;

#[test]
fn imports_run_one_way() {
    let mut circles = Vec::new();
    for (name, source) in crates() {
        let files = read_crate(&source);
        assert!(files.len() > 1, "no source in {}", source.display());
        circles.extend(
            circles_of(&files)
                .into_iter()
                .map(|circle| format!("{name}: {circle}")),
        );
    }
    assert!(
        circles.is_empty(),
        "these modules import each other:\n{}",
        circles.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_folders_and_re_exports() {
    let file = |text: &str| text.to_owned();
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Module>();
    let files = BTreeMap::from([
        (
            module("mod"),
            file("pub mod low;\npub mod high;\npub use high::Top;\n"),
        ),
        (module("low/mod"), file("mod deep;\npub use deep::Base;\n")),
        (
            module("low/deep"),
            file("use crate::{Top, high::{self}};\npub struct Base;"),
        ),
        (
            module("high"),
            file("use crate::low::Base;\npub struct Top;"),
        ),
    ]);
    assert_eq!(
        circles_of(&files),
        ["high → low → high (high imports low/deep, low/deep imports high)"]
    );
    let mut straight = files;
    straight.insert(
        module("low/deep"),
        file(
            "use super::super::other; // crate::high\n#[cfg(test)]\nmod tests { use crate::Top; }",
        ),
    );
    assert!(circles_of(&straight).is_empty());
}

#[test]
fn folders_are_small_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for (_, source) in crates() {
        let mut folders = BTreeMap::<PathBuf, usize>::new();
        for path in rust_files(&source) {
            let folder = path.parent().expect("a file has a folder").to_owned();
            let stands_for_folder = ["mod.rs", "lib.rs", "main.rs"]
                .iter()
                .any(|name| path.ends_with(name));
            *folders.entry(folder).or_default() += usize::from(!stands_for_folder);
            if stands_for_folder {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let lines = text
                    .lines()
                    .take_while(|line| line.starts_with("//!") && line.trim() != "//!")
                    .count();
                if lines == 0 || lines > 3 {
                    faults.push(format!(
                        "{}: should open with one to three lines of `//!`, has {lines}",
                        path.display()
                    ));
                }
            }
        }
        let crowded = folders.iter().filter(|(_, files)| **files > MOST_FILES);
        faults
            .extend(crowded.map(|(folder, files)| {
                format!("{}: {files} files side by side", folder.display())
            }));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn comments_fit_the_page() {
    let mut wide = Vec::new();
    for (_, source) in crates() {
        for path in rust_files(
            source
                .parent()
                .filter(|_| source.ends_with("src"))
                .unwrap_or(&source),
        ) {
            let text = fs::read_to_string(&path).expect("a source file is text");
            for (number, line) in text.lines().enumerate() {
                if line.trim_start().starts_with("//") && line.chars().count() > WIDEST_COMMENT {
                    wide.push(format!("{}:{}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(
        wide.is_empty(),
        "comments wider than {WIDEST_COMMENT} columns:\n{}",
        wide.join("\n")
    );
}

/// Name and source folder of each crate.
fn crates() -> Vec<(String, PathBuf)> {
    let root =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let folders = fs::read_dir(root.join("crates")).expect("`crates` lies beside Cargo.toml");
    let mut crates: Vec<_> = folders
        .map(|entry| entry.expect("`crates` can be read").path())
        .map(|path| {
            let name = path
                .file_name()
                .expect("a folder has a name")
                .to_string_lossy()
                .into_owned();
            let source = Some(path.join("src"))
                .filter(|source| source.is_dir())
                .unwrap_or(path);
            (name, source)
        })
        .collect();
    crates.sort();
    crates
}

/// Every Rust file below a folder; folders and files of tests are left out.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a source folder can be read").path();
        if path.is_dir() && !path.ends_with("tests") && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The modules of a crate with their text, comments and unit tests taken away.
fn read_crate(source: &Path) -> BTreeMap<Module, String> {
    let mut files = BTreeMap::new();
    for path in rust_files(source) {
        let below = path
            .strip_prefix(source)
            .expect("it was found there")
            .with_extension("");
        let mut module: Module = below
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if let Some(last) = module
            .last_mut()
            .filter(|last| ["lib", "main"].contains(&last.as_str()))
        {
            *last = "mod".into();
        }
        files.insert(
            module,
            fs::read_to_string(&path).expect("a source file is text"),
        );
    }
    files
}

/// The text without comments, and without what stands behind `#[cfg(test)]` where that is a module of its own text.
fn code_of(text: &str) -> String {
    let of_tests = ["#[cfg(test)]", "#[cfg(all(test"];
    let tests = of_tests.iter().filter_map(|mark| text.find(mark)).min();
    let tests = tests.filter(|at| {
        let behind = text[*at..]
            .lines()
            .find(|line| !line.trim_start().starts_with("#["));
        behind.is_some_and(|line| line.contains("mod ") && line.contains('{'))
    });
    let lines = text[..tests.unwrap_or(text.len())].lines();
    lines
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Circles among the files and folders that stand side by side, each told once.
fn circles_of(files: &BTreeMap<Module, String>) -> Vec<String> {
    let code: BTreeMap<&Module, String> = files
        .iter()
        .map(|(module, text)| (module, code_of(text)))
        .collect();
    let exports: BTreeMap<&Module, Vec<(String, Module)>> = code
        .iter()
        .map(|(module, text)| {
            (
                *module,
                uses(module, text)
                    .into_iter()
                    .filter(|u| u.exported)
                    .map(|u| (u.name, u.path))
                    .collect(),
            )
        })
        .collect();
    let mut arrows = BTreeMap::<Module, BTreeMap<(String, String), String>>::new();
    for (module, text) in &code {
        for import in uses(module, text) {
            let only_passed_on = import.exported
                && text
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .filter(|word| *word == import.name)
                    .count()
                    == 1;
            let Some(target) =
                resolve(&import.path, files, &exports, 0).filter(|_| !only_passed_on)
            else {
                continue;
            };
            let shared = module
                .iter()
                .zip(&target)
                .take_while(|(a, b)| a == b)
                .count();
            if **module != target {
                let told = format!("{} imports {}", module.join("/"), target.join("/"));
                let pair = (module[shared].clone(), target[shared].clone());
                arrows
                    .entry(module[..shared].to_vec())
                    .or_default()
                    .entry(pair)
                    .or_insert(told);
            }
        }
    }
    arrows
        .iter()
        .filter_map(|(folder, arrows)| circle(folder, arrows))
        .collect()
}

struct Use {
    /// As `crate::` would have it, without that.
    path: Module,
    name: String,
    exported: bool,
}

/// Every path that a file names: in `use` items, and in the code with `crate::` or `super::` before it.
fn uses(module: &Module, text: &str) -> Vec<Use> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ").filter(|_| rest.contains(';')) {
        let line = &rest[rest[..at].rfind('\n').map_or(0, |end| end + 1)..at];
        let is_item = line.trim().is_empty() || line.trim().starts_with("pub");
        let end = if is_item {
            rest[at..].find(';').map_or(rest.len(), |end| at + end)
        } else {
            at + 4
        };
        if is_item {
            let mut leaves = Vec::new();
            expand(rest[at + 4..end].trim(), &[], &mut leaves);
            found.extend(leaves.into_iter().map(|(path, name)| Use {
                path,
                name,
                exported: line.trim().starts_with("pub"),
            }));
        }
        rest = &rest[end..];
    }
    for start in ["crate::", "super::"] {
        for (at, _) in text
            .match_indices(start)
            .filter(|(at, _)| !text[..*at].ends_with([':', '_']))
        {
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let path = text[at..].split(|c| !is_path(c)).next().unwrap_or("");
            if path.ends_with(':') {
                continue; // a tree of imports, read above
            }
            let path: Module = path.split("::").map(str::to_owned).collect();
            let name = path.last().cloned().unwrap_or_default();
            found.push(Use {
                path,
                name,
                exported: false,
            });
        }
    }
    found
        .into_iter()
        .filter_map(|u| {
            Some(Use {
                path: absolute(module, &u.path)?,
                ..u
            })
        })
        .collect()
}

/// The leaves of a tree of imports, each with the name that it has in the file.
fn expand(tree: &str, before: &[String], leaves: &mut Vec<(Module, String)>) {
    let Some((head, inside)) = tree.split_once('{') else {
        let (path, alias) = tree
            .split_once(" as ")
            .map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let parts = path
            .split("::")
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty() && part != "self" || before.is_empty());
        let path: Module = before.iter().cloned().chain(parts).collect();
        let name = alias.map_or_else(
            || path.last().cloned().unwrap_or_default(),
            |alias| alias.trim().to_owned(),
        );
        return leaves.push((path, name));
    };
    let head = head
        .split("::")
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty());
    let before: Module = before.iter().cloned().chain(head).collect();
    let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
    let mut depth = 0;
    for branch in inside.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    }) {
        if !branch.trim().is_empty() {
            expand(branch.trim(), &before, leaves);
        }
    }
}

/// A path from the crate's root; none if it leads out of the crate. A name without `crate`, `self` or `super` may be a child.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let mut here = module.clone();
    let is_folder = here.last().is_some_and(|last| last == "mod");
    let mut path = path.iter().peekable();
    match path.peek().map(|part| part.as_str())? {
        "crate" => {
            here.clear();
            path.next();
        }
        "self" => {
            path.next();
            if is_folder {
                here.pop();
            }
        }
        "super" => {
            here.pop();
            let mut first = true;
            while path.next_if(|part| *part == "super").is_some() {
                if !first || is_folder {
                    here.pop()?;
                }
                first = false;
            }
        }
        _ if is_folder => {
            here.pop();
        }
        _ => return None,
    }
    here.extend(path.cloned());
    Some(here)
}

/// The file that defines what a path names, re-exports followed; none where it is of another crate.
fn resolve(
    path: &Module,
    files: &BTreeMap<Module, String>,
    exports: &BTreeMap<&Module, Vec<(String, Module)>>,
    depth: usize,
) -> Option<Module> {
    let folder = |path: &[String]| {
        path.iter()
            .cloned()
            .chain(["mod".to_owned()])
            .collect::<Module>()
    };
    let known = |path: &[String]| {
        [path.to_vec(), folder(path)]
            .into_iter()
            .find(|module| files.contains_key(module))
    };
    let inside = (0..=path.len())
        .rev()
        .find(|end| known(&path[..*end]).is_some())?;
    let module = known(&path[..inside])?;
    let Some(name) = path.get(inside) else {
        return Some(module);
    };
    let passed_on = exports
        .get(&module)
        .into_iter()
        .flatten()
        .find(|(exported, _)| exported == name || exported == "*");
    match passed_on {
        Some((_, from)) if depth < 8 => resolve(from, files, exports, depth + 1).or(Some(module)),
        _ if inside == 0 && !files[&module].contains(name.as_str()) => None,
        _ => Some(module),
    }
}

/// One circle among the arrows of a folder, if there is any.
fn circle(folder: &[String], arrows: &BTreeMap<(String, String), String>) -> Option<String> {
    let nodes: BTreeSet<&String> = arrows.keys().map(|(from, _)| from).collect();
    for start in nodes {
        let mut ways = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let here = *way.last()?;
            for (from, to) in arrows.keys().filter(|(from, _)| from == here) {
                if to == start {
                    let names: Vec<_> = way
                        .iter()
                        .map(|name| name.as_str())
                        .chain([start.as_str()])
                        .collect();
                    let told: Vec<_> = names
                        .windows(2)
                        .map(|pair| arrows[&(pair[0].to_owned(), pair[1].to_owned())].clone())
                        .collect();
                    let place = if folder.is_empty() {
                        String::new()
                    } else {
                        format!("in {}: ", folder.join("/"))
                    };
                    return Some(format!(
                        "{place}{} ({})",
                        names.join(" → "),
                        told.join(", ")
                    ));
                }
                if seen.insert((from.clone(), to.clone())) {
                    ways.push(way.iter().copied().chain([to]).collect());
                }
            }
        }
    }
    None
}
