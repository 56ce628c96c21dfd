//! The graphics card agrees with the processor; on Vulkan Mesa's lavapipe will do for one. Built with the cargo
//! features `wgpu` and `cuda` only.

#![cfg(any(feature = "wgpu", feature = "cuda"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use mmfnd_train::heads::{Head, Init, Inputs, MmfndConfig, Noise, Sizes, backward};
use mmfnd_train::weights::{self, Weights};
use mmfnd_train::{AdamW, Device as Kind};

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
