//! The whole head with each option and ablation: outputs, gradient of every weight of the cross-entropy, running
//! statistics, and a trajectory of AdamW.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use mmfnd_train::config::{Schedule, TrainConfig};
use mmfnd_train::heads::{
    ConcatMlp, Head, Init, Inputs, LinearProbe, Mmfnd, MmfndConfig, Modalities, ModalityMask,
    Output, Sizes, Trained, backward,
};
use mmfnd_train::weights::{Weights, load, named};
use mmfnd_train::{AdamW, Loss, Rates, clip, cross_entropy};

use crate::file::{
    GRADIENT, GRADIENT_ELSEWHERE, Golden, LOSS, OUTPUT, OUTPUT_ELSEWHERE, STATISTIC, Tolerance,
    WEIGHT, numbers,
};
use crate::gradients::gradients;

/// One file each, written by `export.py`.
const HEADS: [&str; 20] = [
    "head",
    "head_frozen",
    "head_routing",
    "head_similarity",
    "head_pooling_query",
    "head_pooling_last",
    "head_pooling_released",
    "head_sum",
    "head_classifier",
    "head_released",
    "head_multimodal_only",
    "head_text_only",
    "head_image_only",
    "head_without_a",
    "head_without_f",
    "head_without_c",
    "head_without_s",
    "head_without_p",
    "head_dropout",
    "head_without_p_dropout",
];

/// Sizes and options of a file, in our words.
pub fn config(golden: &Golden) -> (MmfndConfig, Sizes) {
    let theirs = &golden.about["config"];
    let size = |key: &str| theirs[key].as_u64().unwrap() as usize;
    let ablation = theirs["variant"]
        .as_str()
        .filter(|name| *name != "full")
        .unwrap_or("none");
    let config = serde_json::json!({
        "ablation": ablation,
        "experts": size("experts"), "shared_experts": size("shared_experts"), "levels": size("levels"), "dropout": theirs["dropout"],
        "projection_hidden": size("d_hidden"), "projection": size("d_projection"), "fusion_hidden": size("d_fusion"), "branch": size("d_branch"),
        "routing": theirs["routing"], "similarity": theirs["similarity"], "pooling": theirs["pooling"], "fusion": theirs["fusion"], "classifier": theirs["classifier"],
        "trained_experts": if theirs["frozen_experts"] == true { Trained::Released } else { Trained::All },
    });
    let sizes = Sizes {
        layers: size("layers"),
        bert: size("d_bert"),
        resnet: size("d_resnet"),
        resnet_classes: size("d_logits"),
        clip: size("d_clip"),
        ..Sizes::default()
    };
    (serde_json::from_value(config).unwrap(), sizes)
}

/// A new head of that file's sizes and options, with its weights.
pub fn head(golden: &Golden, device: &Device) -> Mmfnd {
    let (config, sizes) = config(golden);
    let head = config.init(&sizes, &mut Init::new(0, device));
    load(head, &golden.under("weight")).unwrap()
}

/// One file each, with posts that lack a modality.
const MASKED: [&str; 11] = [
    "masked",
    "masked_one_text",
    "masked_no_text",
    "masked_none_whole",
    "masked_sum",
    "masked_text_only",
    "masked_without_a",
    "masked_without_f",
    "masked_without_c",
    "masked_without_p",
    "masked_dropout",
];

/// What each post has; both where the file does not say.
fn has(golden: &Golden) -> Vec<Modalities> {
    let inputs = golden.under("input");
    let posts = inputs["label"].values.len();
    let is_there =
        |key: &str, post: usize| inputs.get(key).is_none_or(|has| has.values[post] == 1.0);
    let has = |post| Modalities {
        text: is_there("has_text", post),
        image: is_there("has_image", post),
    };
    (0..posts).map(has).collect()
}

