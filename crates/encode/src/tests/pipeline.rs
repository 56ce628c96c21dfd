//! What is encoded, how often, and what the summary says.

use mmfnd_features::{Features, Key, Store, ValueType};
use tempfile::tempdir;

use super::fakes::{ALL, CLASSIFIER, Fakes, Fault, picture, post, rows, run};

#[test]
fn each_distinct_content_is_encoded_once_per_encoder() {
    let folder = tempdir().unwrap();
    let (a, b) = (picture(folder.path(), 1), picture(folder.path(), 2));
    let copy = folder.path().join("copy of a.jpg");
    std::fs::copy(&a, &copy).unwrap();
    let posts = [
        post("1", "a dog", &[&a]),
        post("2", "a dog", &[&b]),
        post("3", "a cat", &[&copy]),
        post("4", "a cat", &[]),
    ];
    let fakes = Fakes::new();
    let summary = run(&posts, &fakes, &folder.path().join("store")).unwrap();
    assert_eq!(ALL.map(|name| fakes.encoded(name)), [2, 2, 2, 2]);
    assert_eq!((summary.posts, summary.texts, summary.pictures), (4, 2, 2));
    assert_eq!((summary.posts_without_picture, summary.linked), (1, 4));
    assert_eq!(
        summary
            .encoders
            .iter()
            .map(|e| e.name.as_str())
            .collect::<Vec<_>>(),
        ALL
    );

    let rows = rows(&folder.path().join("store"), &posts, &ALL);
    assert_eq!(
        rows[2][0], rows[2][2],
        "a copy under another name is the same picture"
    );
    assert_ne!(rows[2][0], rows[2][1]);
    assert_eq!(rows[3][3], Vec::<f32>::new(), "no picture, no features");
    assert_eq!(rows[0][0], rows[0][1]);
}

#[test]
fn a_second_run_encodes_nothing_and_says_so() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let posts = [post("1", "a dog", &[&picture(folder.path(), 1)])];
    run(&posts, &Fakes::new(), &store).unwrap();
    let before = Store::open(&store).unwrap().fingerprint();
    let fakes = Fakes::new();
    let summary = run(&posts, &fakes, &store).unwrap();
    assert_eq!((summary.encoded(), summary.linked), (0, 0));
    assert!(fakes.batches.lock().unwrap().is_empty());
    assert!(summary.encoders.iter().all(|encoder| encoder.present == 1));
    assert_eq!(Store::open(&store).unwrap().fingerprint(), before);
}

#[test]
fn of_posts_that_were_added_only_the_new_contents_are_encoded() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let (a, b) = (picture(folder.path(), 1), picture(folder.path(), 2));
    let old = [post("1", "a dog", &[&a]), post("2", "a cat", &[&a])];
    run(&old, &Fakes::new(), &store).unwrap();
    let all = [
        old[0].clone(),
        old[1].clone(),
        post("3", "a cat", &[&b]),
        post("4", "a cow", &[&a]),
    ];
    let fakes = Fakes::new();
    let summary = run(&all, &fakes, &store).unwrap();
    assert_eq!(ALL.map(|name| fakes.encoded(name)), [1, 1, 1, 1]);
    assert_eq!(
        (summary.encoders[0].contents, summary.encoders[0].present),
        (3, 2)
    );
    assert_eq!(summary.linked, 2);
    assert_eq!(rows(&store, &all, &ALL)[0].len(), 4);
}

#[test]
fn a_post_that_changed_is_linked_anew() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let a = picture(folder.path(), 1);
    run(&[post("1", "a dog", &[&a])], &Fakes::new(), &store).unwrap();
    std::fs::copy(picture(folder.path(), 2), &a).unwrap();
    let changed = [post("1", "a cow", &[&a])];
    let summary = run(&changed, &Fakes::new(), &store).unwrap();
    assert_eq!((summary.encoded(), summary.linked), (4, 1));
    let features = Features::load(&Store::open(&store).unwrap(), &changed, &ALL).unwrap();
    let picture = Key::of(&std::fs::read(&a).unwrap());
    assert_eq!(features.image_key, [Some(picture)]);
}

