//! A small store and its posts, as `mmfnd encode` would have left them.

use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Input, Key, Link, Precision, StoreWriter, ValueType};
use mmfnd_posts::{Label, Post, Split};

/// Encoders with what they read and the shape of a row.
const ENCODERS: [(&str, Input, &[usize]); 4] = [
    ("bert", Input::TextOcr, &[2, 3]),
    ("clip_text", Input::Text, &[4]),
    ("clip_image", Input::Image, &[4]),
    ("resnet", Input::Image, &[5]),
];

/// Classes of the layer that comes with ResNet's features.
const CLASSES: usize = 3;

/// Posts with a picture each; each fourth pair is of the test split.
pub fn posts(count: usize) -> Vec<Post> {
    let post = |index: usize| Post {
        id: format!("p{index}"),
        text: format!("text {index}"),
        images: vec![PathBuf::from(format!("/pictures/{index}.png"))],
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

/// Writes a store with features of these posts.
pub fn write_store(store: &Path, posts: &[Post]) {
    let mut writer = StoreWriter::open(store).expect("it can be made");
    for (name, input, shape) in ENCODERS {
        let spec = spec(name, input, shape);
        let mut encoder = writer.encoder(&spec, false).expect("it can be added");
        let width: usize = shape.iter().product();
        let keys: Vec<Key> = posts.iter().map(|post| key(post, input)).collect();
        let values = (0..keys.len() * width).map(|index| (index as f32 * 12.9898).sin());
        let values: Vec<f32> = values.collect();
        encoder.append(&keys, &values).expect("it can be written");
        if name == "resnet" {
            let file = crate::write("layer.safetensors", &classifier());
            encoder.set_classifier(&file).expect("it can be written");
        }
        encoder.set_plan(&[keys]).expect("it can be written");
    }
    let links: Vec<Link> = posts.iter().map(link).collect();
    writer.write_links(&links).expect("they can be written");
}

fn spec(name: &str, input: Input, shape: &[usize]) -> EncoderSpec {
    EncoderSpec {
        name: name.to_owned(),
        input,
        shape: shape.to_vec(),
        ragged: false,
        value_type: ValueType::F16,
        fingerprint: "1f2e".to_owned(),
        model: format!("{name}.onnx"),
        preset: "made-up".to_owned(),
        precision: Precision::F32,
        provider: "cpu".to_owned(),
        classifier_sha256: (name == "resnet").then(|| crate::sha256(&classifier())),
    }
}

fn key(post: &Post, input: Input) -> Key {
    match input {
        Input::Image => Key::of(format!("picture {}", post.id).as_bytes()),
        _ => Key::of(post.text.as_bytes()),
    }
}

fn link(post: &Post) -> Link {
    let text = key(post, Input::Text);
    Link {
        post_id: post.id.clone(),
        source_key: text,
        text_key: text,
        text_ocr_key: text,
        image_key: Some(key(post, Input::Image)),
        image: post.images.first().map(|path| path.display().to_string()),
        reason: None,
    }
}

/// A classification layer as safetensors.
fn classifier() -> Vec<u8> {
    let (weights, end) = (CLASSES * 5, 4 * CLASSES * 6);
    let header = format!(
        r#"{{"weight":{{"dtype":"F32","shape":[{CLASSES},5],"data_offsets":[0,{}]}},"bias":{{"dtype":"F32","shape":[{CLASSES}],"data_offsets":[{},{end}]}}}}"#,
        4 * weights,
        4 * weights
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend((0..weights + CLASSES).flat_map(|value| (value as f32 * 0.1).to_le_bytes()));
    bytes
}