/// Features of the posts that have them; none where no post does.
fn inputs(golden: &Golden, device: &Device) -> Inputs {
    let has = has(golden);
    let rows = |is_there: fn(&Modalities) -> bool| {
        let rows = (0..has.len()).filter(|&post| is_there(&has[post]));
        let rows: Vec<_> = rows.map(|post| post as i64).collect();
        let any = !rows.is_empty();
        any.then(|| Tensor::<1, Int>::from_data(TensorData::from(rows.as_slice()), device))
    };
    let (text, image) = (rows(|has| has.text), rows(|has| has.image));
    let matrix = |key: &str, rows: &Option<Tensor<1, Int>>| {
        let rows = rows.clone()?;
        Some(
            golden
                .tensor::<2>(&format!("input.{key}"), device)
                .select(0, rows),
        )
    };
    Inputs {
        bert: text
            .clone()
            .map(|rows| golden.tensor::<3>("input.bert", device).select(0, rows)),
        resnet: matrix("resnet", &image),
        clip_text: matrix("clip_text", &text),
        clip_image: matrix("clip_image", &image),
        mask: ModalityMask::new(&has, device),
        ..Inputs::default()
    }
}

/// How far outputs and gradients may be from PyTorch's on one device.
#[derive(Clone, Copy)]
struct Tolerances {
    output: Tolerance,
    gradient: Tolerance,
}

const FLEX: Tolerances = Tolerances {
    output: OUTPUT,
    gradient: GRADIENT,
};
const ELSEWHERE: Tolerances = Tolerances {
    output: OUTPUT_ELSEWHERE,
    gradient: GRADIENT_ELSEWHERE,
};

/// Theirs is zero where a post lacks one of the two.
fn check_similarity(golden: &Golden, mode: &str, ours: Option<Tensor<1>>, tolerance: Tolerance) {
    let theirs = &golden.get(&format!("{mode}.similarity")).values;
    let both = has(golden).into_iter().map(|has| has == Modalities::BOTH);
    let theirs = theirs.iter().zip(both).filter(|(_, both)| *both);
    let theirs: Vec<_> = theirs.map(|(value, _)| *value).collect();
    let ours = ours.map(numbers).unwrap_or_default();
    tolerance.check(&format!("{} similarity", golden.name), &ours, &theirs);
}

fn check_outputs(golden: &Golden, mode: &str, output: Output, tolerance: Tolerance) {
    golden.check(&format!("{mode}.logits"), output.logits, tolerance);
    check_similarity(golden, mode, output.similarity, tolerance);
    golden.check(&format!("{mode}.aggregate"), output.aggregate, tolerance);
    let steps = [
        ("attention", output.attention),
        ("text_unimodal", output.text_unimodal),
        ("image_unimodal", output.image_unimodal),
        ("fused", output.fused),
        ("cross_modal", output.cross_modal),
    ];
    let theirs = golden.under(mode);
    for (name, ours) in steps {
        assert_eq!(
            ours.is_some(),
            theirs.contains_key(name),
            "{} has a {name}",
            golden.name
        );
        if let Some(ours) = ours {
            golden.check(&format!("{mode}.{name}"), ours, tolerance);
        }
    }
}

fn loss(logits: Tensor<2>, labels: Tensor<1, Int>, device: &Device) -> Tensor<1> {
    CrossEntropyLossConfig::new()
        .init(device)
        .forward(logits, labels)
}

#[test]
fn outputs_at_inference_are_pytorchs() {
    let device = Device::flex();
    for file in HEADS.into_iter().chain(MASKED) {
        let golden = Golden::open(file);
        let output = head(&golden, &device).forward(inputs(&golden, &device), None);
        check_outputs(&golden, "eval", output, OUTPUT);
    }
}

/// Outputs, loss, gradients and running statistics on an autodiff device.
fn check_training_step(device: Device, tolerances: Tolerances) {
    for file in HEADS.into_iter().chain(MASKED) {
        let golden = Golden::open(file);
        let head = head(&golden, &device);
        let output = head.forward(inputs(&golden, &device), golden.noise());
        let loss = loss(output.logits.clone(), golden.labels(&device), &device);
        let found = backward(&loss, output.cuts.clone());
        check_outputs(&golden, "train", output, tolerances.output);
        let theirs = &golden.get("train.loss").values;
        let (output, gradient) = (tolerances.output, tolerances.gradient);
        output.check(&format!("{file} loss"), &numbers(loss), theirs);
        golden.check_gradients(&gradients(&head, &found), gradient);
        golden.check_weights("after", &named(&head), STATISTIC);
    }
}

#[test]
fn a_training_step_is_pytorchs() {
    check_training_step(Device::flex().autodiff(), FLEX);
}

