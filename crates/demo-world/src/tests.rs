//! Whole worlds: reproducible, complete, and with nothing shared between splits.

use std::collections::{BTreeMap, HashMap, HashSet};

use mmfnd_posts::{Split, read_posts};

use super::*;

const SMALL: WorldOptions = WorldOptions { seed: 5, posts: 60 };

/// Every file below a folder with its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

#[test]
fn a_seed_gives_one_world_byte_for_byte_and_again_over_itself() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    for folder in &folders[..2] {
        generate(&SMALL, folder.path()).unwrap();
    }
    let first = content(folders[0].path());
    assert_eq!(first.len(), 62);
    assert!(first == content(folders[1].path()));
    generate(&SMALL, folders[0].path()).unwrap();
    assert!(first == content(folders[0].path()));
    generate(&WorldOptions { seed: 6, ..SMALL }, folders[2].path()).unwrap();
    let other = content(folders[2].path());
    let table = Path::new("posts.parquet");
    assert!(first[table] != other[table]);
}

#[test]
fn the_posts_are_those_in_the_table_and_their_pictures_exist() {
    let folder = tempfile::tempdir().unwrap();
    let posts = generate(&SMALL, folder.path()).unwrap();
    assert_eq!(posts.len(), 60);
    assert_eq!(
        read_posts(&folder.path().join("posts.parquet")).unwrap(),
        posts
    );
    for post in &posts {
        assert!(post.images[0].is_file());
        assert_eq!(post.label == Some(Label::Fake), post.cause.is_some());
    }
    let facts = fs::read_to_string(folder.path().join("facts.jsonl")).unwrap();
    assert_eq!(facts.lines().count(), 60);
}

#[test]
fn splits_share_no_event_and_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let posts = generate(
        &WorldOptions {
            seed: 7,
            posts: 300,
        },
        folder.path(),
    )
    .unwrap();
    let mut split_of: HashMap<String, Split> = HashMap::new();
    let mut pictures = HashSet::new();
    for post in &posts {
        let event = post.event.clone().unwrap();
        assert_eq!(*split_of.entry(event).or_insert(post.split), post.split);
        assert!(
            pictures.insert(fs::read(&post.images[0]).unwrap()),
            "{}",
            post.id
        );
    }
    let count = |split| posts.iter().filter(|post| post.split == split).count();
    assert_eq!(
        [Split::Train, Split::Validation, Split::Test].map(count),
        [210, 30, 60]
    );
}

#[test]
fn unlabelled_scenes_have_no_table_and_no_cause() {
    let folder = tempfile::tempdir().unwrap();
    generate_unlabelled(&SMALL, folder.path()).unwrap();
    assert!(!folder.path().join("posts.parquet").exists());
    let facts = fs::read_to_string(folder.path().join("facts.jsonl")).unwrap();
    let lines = facts
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut lines = lines.peekable();
    assert!(lines.peek().is_some());
    for line in lines {
        assert!(line["cause"].is_null());
        assert!(
            folder
                .path()
                .join(line["image"].as_str().unwrap())
                .is_file()
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    fs::write(&file, "").unwrap();
    let error = generate(&SMALL, &file).unwrap_err().to_string();
    assert!(error.contains("taken"), "{error}");
}
