//! `--device cuda` where it cannot be had: an error that says why, before anything is written, and never the CPU instead.

use std::path::{Path, PathBuf};

use mmfnd_demo_world::{WorldOptions, generate};

use crate::program::Mmfnd;

/// A small demo world's `posts.parquet`.
fn world(folder: &Path) -> PathBuf {
    generate(&WorldOptions { seed: 3, posts: 6 }, folder).unwrap();
    folder.join("posts.parquet")
}

/// The ONNX Runtime for CPUs that the program finds or fetches.
fn cpu_library() -> String {
    let said = Mmfnd::new(["doctor"]).succeeds().stdout;
    let line = said.lines().find(|line| line.starts_with("  library "));
    let line = line.unwrap_or_else(|| panic!("no library in {said}"));
    line.split('`').nth(1).unwrap().to_owned()
}

fn encode(folder: &Path, store: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let posts = world(folder);
    let mut run = Mmfnd::new(["encode", "--preset", "demo", "--device", "cuda"]).command();
    run.arg("--posts").arg(posts).arg("--store").arg(store);
    run.env_remove("ORT_DYLIB_PATH")
        .envs(variables.iter().copied());
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn without_the_library_the_command_that_fetches_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let nowhere = folder.path().to_str().unwrap();
    let variables = [("MMFND_CACHE", nowhere), ("PATH", nowhere)];
    let (code, said) = encode(folder.path(), &store, &variables);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("device `cuda` cannot be used"), "{said}");
    assert!(said.contains("`mmfnd doctor --install cuda`"), "{said}");
    assert!(
        said.contains("no ONNX Runtime with the CUDA provider is installed"),
        "{said}"
    );
    assert!(!store.exists(), "nothing is written");
}

#[test]
fn a_library_without_the_provider_is_no_reason_to_use_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (code, said) = encode(folder.path(), &store, &[("ORT_DYLIB_PATH", &cpu_library())]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("device `cuda` cannot be used"), "{said}");
    assert!(said.contains("CUDA"), "{said}");
    assert!(!store.exists(), "nothing is written");
}