#[test]
fn a_training_step_is_pytorchs_on_ndarray() {
    let device = mmfnd_train::Device::Ndarray.open().unwrap();
    check_training_step(device.autodiff(), ELSEWHERE);
}

#[cfg(feature = "wgpu")]
#[test]
fn a_training_step_is_pytorchs_on_wgpu() {
    let device = mmfnd_train::Device::Wgpu.open().unwrap();
    check_training_step(device.autodiff(), ELSEWHERE);
}

#[cfg(feature = "cuda")]
#[test]
fn a_training_step_is_pytorchs_on_cuda() {
    let device = mmfnd_train::Device::Cuda.open().unwrap();
    check_training_step(device.autodiff(), ELSEWHERE);
}

/// Logits, loss, gradients, running statistics and names of a head without branches.
fn check_baseline<H: Head>(
    (device, tolerances): (&Device, Tolerances),
    file: &str,
    options: serde_json::Value,
) {
    let golden = Golden::open(file);
    let (_, sizes) = config(&golden);
    let options: H::Config = serde_json::from_value(options).unwrap();
    let new = |device: &Device| {
        let head = H::new(&options, &sizes, &mut Init::new(0, device));
        load(head, &golden.under("weight")).unwrap()
    };
    assert_eq!(named(&new(device)), golden.under("weight"), "{file}");
    let output = new(device).forward(inputs(&golden, device), None);
    golden.check("eval.logits", output.logits, tolerances.output);
    let device = device.clone().autodiff();
    let head = new(&device);
    let output = head.forward(inputs(&golden, &device), golden.noise());
    golden.check("train.logits", output.logits.clone(), tolerances.output);
    let loss = loss(output.logits, golden.labels(&device), &device);
    let found = gradients(&head, &backward(&loss, output.cuts));
    golden.check_gradients(&found, tolerances.gradient);
    golden.check_weights("after", &named(&head), STATISTIC);
}

fn check_baselines(device: &Device, tolerances: Tolerances) {
    let on = (device, tolerances);
    let all = ["bert", "clip_text", "clip_image", "resnet"];
    let json = serde_json::json!({"features": all, "pooling": "softmax"});
    check_baseline::<LinearProbe>(on, "linear", json);
    let json = serde_json::json!({"features": ["resnet", "bert"], "pooling": "query"});
    check_baseline::<LinearProbe>(on, "linear_masked", json);
    let json = serde_json::json!({"features": all, "hidden": 7, "dropout": 0.0});
    check_baseline::<ConcatMlp>(on, "mlp", json);
    let json = serde_json::json!({"features": all, "hidden": 7, "dropout": 0.4});
    check_baseline::<ConcatMlp>(on, "mlp_dropout", json);
}

#[test]
fn baselines_are_pytorchs() {
    check_baselines(&Device::flex(), FLEX);
}

#[cfg(feature = "wgpu")]
#[test]
fn baselines_are_pytorchs_on_wgpu() {
    let device = mmfnd_train::Device::Wgpu.open().unwrap();
    check_baselines(&device, ELSEWHERE);
}

#[cfg(feature = "cuda")]
#[test]
fn baselines_are_pytorchs_on_cuda() {
    let device = mmfnd_train::Device::Cuda.open().unwrap();
    check_baselines(&device, ELSEWHERE);
}

#[test]
fn weights_have_pytorchs_names_and_shapes() {
    for file in HEADS {
        let golden = Golden::open(file);
        let ours = named(&head(&golden, &Device::flex()));
        assert_eq!(ours, golden.under("weight"), "{file}");
    }
}

/// Loss, clipping and rates of a trajectory; plain where the file does not say otherwise.
fn extras(golden: &Golden) -> (Loss, Option<f64>, Rates) {
    let about = |key: &str| golden.about[key].as_f64();
    let weights = golden.about["class_weights"].as_array();
    let weights = weights.map(|w| [w[0].as_f64().unwrap(), w[1].as_f64().unwrap()]);
    let warm_up = about("warm_up");
    let config = TrainConfig {
        learning_rate: about("learning_rate").unwrap(),
        schedule: warm_up.map_or(Schedule::Constant, |_| Schedule::Cosine),
        warmup_epochs: warm_up.unwrap_or(0.0),
        epochs: golden.get("losses").values.len(),
        ..TrainConfig::default()
    };
    let loss = Loss {
        class_weights: weights.unwrap_or([1.0; 2]),
        label_smoothing: about("label_smoothing").unwrap_or(0.0),
    };
    (loss, about("clip_norm"), Rates::new(&config, 1))
}

