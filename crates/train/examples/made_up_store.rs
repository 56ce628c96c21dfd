//! Writes posts and a feature store of made-up features, for benchmarks: `made_up_store FOLDER [--posts N] [--size
//! full|demo]`.
//!
//! FOLDER gets `posts.parquet` and `store/`. 70 % of the posts are of split train, 15 % each of validation and test;
//! half of them are fake. The features are noise around ±0.05, by the label. `full`: BERT 13 × 768, CLIP 512, ResNet
//! 2048 with a layer of 1000 classes; `demo`: 3 × 96, 64, 128 and 10.

use std::error::Error;
use std::path::{Path, PathBuf};

use mmfnd_features::{EncoderSpec, Input, Key, Link, Precision, StoreWriter, ValueType};
use mmfnd_posts::{Label, Post, Split, write_posts};
use mmfnd_train::ENCODERS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Rows of a part: as float32 about 40 MB of BERT's.
const PART: usize = 1024;

/// Shapes in the order of [`ENCODERS`], and classes of ResNet's layer.
type Size = ([&'static [usize]; 4], usize);
const FULL: Size = ([&[13, 768], &[512], &[512], &[2048]], 1000);
const DEMO: Size = ([&[3, 96], &[64], &[64], &[128]], 10);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place
            .and_then(|place| arguments.get(place + 1))
            .map(String::as_str)
    };
    let folder = PathBuf::from(arguments.first().ok_or("name a folder")?);
    let count = option("--posts").unwrap_or("2000").parse()?;
    let size = match option("--size").unwrap_or("full") {
        "full" => FULL,
        "demo" => DEMO,
        other => return Err(format!("`--size {other}`: it is `full` or `demo`").into()),
    };
    std::fs::create_dir_all(&folder)?;
    let posts: Vec<_> = (0..count).map(post).collect();
    write_posts(&folder.join("posts.parquet"), &posts)?;
    write_store(&folder, &posts, size)?;
    println!("{count} posts: `{}`", folder.display());
    Ok(())
}

fn post(index: usize) -> Post {
    Post {
        id: format!("p{index}"),
        text: format!("text {index}"),
        images: vec![PathBuf::from(format!("{index}.png"))],
        label: Label::from_index((index % 2) as i64),
        split: match index % 20 {
            0..14 => Split::Train,
            14..17 => Split::Validation,
            _ => Split::Test,
        },
        event: None,
        ocr_text: None,
        cause: None,
    }
}

fn write_store(
    folder: &Path,
    posts: &[Post],
    (shapes, classes): Size,
) -> Result<(), Box<dyn Error>> {
    let mut writer = StoreWriter::open(&folder.join("store"))?;
    for (index, (name, shape)) in ENCODERS.into_iter().zip(shapes).enumerate() {
        let spec = spec(name, shape);
        let mut encoder = writer.encoder(&spec, false)?;
        let mut random = ChaCha8Rng::seed_from_u64(index as u64);
        for posts in posts.chunks(PART) {
            let keys: Vec<_> = posts
                .iter()
                .map(|post| key(post, spec.input == Input::Image))
                .collect();
            let values = posts.iter().flat_map(|post| {
                let shift = if post.label == Some(Label::Fake) {
                    0.05
                } else {
                    -0.05
                };
                (0..spec.width())
                    .map(|_| shift + random.random_range(-1.0..1.0))
                    .collect::<Vec<f32>>()
            });
            encoder.append(&keys, &values.collect::<Vec<_>>())?;
        }
        if name == "resnet" {
            let file = folder.join("classifier.safetensors");
            write_layer(&file, classes, spec.width())?;
            encoder.set_classifier(&file)?;
        }
    }
    let links: Vec<_> = posts.iter().map(link).collect();
    Ok(writer.write_links(&links)?)
}

fn spec(name: &str, shape: &[usize]) -> EncoderSpec {
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
        fingerprint: "made up".to_owned(),
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

fn link(post: &Post) -> Link {
    let text = key(post, false);
    Link {
        post_id: post.id.clone(),
        source_key: text,
        text_key: text,
        text_ocr_key: text,
        image_key: Some(key(post, true)),
        image: post.images.first().map(|path| path.display().to_string()),
        reason: None,
    }
}

/// ResNet's last layer: PyTorch's first values of a linear layer.
fn write_layer(path: &Path, classes: usize, width: usize) -> Result<(), Box<dyn Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(99);
    let bound = 1.0 / (width as f32).sqrt();
    let mut bytes = |count: usize| -> Vec<u8> {
        (0..count)
            .flat_map(|_| random.random_range(-bound..bound).to_le_bytes())
            .collect()
    };
    let (weight, bias) = (bytes(classes * width), bytes(classes));
    let tensors = [
        (
            "weight",
            TensorView::new(Dtype::F32, vec![classes, width], &weight)?,
        ),
        ("bias", TensorView::new(Dtype::F32, vec![classes], &bias)?),
    ];
    Ok(std::fs::write(
        path,
        safetensors::serialize(tensors, None)?,
    )?)
}
