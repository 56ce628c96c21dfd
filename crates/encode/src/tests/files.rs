//! Stores that cannot be written.

use tempfile::tempdir;

use super::fakes::{Fakes, post, run};

#[test]
fn a_store_under_a_file_is_refused_and_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for store in [file.clone(), file.join("store")] {
        let said = run(&[post("1", "a", &[])], &Fakes::new(), &store)
            .unwrap_err()
            .to_string();
        assert!(said.contains("file"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "x").unwrap();
    let said = run(&[post("1", "a", &[])], &Fakes::new(), folder.path())
        .unwrap_err()
        .to_string();
    assert!(said.contains("is no feature store"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn two_runs_do_not_write_at_once() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let first = mmfnd_features::StoreWriter::open(&store).unwrap();
    let said = run(&[post("1", "a", &[])], &Fakes::new(), &store)
        .unwrap_err()
        .to_string();
    assert!(said.contains("another `mmfnd` is writing"), "{said}");
    drop(first);
    run(&[post("1", "a", &[])], &Fakes::new(), &store).unwrap();
}
