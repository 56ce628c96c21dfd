//! What surrounds a step: the loss with its options, the learning rate of each step, the clipping of gradients.

use burn::tensor::{Device, Tensor};
use mmfnd_train::config::{Schedule, TrainConfig};
use mmfnd_train::heads::{Dropout, Init, Projection};
use mmfnd_train::weights::load;
use mmfnd_train::{Loss, Rates, clip, cross_entropy};

use crate::file::{GRADIENT, Golden, OUTPUT, numbers};
use crate::gradients::gradients;

#[test]
fn the_loss_is_pytorchs_with_class_weights_and_smoothing() {
    let golden = Golden::open("loss");
    let device = Device::flex().autodiff();
    let weights = &golden.get("input.class_weight").values;
    let weights = [f64::from(weights[0]), f64::from(weights[1])];
    let smoothing = golden.about["label_smoothing"].as_f64().unwrap();
    let labels = &golden.get("input.label").values;
    let labels: Vec<_> = labels.iter().map(|&label| label as usize).collect();
    for (name, class_weights, label_smoothing) in [
        ("plain", [1.0; 2], 0.0),
        ("weighted", weights, 0.0),
        ("smoothed", [1.0; 2], smoothing),
        ("both", weights, smoothing),
    ] {
        let loss = Loss {
            class_weights,
            label_smoothing,
        };
        let logits: Tensor<2> = golden.tensor("input.logits", &device).require_grad();
        let value = cross_entropy(logits.clone(), loss.targets(&labels, &device));
        let gradient = logits.grad(&value.backward()).unwrap();
        let theirs = &golden.get(&format!("loss.{name}")).values;
        OUTPUT.check(name, &numbers(value), theirs);
        golden.check(&format!("grad.{name}"), gradient, GRADIENT);
    }
}

#[test]
fn schedules_are_pytorchs() {
    let golden = Golden::open("schedule");
    let about = |key: &str| golden.about[key].as_f64().unwrap();
    let schedules = golden.about["schedules"].as_object().unwrap();
    assert_eq!(schedules.len(), 4);
    for (name, options) in schedules {
        let config = TrainConfig {
            learning_rate: about("learning_rate"),
            schedule: match options["cosine"].as_bool().unwrap() {
                true => Schedule::Cosine,
                false => Schedule::Constant,
            },
            epochs: about("steps") as usize,
            warmup_epochs: options["warm_up"].as_f64().unwrap(),
            ..TrainConfig::default()
        };
        let rates = Rates::new(&config, 1);
        let rates: Vec<_> = (0..about("steps") as u64)
            .map(|step| rates.at(step) as f32)
            .collect();
        let theirs = &golden.get(name).values;
        assert_eq!(rates.len(), theirs.len());
        for (ours, theirs) in rates.iter().zip(theirs) {
            assert!(
                (ours - theirs).abs() <= 1e-6 * theirs,
                "{name}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn clipping_is_pytorchs() {
    let golden = Golden::open("clip");
    let device = Device::flex().autodiff();
    for name in ["small", "large"] {
        let new = Projection::new([9, 12, 8], Dropout::new(0.0, 0), &mut Init::new(0, &device));
        let part = load(new, &golden.under("weight")).unwrap();
        let output = part.forward(golden.tensor("input.x", &device), None);
        let loss = (golden.tensor("loss_weight", &device) * output).sum();
        let mut found = loss.backward();
        let largest = f64::from(golden.get(&format!("{name}.largest")).values[0]);
        let norm = clip(&part, std::slice::from_mut(&mut found), largest).unwrap();
        golden.check(&format!("{name}.norm"), norm, GRADIENT);
        let mut theirs = golden.under(name);
        theirs.retain(|key, _| key != "norm" && key != "largest");
        let ours = gradients(&part, std::slice::from_ref(&found));
        assert_eq!(ours.len(), theirs.len());
        for (key, theirs) in &theirs {
            GRADIENT.check(&format!("{name} {key}"), &ours[key].values, &theirs.values);
        }
    }
}