#[test]
fn text_from_pictures_is_seen_by_bert_alone() {
    let folder = tempdir().unwrap();
    let mut posts = [post("1", "a dog", &[]), post("2", "a dog", &[])];
    posts[1].ocr_text = Some("BREAKING".into());
    let fakes = Fakes::new();
    run(&posts, &fakes, &folder.path().join("store")).unwrap();
    assert_eq!((fakes.encoded("bert"), fakes.encoded("clip_text")), (2, 1));
}

#[test]
fn no_posts_and_posts_without_anything_are_no_problem() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    assert_eq!(run(&[], &Fakes::new(), &store).unwrap().posts, 0);
    let posts = [post("1", "", &[])];
    let summary = run(&posts, &Fakes::new(), &store).unwrap();
    assert_eq!((summary.encoded(), summary.posts_without_picture), (2, 1));
    assert_eq!(rows(&store, &posts, &ALL)[0][0].len(), 6);
}

#[test]
fn a_text_of_100_000_characters_is_cut_off_and_counted() {
    let folder = tempdir().unwrap();
    let posts = [
        post("1", &"word ".repeat(20_000), &[]),
        post("2", &"x".repeat(100_000), &[]),
    ];
    let summary = run(&posts, &Fakes::new(), &folder.path().join("store")).unwrap();
    let bert = &summary.encoders[0];
    assert_eq!(
        (bert.encoded, bert.truncated),
        (2, 1),
        "a word without an end is one [UNK]"
    );
    assert_eq!(bert.tokens, 32 + 3);
}

#[test]
fn the_padding_is_counted() {
    let folder = tempdir().unwrap();
    let posts = [post("1", "abcdefgh", &[]), post("2", "a", &[])];
    let summary = run(&posts, &Fakes::new(), &folder.path().join("store")).unwrap();
    let bert = &summary.encoders[0];
    assert_eq!((bert.tokens, bert.computed_tokens), (10 + 3, 20));
    assert!((bert.padding().unwrap() - 0.35).abs() < 1e-9);
    assert_eq!(summary.encoders[2].padding(), None);
}

#[test]
fn what_the_store_must_not_hold_stops_the_run_and_names_the_content() {
    let folder = tempdir().unwrap();
    let a = picture(folder.path(), 1);
    let posts = [post("1", "a dog", &[&a])];
    let cases = [
        (
            "bert",
            Fault::Nan,
            "encoder `bert` on the text of post `1`: it gave NaN",
        ),
        (
            "clip_text",
            Fault::Large,
            "does not fit into float16; use `--values f32`",
        ),
        (
            "resnet",
            Fault::Rows,
            "encoder `resnet` on a batch of 1: (2, 5) values for 1 contents of 5",
        ),
        ("clip_image", Fault::Nan, "1.png`: it gave NaN"),
    ];
    for (number, (name, fault, message)) in cases.into_iter().enumerate() {
        let store = folder.path().join(number.to_string());
        let mut fakes = Fakes::new().values(ValueType::F16);
        fakes.fault = Some((name, fault));
        let said = run(&posts, &fakes, &store).unwrap_err().to_string();
        assert!(said.contains(message), "{said}");
        let summary = run(&posts, &Fakes::new().values(ValueType::F16), &store).unwrap();
        assert_eq!(summary.posts, 1, "the store can be completed");
    }
}

#[test]
fn another_encoder_under_the_same_name_is_refused_unless_it_may_replace() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let posts = [post("1", "a dog", &[&picture(folder.path(), 1)])];
    run(&posts, &Fakes::new(), &store).unwrap();
    let other = Fakes::of("2", &["bert"]);
    let said = run(&posts, &other, &store).unwrap_err().to_string();
    assert!(
        said.contains("`bert`") && said.contains("--replace bert"),
        "{said}"
    );

    let options = crate::Options {
        replace: vec!["bert".into()],
        ..crate::Options::default()
    };
    let summary = crate::encode_with(&posts, &other, &store, &options, &|_| {}).unwrap();
    assert_eq!(summary.encoded(), 1);
    let again = crate::encode_with(&posts, &other, &store, &options, &|_| {}).unwrap();
    assert_eq!(again.encoded(), 0, "the same command again drops nothing");
    assert_eq!(rows(&store, &posts, &ALL).len(), 4, "the others are kept");
}

