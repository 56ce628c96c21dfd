//! One file of a small store: `s` store.json, `e` encoder.json, `p` the plan, `l` a part of links, `v` one of values, `r` rejects.csv,
//! `c` the classifier. Checksums are made to fit, since a parser behind one would otherwise never be reached.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mmfnd_features::{Features, Store, StoreWriter, TableReader, verify};
use mmfnd_fuzz::{Template, fixture, scratch, selected, sha256};
use mmfnd_posts::Post;

/// Stands in the place of a JSON file's own checksum while it is computed.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

struct World {
    store: PathBuf,
    posts: Vec<Post>,
    template: Template,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let store = scratch().join("store");
        let posts = fixture::posts(4);
        fixture::write_store(&store, &posts);
        World {
            template: Template::of(&store),
            store,
            posts,
        }
    })
}

fn sealed(json: &[u8]) -> Vec<u8> {
    let hash = sha256(json);
    String::from_utf8_lossy(json)
        .replacen(BLANK, &hash, 1)
        .into_bytes()
}

fn planned(lines: &[u8]) -> Vec<u8> {
    [
        format!("mmfnd plan 1 {}\n", sha256(lines)).as_bytes(),
        lines,
    ]
    .concat()
}

/// Puts a part in the place of the one with number 0.
fn replace_part(folder: &Path, bytes: &[u8]) {
    let parts = std::fs::read_dir(folder).expect("it is there").flatten();
    for part in parts.filter(|part| part.file_name().to_string_lossy().starts_with("000000-")) {
        std::fs::remove_file(part.path()).expect("it can be removed");
    }
    let name = format!("000000-{}.parquet", &sha256(bytes)[..16]);
    std::fs::write(folder.join(name), bytes).expect("it can be written");
}

fn damage(store: &Path, kind: u8, bytes: &[u8]) {
    let bert = store.join("encoders/bert");
    let write =
        |path: PathBuf, bytes: &[u8]| std::fs::write(path, bytes).expect("it can be written");
    match kind {
        b's' => write(store.join("store.json"), &sealed(bytes)),
        b'e' => write(bert.join("encoder.json"), &sealed(bytes)),
        b'p' => write(bert.join("plan"), &planned(bytes)),
        b'l' => replace_part(&store.join("posts"), bytes),
        b'v' => replace_part(&bert, bytes),
        b'r' => write(store.join("rejects.csv"), bytes),
        b'c' => write(store.join("encoders/resnet/classifier.safetensors"), bytes),
        _ => {}
    }
}

fn read(store: &Path, posts: &[Post]) {
    let _ = verify(store);
    let Ok(opened) = Store::open(store) else {
        return;
    };
    let _ = (opened.fingerprint(), opened.inspect());
    for spec in opened.encoders() {
        let width: usize = spec.shape.iter().product();
        for budget in [u64::MAX, 0] {
            let features = Features::load_within(&opened, posts, &[&spec.name], budget);
            if let Ok(features) = features
                && width <= 1 << 16
            {
                let mut row = vec![0.0; width];
                (0..posts.len()).for_each(|post| {
                    features.columns[0].copy_row(post, &mut row);
                });
            }
        }
        if let Ok(reader) = TableReader::open(&opened, &spec.name) {
            (0..reader.keys().len().min(16)).for_each(|number| drop(reader.row(number)));
        }
    }
}

/// What `mmfnd encode` asks before it goes on.
fn go_on(store: &Path) {
    let specs = Store::open(store).map(|store| store.encoders().to_vec());
    let (Ok(mut writer), Ok(specs)) = (StoreWriter::open(store), specs) else {
        return;
    };
    let _ = (writer.links(), writer.linked_pictures());
    for spec in specs {
        if let Ok(encoder) = writer.encoder(&spec, false) {
            let _ = encoder.plan();
        }
    }
}

fuzz_target!(init: mmfnd_fuzz::let_panics_be_caught(), |data: &[u8]| {
    let World {
        store,
        posts,
        template,
    } = world();
    template.restore();
    let (kind, bytes) = selected(data);
    damage(store, kind, bytes);
    read(store, posts);
    go_on(store);
});