/// Twenty steps over three batches in turn on flex; at their end the weights are compared.
fn check_trajectory(file: &str, is_host: bool) {
    let golden = Golden::open(file);
    let mut after = losses_are_pytorchs(&golden, Device::flex().autodiff(), is_host);
    for (name, theirs) in golden.under("after") {
        if shifts_before_a_norm(&name) {
            after.insert(name, theirs);
        }
    }
    golden.check_weights("after", &after, WEIGHT);
}

/// The same steps on any device, whose losses are compared; gives the weights at their end.
fn losses_are_pytorchs(golden: &Golden, device: Device, is_host: bool) -> Weights {
    let about = |key: &str| golden.about[key].as_f64().unwrap();
    let mut head = head(golden, &device);
    let mut adamw = AdamW::new(about("learning_rate"), about("weight_decay"), is_host);
    let (of_loss, clip_norm, rates) = extras(golden);
    let all = inputs(golden, &device);
    let labels = &golden.get("input.label").values;
    let labels: Vec<_> = labels.iter().map(|&label| label as usize).collect();
    let (b, theirs) = (about("batch") as usize, &golden.get("losses").values);
    let mut losses = Vec::new();
    for step in 0..theirs.len() {
        let rows = step * b % labels.len();
        let batch = Inputs {
            bert: all.bert.clone().map(|x| x.narrow(0, rows, b)),
            resnet: all.resnet.clone().map(|x| x.narrow(0, rows, b)),
            clip_text: all.clip_text.clone().map(|x| x.narrow(0, rows, b)),
            clip_image: all.clip_image.clone().map(|x| x.narrow(0, rows, b)),
            ..Inputs::default()
        };
        let targets = of_loss.targets(&labels[rows..rows + b], &device);
        let output = head.forward(batch, golden.noise_at(step as u64));
        let loss = cross_entropy(output.logits, targets);
        let mut found = backward(&loss, output.cuts);
        if let Some(largest) = clip_norm {
            clip(&head, &mut found, largest);
        }
        adamw.set_learning_rate(rates.at(step as u64));
        head = adamw.step(head, &mut found);
        losses.extend(numbers(loss));
    }
    LOSS.check("losses", &losses, theirs);
    named(&head)
}

#[test]
fn twenty_steps_of_adamw_are_pytorchs() {
    check_trajectory("trajectory", true);
}

#[test]
fn twenty_steps_of_adamw_by_tensors_are_pytorchs() {
    check_trajectory("trajectory", false);
}

/// A card adds up in an order of its own, out of which AdamW makes steps where a gradient is all but zero: the losses
/// count.
#[cfg(feature = "cuda")]
#[test]
fn twenty_losses_are_pytorchs_on_cuda() {
    for file in ["trajectory", "trajectory_options"] {
        let device = mmfnd_train::Device::Cuda.open().unwrap().autodiff();
        losses_are_pytorchs(&Golden::open(file), device, false);
    }
}

#[test]
fn twenty_steps_with_every_option_of_the_training_are_pytorchs() {
    check_trajectory("trajectory_options", true);
    check_trajectory("trajectory_options", false);
}

#[test]
fn twenty_steps_with_dropout_are_pytorchs() {
    check_trajectory("trajectory_dropout", true);
    check_trajectory("trajectory_dropout", false);
}

/// A shift before a BatchNorm has a gradient of rounding errors only, out of which AdamW makes steps, and running means
/// follow it: PyTorch's own float32 and float64 differ there. Such are the biases of those linear layers, and in this
/// trajectory the first normalisation's in `text_mapping`, where ReLU lets one unit through for every post.
fn shifts_before_a_norm(name: &str) -> bool {
    let (part, rest) = name.split_once('.').unwrap();
    let normed = part.ends_with("projection") || part.ends_with("mapping") || part == "fusion";
    let shift =
        rest.starts_with("linear") && rest.ends_with("bias") || rest.ends_with("running_mean");
    normed && shift || ["resnet.bias", "text_mapping.norm1.bias"].contains(&name)
}