#[test]
fn a_name_that_is_no_encoder_is_refused() {
    let folder = tempdir().unwrap();
    let options = crate::Options {
        replace: vec!["brt".into()],
        ..crate::Options::default()
    };
    let store = folder.path().join("store");
    let error = crate::encode_with(&[], &Fakes::new(), &store, &options, &|_| {}).unwrap_err();
    let expected =
        "no encoder `brt` in the preset; it has `bert`, `clip_text`, `clip_image`, `resnet`";
    assert_eq!(error.to_string(), expected);
    assert!(!store.exists());
}

#[test]
fn progress_begins_at_nothing_and_ends_at_all_of_it() {
    let folder = tempdir().unwrap();
    let posts = [
        post("1", "a dog", &[&picture(folder.path(), 1)]),
        post("2", "a cat", &[]),
    ];
    let seen = std::cell::RefCell::new(Vec::new());
    let (fakes, store) = (Fakes::new(), folder.path().join("store"));
    crate::encode_with(
        &posts,
        &fakes,
        &store,
        &crate::Options::default(),
        &|progress| {
            seen.borrow_mut()
                .push((progress.stage.to_owned(), progress.done, progress.total));
        },
    )
    .unwrap();
    let expected = [
        ("hash", 1, 1),
        ("bert", 0, 2),
        ("bert", 2, 2),
        ("clip_text", 0, 2),
        ("clip_text", 2, 2),
        ("clip_image+resnet", 0, 1),
        ("clip_image+resnet", 1, 1),
    ];
    assert_eq!(
        *seen.borrow(),
        expected.map(|(stage, done, total)| (stage.to_owned(), done, total))
    );
}

#[test]
fn the_time_to_go_of_hashing_counts_bytes() {
    let folder = tempdir().unwrap();
    let large = folder.path().join("large.png");
    std::fs::write(&large, vec![0; 8 << 20]).unwrap();
    let small = (0..256).map(|number| folder.path().join(format!("{number}.png")));
    let posts: Vec<_> = small
        .chain([large])
        .enumerate()
        .map(|(number, file)| post(&number.to_string(), "a dog", &[&file]))
        .collect();
    let left = std::cell::RefCell::new(Vec::new());
    let (fakes, store) = (Fakes::new(), folder.path().join("store"));
    let on_progress = |progress: &crate::Progress<'_>| {
        if progress.stage == "hash" {
            let eta = progress.eta.unwrap().as_secs_f64();
            left.borrow_mut().push(eta / progress.elapsed.as_secs_f64());
        }
    };
    let options = crate::Options::default();
    crate::encode_with(&posts, &fakes, &store, &options, &on_progress).unwrap();
    // 256 files that are not there, each at the cost of opening it, before one of 8 MiB.
    let expected = (8 << 20) as f64 / (256.0 * 4096.0);
    let [first, last] = left.borrow()[..] else {
        panic!("{left:?}")
    };
    assert!((first - expected).abs() < 0.1 && last == 0.0, "{left:?}");
}

#[test]
fn a_classification_layer_that_is_missing_or_damaged_is_copied_though_no_row_is_missing() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let posts = [post("1", "a dog", &[&picture(folder.path(), 1)])];
    run(&posts, &Fakes::new().with_classifier(), &store).unwrap();
    let layer = store.join("encoders/resnet/classifier.safetensors");
    let load = || Features::load(&Store::open(&store).unwrap(), &posts, &["resnet"]);
    for damage in [None, Some(b"weight and bios")] {
        match damage {
            None => std::fs::remove_file(&layer).unwrap(),
            Some(bytes) => std::fs::write(&layer, bytes).unwrap(),
        }
        let said = load().unwrap_err().to_string();
        assert!(said.contains("run `mmfnd encode` again"), "{said}");
        let fakes = Fakes::new().with_classifier();
        assert_eq!(run(&posts, &fakes, &store).unwrap().encoded(), 0);
        assert_eq!(std::fs::read(&layer).unwrap(), CLASSIFIER);
        load().unwrap();
    }
}

