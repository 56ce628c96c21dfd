//! Pictures that cannot be used: each is a reject with its reason, none ends the run.

use std::path::PathBuf;

use tempfile::tempdir;

use super::fakes::{ALL, Fakes, golden_picture, picture, post, rows, run};

#[test]
fn bad_pictures_are_listed_and_the_next_one_is_taken() {
    let folder = tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let good = picture(folder.path(), 1);
    let jpeg = golden_picture("jpeg_420");
    let text = write("text.jpg", b"not a picture at all");
    let truncated = write("truncated.jpg", &jpeg[..jpeg.len() / 2]);
    let also_truncated = write("also.jpg", &jpeg[..jpeg.len() / 3]);
    let absent = folder.path().join("absent.jpg");
    let posts = [
        post("1", "a", &[&text, &truncated, &also_truncated, &good]),
        post("2", "b", &[&good, &text]),
        post("3", "c", &[&truncated, &absent]),
        post("4", "d", &[folder.path()]),
    ];
    let store = folder.path().join("store");
    let fakes = Fakes::new();
    let summary = run(&posts, &fakes, &store).unwrap();
    assert_eq!((summary.pictures, summary.posts_without_picture), (1, 2));
    assert_eq!(
        (fakes.encoded("clip_image"), fakes.encoded("resnet")),
        (1, 1)
    );
    let expected = [("no such file", 2), ("not a picture", 1), ("truncated", 2)];
    assert_eq!(
        summary.rejects.clone().into_iter().collect::<Vec<_>>(),
        expected
    );
    let rows = rows(&store, &posts, &ALL);
    assert_eq!(rows[2][0], rows[2][1]);
    assert_eq!((rows[2][2].len(), rows[2][3].len()), (0, 0));
    let list = std::fs::read_to_string(store.join("rejects.csv")).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 1 + 6, "{list}");
    assert!(
        lines[1].starts_with("1,") && lines[1].contains("text.jpg"),
        "{list}"
    );
    assert!(lines[1].contains("not a picture"), "{list}");
    assert!(
        !list.contains("\n2,"),
        "a picture that was not needed is no reject: {list}"
    );

    let again = Fakes::new();
    let summary = run(&posts, &again, &store).unwrap();
    assert!(again.batches.lock().unwrap().is_empty());
    assert_eq!((summary.linked, summary.rejects.len()), (0, 3));
    assert_eq!(
        std::fs::read_to_string(store.join("rejects.csv")).unwrap(),
        list
    );
}

#[test]
fn when_every_picture_is_corrupt_the_texts_are_encoded_all_the_same() {
    let folder = tempdir().unwrap();
    let bad = folder.path().join("bad.png");
    let png = golden_picture("png_rgb");
    std::fs::write(&bad, &png[..png.len() / 2]).unwrap();
    let posts = [post("1", "a", &[&bad]), post("2", "b", &[&bad])];
    let summary = run(&posts, &Fakes::new(), &folder.path().join("store")).unwrap();
    assert_eq!((summary.pictures, summary.posts_without_picture), (0, 2));
    assert_eq!(summary.encoded(), 4);
    assert_eq!(summary.rejected(), 1);
}

#[test]
fn without_an_image_encoder_pictures_are_still_told_apart() {
    let folder = tempdir().unwrap();
    let bad = folder.path().join("bad.png");
    std::fs::write(&bad, &golden_picture("png_rgb")[..50]).unwrap();
    let good = picture(folder.path(), 3);
    let posts = [post("1", "a", &[&bad, &good])];
    let store = folder.path().join("store");
    let summary = run(&posts, &Fakes::of("1", &["bert"]), &store).unwrap();
    assert_eq!((summary.pictures, summary.rejected()), (1, 1));
    let later = run(&posts, &Fakes::new(), &store).unwrap();
    assert_eq!((later.linked, later.encoded()), (0, 3));
}
