//! Posts with made-up features, in a store of their own: fakes and reals differ in each feature by a little.

use std::path::{Path, PathBuf};

use mmfnd_features::{
    EncoderSpec, Features, Input, Key, Link, Precision, Store, StoreWriter, ValueType,
};
use mmfnd_posts::{Label, Post, Split};
use mmfnd_train::ENCODERS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

/// Shapes of the features, in the order of [`ENCODERS`].
const SHAPES: [&[usize]; 4] = [&[3, 8], &[6], &[6], &[10]];
/// Classes of the layer that comes with ResNet's features.
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
        let folder = tempfile::tempdir().unwrap();
        write_store(&folder.path().join("store"), &posts, &ENCODERS, "1f2e");
        Self { folder, posts }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn features(&self) -> Features {
        let store = Store::open(&self.path("store")).unwrap();
        Features::load(&store, &self.posts, &ENCODERS).unwrap()
    }
}

/// Features of posts; those without a picture have none of its features.
pub fn write_store(store: &Path, posts: &[Post], encoders: &[&str], fingerprint: &str) {
    let mut writer = StoreWriter::open(store).unwrap();
    for name in encoders {
        let index = ENCODERS.iter().position(|other| other == name).unwrap();
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
        if *name == "resnet" {
            encoder.set_classifier(&classifier(store)).unwrap();
        }
    }
    let links: Vec<_> = posts.iter().map(link).collect();
    writer.write_links(&links).unwrap();
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
        value_type: ValueType::F16,
        fingerprint: fingerprint.to_owned(),
        model: format!("{name}.onnx"),
        preset: "made-up".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    }
}

fn key(post: &Post, is_image: bool) -> Key {
    match is_image {
        true => Key::of(format!("picture {}", post.id).as_bytes()),
        false => Key::of(post.text.as_bytes()),
    }
}

fn row(post: &Post, encoder: usize) -> Vec<f32> {
    let number: u64 = post.id[1..].parse().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(number * 4 + encoder as u64);
    let shift = if post.label == Some(Label::Fake) {
        0.4
    } else {
        -0.4
    };
    let width = SHAPES[encoder].iter().product();
    (0..width)
        .map(|_| shift + rng.random::<f32>() * 2.0 - 1.0)
        .collect()
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

/// A classification layer: weight 0.1, 0.2, …; bias 1, 2, ….
fn classifier(store: &Path) -> PathBuf {
    let path = store.with_file_name("classifier.safetensors");
    let bytes = |count: usize, scale: f32| -> Vec<u8> {
        (1..=count)
            .flat_map(|i| (i as f32 * scale).to_le_bytes())
            .collect()
    };
    let (weight, bias) = (bytes(CLASSES * 10, 0.1), bytes(CLASSES, 1.0));
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
    let views = [
        ("weight", view(&[CLASSES, 10], &weight)),
        ("bias", view(&[CLASSES], &bias)),
    ];
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}