#[test]
fn a_panic_of_one_thread_stops_the_others_and_is_an_error() {
    let folder = tempdir().unwrap();
    let word = |number: usize| "abcdefghijklmnopqrstuvwxyz"[number % 26..].repeat(2);
    let texts = (0..26).flat_map(|number| (0..26).map(move |more| (number, more)));
    let texts = texts.map(|(number, more)| format!("{} {}", word(number), word(more)));
    let posts: Vec<_> = texts
        .enumerate()
        .map(|(number, text)| post(&number.to_string(), &text, &[]))
        .collect();
    let whole = Fakes::of("1", &["bert"]);
    run(&posts, &whole, &folder.path().join("whole")).unwrap();
    let all = whole.batches.lock().unwrap().len();
    assert!(all > 30, "{all}");

    let store = folder.path().join("store");
    let mut fakes = Fakes::of("1", &["bert"]);
    fakes.handles = 3;
    fakes.fault = Some(("bert", Fault::Panic));
    let said = run(&posts, &fakes, &store).unwrap_err().to_string();
    assert!(
        said.contains("encoding a batch with `bert` failed by a fault"),
        "{said}"
    );
    assert!(said.contains("a kernel failed"), "{said}");
    let ran = fakes.batches.lock().unwrap().len();
    assert!(ran <= 3, "{ran} of {all} batches were run");
    run(&posts, &Fakes::of("1", &["bert"]), &store).unwrap();
}

#[test]
fn features_of_an_earlier_preprocessing_are_refused_as_such() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let posts = [post("1", "a dog", &[])];
    run(&posts, &Fakes::new(), &store).unwrap();
    let mut changed = Fakes::of("2", &["bert"]);
    changed.revisions = Some((1, 2));
    let said = run(&posts, &changed, &store).unwrap_err().to_string();
    assert!(said.contains("(revision 1, this one has 2)"), "{said}");
    assert!(said.contains("`--replace bert`"), "{said}");
    let sample = crate::Sample { rows: 1, seed: 1 };
    changed = Fakes::of("2", &ALL);
    changed.revisions = Some((1, 2));
    let opened = Store::open(&store).unwrap();
    let error = crate::check_sample_with(&posts, &changed, &opened, sample).unwrap_err();
    assert!(error.to_string().contains("(revision 1,"), "{error}");
}

#[test]
fn what_another_machine_encoded_is_told_and_what_the_same_one_did_is_not() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let images = [picture(folder.path(), 1), picture(folder.path(), 2)];
    let posts = [
        post("1", "a dog", &[&images[0]]),
        post("2", "a cat", &[&images[1]]),
        post("3", "a cow", &[]),
    ];
    let on = |processor, posts: &[mmfnd_posts::Post]| {
        let mut fakes = Fakes::new();
        fakes.processor = Some(processor);
        let summary = run(posts, &fakes, &store).unwrap();
        let others = |one: &crate::EncoderSummary| -> Vec<(String, usize)> {
            let others = one.other_makers.iter();
            others
                .map(|(maker, rows)| (maker.to_string(), *rows))
                .collect()
        };
        summary.encoders.iter().map(others).collect::<Vec<_>>()
    };
    let none = vec![Vec::new(); 4];
    assert_eq!(on("old", &posts[..1]), none);
    assert_eq!(on("old", &posts[..1]), none);
    let old = vec![("none f32, fakes, old".to_owned(), 1)];
    assert_eq!(on("new", &posts[..2]), vec![old.clone(); 4]);
    let seconds = || -> f64 {
        let inspection = Store::open(&store).unwrap().inspect().unwrap();
        inspection
            .encoders
            .iter()
            .map(|encoder| encoder.seconds)
            .sum()
    };
    let before = seconds();
    let texts_only = [vec![old[0].clone()], vec![old[0].clone()], vec![], vec![]];
    assert_eq!(on("new", &posts), texts_only, "no picture was encoded");
    let inspection = Store::open(&store).unwrap().inspect().unwrap();
    assert!(before > 0.0 && seconds() > before, "time is kept");
    for encoder in inspection.encoders {
        let of = |processor| encoder.made_by[&format!("none f32, fakes, {processor}")];
        assert!(of("old") == 1 && of("new") >= 1, "{:?}", encoder.made_by);
    }
}
