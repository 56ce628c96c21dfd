//! Our side of `just bench-online`: times training steps of a head with ResNet-101 before it, and an epoch of one.
//!
//! Reads commands from standard input and answers each with a line of JSON, seconds throughout, so that the other side
//! can be timed in turns with it: `layer4 PICTURES STEPS`, `all PICTURES STEPS`, `epoch POSTS FOLDER` (a line
//! `PICTURE LABEL` a post). `RAYON_NUM_THREADS` sets the threads.

mod full_size;

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, f16};
use full_size::SIZES;
use mmfnd_features::{
    Column, ColumnValues, EncoderSpec, Features, Input, Key, Precision, ValueType, Values,
};
use mmfnd_posts::{Label, Post, Split};
use mmfnd_train::heads::{
    Head, Init, Inputs, Memory, Mmfnd, MmfndConfig, Noise, Norms, Online, Pictures, ResnetConfig,
    Targets, TrainedLayers, among_threads,
};
use mmfnd_train::{AdamW, Config, Loss, RunOptions, cross_entropy, system_memory, train, weights};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};
use serde_json::{Value, json};

const BATCH: usize = 64;
const MAP: [usize; 3] = [1024, 14, 14];
/// Of so many posts one is scored.
const SCORED: usize = 199;
/// Features of the store, with the shape of a row.
const COLUMNS: [(&str, &[usize]); 5] = [
    ("bert", &[13, 768]),
    ("clip_text", &[512]),
    ("clip_image", &[512]),
    ("resnet", &[2048]),
    ("resnet_map", &MAP),
];

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |word: &str| word.parse().expect("a number");
        let answer = match words[..] {
            ["layer4", pictures, count] => {
                steps(TrainedLayers::Layer4, number(pictures), number(count))
            }
            ["all", pictures, count] => steps(TrainedLayers::All, number(pictures), number(count)),
            ["epoch", posts, folder] => epoch(posts.as_ref(), folder.as_ref()),
            _ => continue,
        };
        println!("{answer}");
    }
}

/// ResNet-101 with random weights; norms that keep the size of what goes through them.
fn resnet() -> ResnetConfig {
    ResnetConfig::of_depth(101).expect("torchvision has it")
}

/// Seconds of steps on a batch whose posts have so many distinct pictures.
fn steps(trained: TrainedLayers, pictures: usize, count: usize) -> Value {
    let device = Device::flex().autodiff();
    let init = &mut Init::new(1, &device);
    let head = MmfndConfig::default().init(&SIZES, init);
    let backbone = resnet().init(trained, Norms::Frozen, init);
    let mut online = Online::<Mmfnd>::new(head, backbone);
    let mut optimizer = AdamW::new(1e-4, 0.01, true).with_group("backbone", 1e-5, 0.01);
    let random = |width| Tensor::<2>::random([BATCH, width], Distribution::Default, &device);
    let shape = match trained {
        TrainedLayers::Layer4 => [pictures, MAP[1], MAP[2], MAP[0]],
        _ => [pictures, 224, 224, 3],
    };
    let of: Vec<i64> = (0..BATCH).map(|post| (post % pictures) as i64).collect();
    let labels: Vec<_> = (0..BATCH).map(|post| post % 2).collect();
    let inputs = Inputs {
        bert: Some(random(13 * 768).reshape([BATCH, 13, 768])),
        clip_text: Some(random(512)),
        clip_image: Some(random(512)),
        pictures: Some(Pictures {
            maps: Tensor::random(shape, Distribution::Default, &device),
            of: Tensor::<1, Int>::from_data(TensorData::from(of.as_slice()), &device),
        }),
        targets: None::<Targets>,
        ..Inputs::default()
    };
    let loss = Loss {
        class_weights: [1.0; 2],
        label_smoothing: 0.0,
    };
    let targets = loss.targets(&labels, &device);
    let stages = Mmfnd::stages(&MmfndConfig::default());
    let mut memory = Memory::default();
    let mut seconds = Vec::new();
    for step in 0..count {
        let start = Instant::now();
        let noise = Noise::new(1, step as u64 + 1);
        let (name, inputs, targets) = (stages[0][0].name, inputs.clone(), targets.clone());
        online = among_threads(|| {
            let output = online.step(name, inputs, noise, &mut memory);
            let mut output = output.expect("every batch has this step");
            let logits = output.logits.clone().expect("its one step has logits");
            let loss = cross_entropy(logits, targets);
            let mut gradients = output.gradients(&loss);
            optimizer.step(online, &mut gradients)
        });
        seconds.push(start.elapsed().as_secs_f64());
    }
    json!({ "step": seconds, "peak_mb": peak_megabytes() })
}

