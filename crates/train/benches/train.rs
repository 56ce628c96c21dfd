//! Our side of `just bench-train`: times one training step at full size, one epoch from a store, and what this machine
//! could do at best.
//!
//! Called with the name of a device. Reads commands from standard input and answers each with a line of JSON, seconds
//! throughout, so that the other side can be timed in turns with it: `step N`, `ahead N` (on a card), `floor` (of the
//! processor), `epoch POSTS STORE RUN`. `RAYON_NUM_THREADS` sets the threads.

mod full_size;

use std::cell::Cell;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use full_size::SIZES;
use mmfnd_features::{Features, Store};
use mmfnd_train::heads::{Head, Init, Inputs, Mmfnd, MmfndConfig, Noise, among_threads, backward};
use mmfnd_train::{
    AdamW, Config, Device as Kind, ENCODERS, Loss, RunOptions, cross_entropy, train, weights,
};
use rayon::prelude::*;
use serde_json::{Value, json};

const BATCH: usize = 64;

fn main() {
    let kind = std::env::args().nth(1).and_then(|name| name.parse().ok());
    let kind = kind.unwrap_or_default(); // cargo gives a benchmark an argument of its own
    let mut head = HeadUnderTest::new(kind);
    for line in stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["step", count] => head.steps(count.parse().expect("a number of steps")),
            ["ahead", count] => head.ahead(count.parse().expect("a number of steps")),
            ["floor"] => head.floor(),
            ["epoch", posts, store, run] => {
                epoch(kind, posts.as_ref(), store.as_ref(), run.as_ref())
            }
            _ => continue,
        };
        println!("{answer}");
    }
}

/// A head at full size and a batch for it.
struct HeadUnderTest {
    device: Device,
    /// Whether a step is done when its call returns.
    is_host: bool,
    head: Option<Mmfnd>,
    optimizer: AdamW,
    inputs: Inputs,
    targets: Tensor<2>,
    step: u64,
}

impl HeadUnderTest {
    fn new(kind: Kind) -> Self {
        let device = kind.open().expect("a device that can be used").autodiff();
        let is_host = matches!(kind, Kind::Flex | Kind::Ndarray);
        let random = |width| Tensor::<2>::random([BATCH, width], Distribution::Default, &device);
        let loss = Loss {
            class_weights: [1.0; 2],
            label_smoothing: 0.0,
        };
        let labels: Vec<_> = (0..BATCH).map(|post| post % 2).collect();
        Self {
            head: Some(MmfndConfig::default().init(&SIZES, &mut Init::new(1, &device))),
            optimizer: AdamW::new(1e-4, 0.01, is_host),
            inputs: Inputs {
                bert: Some(random(13 * 768).reshape([BATCH, 13, 768])),
                resnet: Some(random(2048)),
                clip_text: Some(random(512)),
                clip_image: Some(random(512)),
                ..Inputs::default()
            },
            targets: loss.targets(&labels, &device),
            step: 0,
            is_host,
            device,
        }
    }

    /// Forward, backward, update: seconds of each step; on a card, whose steps overlap, their mean.
    fn steps(&mut self, count: usize) -> Value {
        let mut seconds: Vec<_> = vec![];
        if self.is_host {
            seconds.extend((0..count).map(|_| self.one_step()));
        } else {
            self.wait();
            let start = Instant::now();
            for _ in 0..count {
                self.one_step();
            }
            self.wait();
            seconds.push(start.elapsed().as_secs_f64() / count as f64);
        }
        json!({ "step": seconds })
    }

    /// Whether steps wait for the card: `told` is the time until the last step was handed over, `done` until the card
    /// had computed it, `waited` the time of as many steps each of which is waited for.
    fn ahead(&mut self, count: usize) -> Value {
        self.wait();
        let start = Instant::now();
        for _ in 0..count {
            self.one_step();
        }
        let told = start.elapsed().as_secs_f64();
        self.wait();
        let done = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 0..count {
            self.one_step();
            self.wait();
        }
        json!({ "told": told, "done": done, "waited": start.elapsed().as_secs_f64() })
    }

