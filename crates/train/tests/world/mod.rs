//! Posts with made-up features, in a store of their own: fakes and reals differ in each feature by a little.

use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Input, Key, Link, Precision, StoreWriter, ValueType};
use mmfnd_posts::{Label, Post, Split};
use mmfnd_train::{ENCODERS, TOKENS};
use tempfile::TempDir;

/// What a preset may make beside [`ENCODERS`].
const OPTIONAL: [&str; 2] = ["vgg", "ela"];
/// Shapes of the features, in the order of [`ENCODERS`] and then of [`OPTIONAL`].
const SHAPES: [&[usize]; 6] = [&[3, 8], &[6], &[6], &[10], &[10], &[9]];
/// Values of a token.
const TOKEN_WIDTH: usize = 7;
/// Classes of the layer that comes with ResNet's features, and with VGG's.
pub const CLASSES: usize = 5;

pub struct World {
    folder: TempDir,
    pub posts: Vec<Post>,
}

/// Posts; each fourth one is of the test split.
pub fn posts(count: usize) -> Vec<Post> {
    let post = |index: usize| Post {
        id: format!("p{index}"),
        text: format!("text {index}"),
        images: vec![PathBuf::from(format!("{index}.png"))],
        label: Label::from_index((index % 2) as i64),
        split: if index % 8 < 2 {
            Split::Test
        } else {
            Split::Train
        },
        event: None,
        ocr_text: None,
        cause: None,
    };
    (0..count).map(post).collect()
}

impl World {
    pub fn new(posts: Vec<Post>) -> Self {
        Self::with(posts, &[])
    }

    /// With the states of tokens in its store.
    #[allow(dead_code, reason = "not every test reads tokens")]
    pub fn with_tokens(posts: Vec<Post>) -> Self {
        Self::with(posts, &[TOKENS])
    }

    /// With the states of tokens and all that a preset may make.
    #[allow(dead_code, reason = "not every test reads them")]
    pub fn with_all(posts: Vec<Post>) -> Self {
        Self::with(posts, &[&[TOKENS], &OPTIONAL[..]].concat())
    }

    fn with(posts: Vec<Post>, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let encoders = [&ENCODERS[..], more].concat();
        write_store(&folder.path().join("store"), &posts, &encoders, "1f2e");
        Self { folder, posts }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Features of posts; those without a picture have none of its features.
pub fn write_store(store: &Path, posts: &[Post], encoders: &[&str], fingerprint: &str) {
    let mut writer = StoreWriter::open(store).unwrap();
    for name in encoders {
        if *name == TOKENS {
            write_tokens(&mut writer, posts, fingerprint);
            continue;
        }
        let mut known = ENCODERS.iter().chain(&OPTIONAL);
        let index = known.position(|other| other == name).unwrap();
        let spec = spec(name, SHAPES[index], fingerprint);
        let is_image = spec.input == Input::Image;
        let mut encoder = writer.encoder(&spec, false).unwrap();
        let posts: Vec<_> = posts
            .iter()
            .filter(|post| !is_image || !post.images.is_empty())
            .collect();
        let keys: Vec<_> = posts.iter().map(|post| key(post, is_image)).collect();
        let values: Vec<_> = posts.iter().flat_map(|post| row(post, index)).collect();
        encoder.append(&keys, &values).unwrap();
        if ["resnet", "vgg"].contains(name) {
            encoder.set_classifier(&classifier(store)).unwrap();
        }
    }
    let links: Vec<_> = posts.iter().map(link).collect();
    writer.write_links(&links).unwrap();
}

/// One to five tokens a text.
fn write_tokens(writer: &mut StoreWriter, posts: &[Post], fingerprint: &str) {
    let spec = EncoderSpec {
        ragged: true,
        ..spec("bert", &[5, TOKEN_WIDTH], fingerprint)
    };
    let spec = EncoderSpec {
        name: TOKENS.to_owned(),
        ..spec
    };
    let mut encoder = writer.encoder(&spec, false).unwrap();
    let keys: Vec<_> = posts.iter().map(|post| key(post, false)).collect();
    let rows: Vec<_> = posts.iter().map(tokens).collect();
    let lengths: Vec<_> = rows
        .iter()
        .map(|row| (row.len() / TOKEN_WIDTH) as u32)
        .collect();
    encoder
        .append_ragged(&keys, &lengths, &rows.concat())
        .unwrap();
}

/// As [`row`], for each token.
fn tokens(post: &Post) -> Vec<f32> {
    let number: usize = post.id[1..].parse().unwrap();
    let count = 1 + number % 5;
    let shift = if post.label == Some(Label::Fake) {
        0.4
    } else {
        -0.4
    };
    let noise = |i: usize| ((number * 991 + 707 + i * 17) as f32 * 12.9898).sin();
    (0..count * TOKEN_WIDTH).map(|i| shift + noise(i)).collect()
}

fn spec(name: &str, shape: &[usize], fingerprint: &str) -> EncoderSpec {
    EncoderSpec {
        name: name.to_owned(),
        input: match name {
            "bert" => Input::TextOcr,
            "clip_text" => Input::Text,
            _ => Input::Image,
        },
        shape: shape.to_vec(),
        ragged: false,
        value_type: ValueType::F16,
        fingerprint: fingerprint.to_owned(),
        model: format!("{name}.onnx"),
        preset: "made-up".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    }
}

pub fn key(post: &Post, is_image: bool) -> Key {
    match is_image {
        true => Key::of(format!("picture {}", post.id).as_bytes()),
        false => Key::of(post.text.as_bytes()),
    }
}

/// Noise of ±1 around −0.4 for reals and +0.4 for fakes; by a sine, so that no generator is needed.
pub fn row(post: &Post, encoder: usize) -> Vec<f32> {
    let number: usize = post.id[1..].parse().unwrap();
    let shift = if post.label == Some(Label::Fake) {
        0.4
    } else {
        -0.4
    };
    let width: usize = SHAPES[encoder].iter().product();
    let noise = |i: usize| ((number * 997 + encoder * 101 + i * 13) as f32 * 12.9898).sin();
    (0..width).map(|i| shift + noise(i)).collect()
}

fn link(post: &Post) -> Link {
    let text = key(post, false);
    let image = post.images.first();
    Link {
        post_id: post.id.clone(),
        source_key: text,
        text_key: text,
        text_ocr_key: text,
        image_key: image.map(|_| key(post, true)),
        image: image.map(|path| path.display().to_string()),
        reason: image.is_none().then(|| "no picture".to_owned()),
    }
}

/// A classification layer, as safetensors: weight 0.1, 0.2, …; bias 1, 2, ….
fn classifier(store: &Path) -> PathBuf {
    let path = store.with_file_name("classifier.safetensors");
    let (weights, end) = (CLASSES * 10, 4 * CLASSES * 11);
    let header = format!(
        r#"{{"weight":{{"dtype":"F32","shape":[{CLASSES},10],"data_offsets":[0,{}]}},"bias":{{"dtype":"F32","shape":[{CLASSES}],"data_offsets":[{},{end}]}}}}"#,
        4 * weights,
        4 * weights
    );
    let weight = (1..=weights).map(|i| i as f32 * 0.1);
    let values = weight.chain((1..=CLASSES).map(|i| i as f32));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(values.flat_map(f32::to_le_bytes));
    std::fs::write(&path, bytes).unwrap();
    path
}
