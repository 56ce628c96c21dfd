//! The graphics card agrees with the processor, and with itself wherever the features lie; on Vulkan Mesa's lavapipe
//! will do for one.

use burn::tensor::{Device, Tensor, TensorData};
use mmfnd_features::{Features, Store};
use mmfnd_train::heads::{Head, Init, Inputs, MmfndConfig, Noise, Sizes, backward};
use mmfnd_train::weights::{self, Weights};
use mmfnd_train::{AdamW, Config, Device as Kind, ENCODERS, RunOptions, train};

use crate::world::{World, posts};

const BATCH: usize = 6;

/// Logits, gradients and the weights after one step.
fn step(kind: Kind) -> [Weights; 3] {
    let device = kind.open().unwrap().autodiff();
    let config = MmfndConfig {
        projection_hidden: 12,
        projection: 8,
        fusion_hidden: 6,
        branch: 4,
        ..MmfndConfig::default()
    };
    let sizes = Sizes {
        layers: 3,
        bert: 6,
        resnet: 10,
        resnet_classes: 7,
        clip: 5,
        ..Sizes::default()
    };
    let head = config.init(&sizes, &mut Init::new(11, &device));
    let inputs = Inputs {
        bert: Some(made_up([BATCH, 3, 6], 1, &device)),
        resnet: Some(made_up([BATCH, 10], 2, &device)),
        clip_text: Some(made_up([BATCH, 5], 3, &device)),
        clip_image: Some(made_up([BATCH, 5], 4, &device)),
        ..Inputs::default()
    };
    let output = head.forward(inputs, Some(Noise::new(1, 1)));
    let (logits, cuts) = (output.logits, output.cuts);
    let values = logits
        .clone()
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap();
    let logits_weight = weights::Weight {
        shape: vec![BATCH, 2],
        values,
    };
    let mut gradients = backward(&logits.powi_scalar(2).sum(), cuts);
    let by_name = weights::gradients(&head, &gradients);
    let is_host = kind == Kind::Flex;
    let head = AdamW::new(1e-3, 0.01, is_host).step(head, &mut gradients);
    let logits = Weights::from([("logits".to_owned(), logits_weight)]);
    [logits, by_name, weights::named(&head)]
}

fn made_up<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|i| ((seed * 31 + i * 17) as f32).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_agrees_with_flex_on_outputs_gradients_and_statistics() {
    agrees_with_flex(Kind::Wgpu);
}

#[cfg(feature = "cuda")]
#[test]
fn cuda_agrees_with_flex_on_outputs_gradients_and_statistics() {
    agrees_with_flex(Kind::Cuda);
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_trains_alike_on_features_that_lie_there_and_on_those_it_is_handed() {
    trains_alike_wherever_features_lie(Kind::Wgpu);
}

#[cfg(feature = "cuda")]
#[test]
fn cuda_trains_alike_on_features_that_lie_there_and_on_those_it_is_handed() {
    trains_alike_wherever_features_lie(Kind::Cuda);
}

/// Features that this process has no room for are read from the disk and handed over step by step.
fn trains_alike_wherever_features_lie(card: Kind) {
    let mut posts = posts(120);
    posts[5].images.clear();
    posts[9].text = " ".into();
    let world = World::new(posts);
    let store = Store::open(&world.path("store")).unwrap();
    let notes = [("there", u64::MAX), ("some", 120 * 50), ("handed", 0)].map(|(name, budget)| {
        let features = Features::load_within(&store, &world.posts, &ENCODERS, budget).unwrap();
        let options = RunOptions {
            out: world.path(name),
            device: card,
            ..RunOptions::default()
        };
        let run = train(&features, &world.posts, &config(), &options, &|_| ()).unwrap();
        run.info.notes.last().unwrap().clone()
    });
    assert_eq!(notes[0], "all features lie on the card (1 MB)");
    assert_eq!(
        notes[1],
        "the features of clip_text, clip_image, resnet lie on the card (1 MB), each step is handed those of bert"
    );
    assert_eq!(
        notes[2],
        "no features lie on the card: each step is handed its own"
    );
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let [there, some, handed] = ["there", "some", "handed"]
            .map(|name| std::fs::read(world.path(name).join(file)).unwrap());
        assert!(there == some && there == handed, "{file}");
    }
}

/// With batches in which posts lack something, and others.
fn config() -> Config {
    let settings = [
        "head.projection_hidden=16",
        "head.projection=8",
        "head.fusion_hidden=8",
        "head.branch=4",
        "head.experts=2",
        "train.epochs=1",
        "train.batch_size=16",
        "train.missing=mask",
    ];
    Config::read(None, &settings.map(str::to_owned)).unwrap()
}

fn agrees_with_flex(card: Kind) {
    let [logits, gradients, after] = step(Kind::Flex);
    let [card_logits, card_gradients, card_after] = step(card);
    agree(&logits, &card_logits, 1e-4);
    agree(&gradients, &card_gradients, 1e-3);
    // a weight moves by about the learning rate, whatever its gradient: only statistics are compared
    let statistics = |weights: Weights| -> Weights {
        weights
            .into_iter()
            .filter(|(name, _)| name.contains("running_"))
            .collect()
    };
    agree(&statistics(after), &statistics(card_after), 1e-4);
}

fn agree(flex: &Weights, card: &Weights, tolerance: f32) {
    assert!(!flex.is_empty() && flex.keys().eq(card.keys()));
    for (name, weight) in flex {
        for (a, b) in weight.values.iter().zip(&card[name].values) {
            assert!(
                (a - b).abs() <= tolerance * (1.0 + a.abs()),
                "{name}: {a} {b}"
            );
        }
    }
}
