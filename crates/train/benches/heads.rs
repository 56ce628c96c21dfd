//! Our side of `just bench-heads`: times one training step of each kind of head at full size.
//!
//! Reads commands from standard input and answers each with a line of JSON, so that the other side can be timed in
//! turns with it: `lengths T T …` (tokens of each post of the batch, answered with an empty object), then
//! `step NAME COUNT` (seconds of each of as many batches). `RAYON_NUM_THREADS` sets the threads.

mod full_size;

use std::collections::BTreeMap;
use std::io::{BufRead, stdin};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use mmfnd_train::heads::{
    Cafe, Cmc, Eann, FndClip, Head, Init, Inputs, Liimr, Mcan, Mcnn, Mkemn, Mmfnd, Mvae, Noise,
    Safe, Sizes, StepOutput, Targets, Tokens, among_threads, backward,
};
use mmfnd_train::{AdamW, Loss, cross_entropy};
use serde_json::json;

/// Posts that are trained on: 70 % of 19,653, half of them fake.
const POSTS: usize = 13_761;
/// With tokens, and what heads count of the posts.
const SIZES: Sizes = Sizes {
    tokens: 768,
    events: 10,
    posts: POSTS,
    ..full_size::SIZES
};
const LOSS: Loss = Loss {
    class_weights: [1.0; 2],
    label_smoothing: 0.0,
};

/// Trains on one batch; its seconds.
type OneBatch = Box<dyn FnMut() -> f64>;

fn main() {
    let device = Device::flex().autodiff();
    let mut inputs = None;
    let mut heads: BTreeMap<String, OneBatch> = BTreeMap::new();
    for line in stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["lengths", ref lengths @ ..] => {
                let lengths = lengths.iter().map(|word| number(word)).collect();
                inputs = Some(batch(lengths, &device));
                heads.clear();
                json!({})
            }
            ["step", name, count] => {
                let inputs = inputs.clone().expect("`lengths` before `step`");
                let new = || head(name, inputs, &device);
                let one_batch = heads.entry(name.to_owned()).or_insert_with(new);
                let seconds = (0..number(count)).map(|_| one_batch());
                json!({ "step": seconds.collect::<Vec<_>>() })
            }
            _ => continue, // cargo gives a benchmark an argument of its own, nobody else gives it lines
        };
        println!("{answer}");
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// Made-up features of posts with so many tokens.
fn batch(lengths: Vec<usize>, device: &Device) -> Inputs {
    let posts = lengths.len();
    let random = |rows, width| {
        let normal = Distribution::Normal(0.0, 1.0);
        Tensor::<2>::random([rows, width], normal, device)
    };
    let matrix = |width| Some(random(posts, width));
    let class = |class| (0..POSTS).filter(|post| post % 2 == class).collect();
    Inputs {
        bert: matrix(13 * 768).map(|layers| layers.reshape([posts, 13, 768])),
        resnet: matrix(SIZES.resnet),
        image_logits: matrix(SIZES.resnet_classes),
        clip_text: matrix(SIZES.clip),
        clip_image: matrix(SIZES.clip),
        tokens: Some(Tokens {
            rows: random(lengths.iter().sum(), SIZES.tokens),
            lengths,
        }),
        targets: Some(Targets {
            labels: (0..posts).map(|post| post % 2).collect(),
            events: (0..posts).map(|post| Some(post % SIZES.events)).collect(),
            pictures: (0..posts).collect(),
            posts: (0..posts).collect(),
            classes: Arc::new([class(0), class(1)]),
        }),
        ..Inputs::default()
    }
}

/// The head of that name, with its own defaults.
fn head(name: &str, inputs: Inputs, device: &Device) -> OneBatch {
    match name {
        Mmfnd::NAME => one_batch::<Mmfnd>(inputs, device),
        FndClip::NAME => one_batch::<FndClip>(inputs, device),
        Eann::NAME => one_batch::<Eann>(inputs, device),
        Safe::NAME => one_batch::<Safe>(inputs, device),
        Cafe::NAME => one_batch::<Cafe>(inputs, device),
        Mcan::NAME => one_batch::<Mcan>(inputs, device),
        Liimr::NAME => one_batch::<Liimr>(inputs, device),
        Mvae::NAME => one_batch::<Mvae>(inputs, device),
        Cmc::NAME => one_batch::<Cmc>(inputs, device),
        Mcnn::NAME => one_batch::<Mcnn>(inputs, device),
        Mkemn::NAME => one_batch::<Mkemn>(inputs, device),
        other => panic!("no head `{other}`"),
    }
}

/// All steps that a batch is trained by in the first stage.
fn one_batch<H: Head>(inputs: Inputs, device: &Device) -> OneBatch {
    let config = H::resolve(&H::Config::default()).expect("defaults go together");
    let steps = H::stages(&config).swap_remove(0);
    let training = H::training(&config);
    let mut init = Init::new(1, device);
    let mut memory = H::memory(&config, &SIZES, &mut init);
    let mut head = Some(H::new(&config, &SIZES, &mut init));
    let mut adamw = AdamW::new(training.learning_rate, training.weight_decay, true);
    let labels = inputs.targets.as_ref().expect("made above").labels.clone();
    let (targets, mut batches) = (LOSS.targets(&labels, device), 0);
    Box::new(move || {
        let start = Instant::now();
        batches += 1;
        let mut trained = head.take().expect("put back after every batch");
        for (turn, step) in steps.iter().enumerate() {
            let noise = Noise::new(1, batches).later(turn);
            trained = among_threads(|| {
                let output = trained.step(step.name, inputs.clone(), noise, &mut memory);
                let output = output.expect("half of the posts are real");
                let loss = total(step.class, &output, &targets);
                adamw.step(trained, &mut backward(&loss, output.cuts))
            });
        }
        head = Some(trained);
        start.elapsed().as_secs_f64()
    })
}

/// The cross-entropy as it counts, and what the head names.
fn total(class: f64, output: &StepOutput, targets: &Tensor<2>) -> Tensor<1> {
    let logits = output.logits.clone().filter(|_| class > 0.0);
    let class = logits.map(|logits| cross_entropy(logits, targets.clone()) * class);
    let named = (output.losses.iter()).map(|loss| loss.value.clone() * loss.weight);
    let sum = class.into_iter().chain(named).reduce(|a, b| a + b);
    sum.expect("a step has at least one loss")
}