    fn wait(&self) {
        self.device.sync().expect("a card that works");
    }

    fn one_step(&mut self) -> f64 {
        let head = self.head.take().expect("put back after every step");
        let start = Instant::now();
        self.step += 1;
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
        let (noise, optimizer) = (Noise::new(1, self.step), &mut self.optimizer);
        let stepped = among_threads(move || {
            let output = head.forward(inputs, Some(noise));
            let loss = cross_entropy(output.logits, targets);
            optimizer.step(head, &mut backward(&loss, output.cuts))
        });
        self.head = Some(stepped);
        start.elapsed().as_secs_f64()
    }

    /// The products of a step at the rate of a large product, and one pass of AdamW at the rate at which memory is
    /// copied.
    fn floor(&self) -> Value {
        let head = self.head.as_ref().expect("put back after every step");
        let weights: usize = weights::named(head)
            .values()
            .map(|weight| weight.values.len())
            .sum();
        // forward, and back to weights and inputs; ResNet's layer reads features, which need no gradient
        let multiplications = 3 * weights - SIZES.resnet * SIZES.resnet_classes;
        let products = (BATCH * multiplications) as f64 / product_rate();
        // reads weight, gradient and two moments; writes all but the gradient
        let update = (7 * 4 * weights) as f64 / memory_rate();
        json!({ "floor": products + update, "products": products, "update": update, "weights": weights })
    }
}

/// Multiplications a second of a large matrix product.
fn product_rate() -> f64 {
    const SIDE: usize = 1024;
    let matrix = || Tensor::<2>::random([SIDE, SIDE], Distribution::Default, &Device::flex());
    let (a, b) = (matrix(), matrix());
    let seconds = median((0..9).map(|_| {
        let start = Instant::now();
        let _ = a.clone().matmul(b.clone()).into_data();
        start.elapsed().as_secs_f64()
    }));
    SIDE.pow(3) as f64 / seconds
}

/// Bytes a second, read and written together, of all threads that copy.
fn memory_rate() -> f64 {
    const LENGTH: usize = 1 << 25;
    let (from, mut to) = (vec![1.0f32; LENGTH], vec![0.0f32; LENGTH]);
    let seconds = median((0..9).map(|_| {
        let start = Instant::now();
        let chunks = to.par_chunks_mut(1 << 16).zip(from.par_chunks(1 << 16));
        chunks.for_each(|(to, from)| to.copy_from_slice(from));
        start.elapsed().as_secs_f64()
    }));
    (2 * 4 * LENGTH) as f64 / seconds
}

fn median(seconds: impl Iterator<Item = f64>) -> f64 {
    let mut seconds: Vec<_> = seconds.collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// One epoch as `mmfnd train` runs it: reading the features, what comes before the first step, training, evaluation.
fn epoch(kind: Kind, posts: &Path, store: &Path, run: &Path) -> Value {
    let config = Config::read(None, &["train.epochs=1".to_owned()]).expect("a valid setting");
    let posts = mmfnd_posts::read_posts(posts).expect("posts");
    let start = Instant::now();
    let store = Store::open(store).expect("a store");
    let features = Features::load(&store, &posts, &ENCODERS).expect("features");
    let load = start.elapsed().as_secs_f64();
    let options = RunOptions {
        out: run.to_owned(),
        device: kind,
        overwrite: true,
        ..RunOptions::default()
    };
    let (start, times, reads) = (Instant::now(), Cell::new(None), weights::reads());
    let on_epoch = |report: &mmfnd_train::EpochReport| {
        let before = start.elapsed().as_secs_f64() - report.seconds;
        times.set(Some((before, report.seconds, report.evaluation_seconds)));
    };
    let summary = train(&features, &posts, &config, &options, &on_epoch).expect("a run");
    let (before, epoch, evaluation) = times.get().expect("one epoch");
    json!({
        "load": load, "before_first_step": before, "train": epoch - evaluation, "evaluation": evaluation,
        "posts": summary.info.counts.train, "evaluated": summary.info.counts.validation,
        "reads": weights::reads() - reads, "notes": summary.info.notes,
    })
}