/// One epoch as `mmfnd train --online-resnet` runs it, over made-up features and maps of posts that share pictures as
/// the given ones do.
fn epoch(posts: &Path, folder: &Path) -> Value {
    let text = std::fs::read_to_string(posts).expect("posts");
    let posts: Vec<(u32, usize)> = text
        .lines()
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>());
            let mut next = || numbers.next().expect("two numbers").expect("a number");
            (next(), next() as usize)
        })
        .collect();
    let features = features(&posts, folder);
    let posts: Vec<Post> = posts.iter().enumerate().map(post).collect();
    let settings = ["train.epochs=1", "train.select=test"].map(str::to_owned);
    let config = Config::read_online(None, &settings).expect("valid settings");
    let options = RunOptions {
        out: folder.join("run"),
        overwrite: true,
        ..RunOptions::default()
    };
    let times = Cell::new((0.0, 0.0));
    let on_epoch = |report: &mmfnd_train::EpochReport| {
        times.set((report.seconds, report.evaluation_seconds));
    };
    let start = Instant::now();
    let summary = train(&features, &posts, &config, &options, &on_epoch).expect("a run");
    let (epoch, evaluation) = times.get();
    json!({
        "train": epoch - evaluation, "evaluation": evaluation, "whole": start.elapsed().as_secs_f64(),
        "posts": summary.info.counts.train, "peak_mb": peak_megabytes(),
    })
}

/// One in so many posts is scored, the others are trained on.
fn post((number, &(_, label)): (usize, &(u32, usize))) -> Post {
    Post {
        id: number.to_string(),
        text: format!("text {number}"),
        images: vec![PathBuf::from("picture")],
        label: Label::from_index(label as i64),
        split: match number % SCORED {
            0 => Split::Test,
            _ => Split::Train,
        },
        event: None,
        ocr_text: None,
        cause: None,
    }
}

/// Noise at the sizes of the presets for real data, half of its values 0 as behind a ReLU.
fn features(posts: &[(u32, usize)], folder: &Path) -> Features {
    let pictures: BTreeSet<u32> = posts.iter().map(|(picture, _)| *picture).collect();
    let numbers: HashMap<u32, u32> = pictures.iter().copied().zip(0..).collect();
    let column = |(name, shape): (&str, &[usize])| {
        let is_text = matches!(name, "bert" | "clip_text");
        let row: Vec<u32> = match is_text {
            true => (0..posts.len() as u32).collect(),
            false => posts.iter().map(|(picture, _)| numbers[picture]).collect(),
        };
        let rows = if is_text { posts.len() } else { pictures.len() };
        let width: usize = shape.iter().product();
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f16::from_f32((state >> 8) as f32 / (1 << 23) as f32 - 1.0).max(f16::ZERO)
        };
        Column {
            shape: shape.to_vec(),
            values: ColumnValues::Memory(Values::F16((0..rows * width).map(|_| noise()).collect())),
            row,
            starts: Vec::new(),
        }
    };
    let key = |(picture, _): &(u32, usize)| Some(Key::of(&picture.to_le_bytes()));
    let weights = folder.join("resnet.safetensors");
    write_weights(&weights);
    Features {
        specs: COLUMNS.map(spec).into(),
        columns: COLUMNS.map(column).into(),
        encoding_seconds: Default::default(),
        image_key: posts.iter().map(key).collect(),
        with_ocr: Some(false),
        classifiers: vec![None, None, None, None, Some(weights)],
    }
}

fn spec((name, shape): (&str, &[usize])) -> EncoderSpec {
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
        fingerprint: "made up".into(),
        model: "made up".into(),
        preset: "made-up".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    }
}

/// Random weights of ResNet-101 under torchvision's names.
fn write_weights(path: &Path) {
    let device = Device::flex();
    let resnet = resnet().init(
        TrainedLayers::All,
        Norms::Frozen,
        &mut Init::new(1, &device),
    );
    let weights = weights::named(&resnet);
    let bytes: HashMap<_, Vec<u8>> = weights
        .iter()
        .map(|(name, weight)| {
            let bytes = weight.values.iter().copied().flat_map(f32::to_le_bytes);
            (name, bytes.collect())
        })
        .collect();
    let views = weights.iter().map(|(name, weight)| {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), &bytes[name]);
        (name.as_str(), view.expect("the values fill the shape"))
    });
    serialize_to_file(views, None, path).expect("a file that can be written");
}

/// The most memory that this process has had.
fn peak_megabytes() -> f64 {
    system_memory::peak().map_or(f64::NAN, |bytes| bytes as f64 / 1e6)
}
