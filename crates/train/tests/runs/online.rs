//! ResNet's fourth layer trained with the head, from maps of the store.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use mmfnd_features::{
    EncoderSpec, Features, Input, Link, Precision, Store, StoreWriter, ValueType,
};
use mmfnd_posts::Post;
use mmfnd_train::heads::{
    BlockKind, Feature, Head, Init, Inputs, LinearConfig, LinearProbe, Memory, Noise, Norms,
    Online, Pictures, ResnetConfig, Sizes, TrainedLayers,
};
use mmfnd_train::weights::{Weight, Weights, gradients, load, named};
use mmfnd_train::{Config, Loss, Model, RunDir, RunOptions, cross_entropy, train};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::setup::{bytes, interrupted_with, options, resumes_like, run};
use crate::world::{World, key, posts};

/// A layer 4 that reads six channels and gives as many numbers as the made-up features of `resnet` have.
const RESNET: ResnetConfig = ResnetConfig {
    block: BlockKind::Basic,
    blocks: [1, 1, 1, 2],
    widths: [4, 4, 5, 6, 10],
    strides: [1, 2, 2, 2],
    stem: [7, 2, 3],
    has_pool: true,
};
const MAP: [usize; 3] = [6, 3, 3];
const ONLINE: [&str; 3] = [
    "resnet.unfreeze=layer4",
    "resnet.learning_rate=0.01",
    "train.epochs=3",
];

/// The weights of the whole network.
fn resnet_weights() -> Weights {
    let device = Device::flex();
    let init = &mut Init::new(3, &device);
    named(&RESNET.init(TrainedLayers::All, Norms::Frozen, init))
}

fn file(weights: &Weights) -> Vec<u8> {
    let bytes: HashMap<_, Vec<u8>> = weights
        .iter()
        .map(|(name, weight)| {
            let bytes = weight.values.iter().copied().flat_map(f32::to_le_bytes);
            (name, bytes.collect())
        })
        .collect();
    let views = weights.iter().map(|(name, weight)| {
        let view = TensorView::new(Dtype::F32, weight.shape.clone(), &bytes[name]);
        (name.as_str(), view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Noise, and a shift of the first channel by the label.
fn map(post: &Post) -> Vec<f32> {
    let number: usize = post.id[1..].parse().unwrap();
    let sign = if number % 2 == 1 { 1.0 } else { -1.0 };
    let noise = |i: usize| ((number * 733 + i * 29) as f32 * 12.9898).sin().abs();
    let of = |i: usize| noise(i) + if i < 9 { 0.6 * sign } else { 0.0 };
    (0..MAP.iter().product()).map(of).collect()
}

/// Adds maps to a world's store, with these weights: of each post that of the post that stands for it.
fn add_maps(world: &World, weights: &Weights, of: &dyn Fn(usize) -> usize) {
    let mut store = StoreWriter::open(&world.path("store")).unwrap();
    let spec = EncoderSpec {
        name: "resnet_map".into(),
        input: Input::Image,
        shape: MAP.to_vec(),
        ragged: false,
        value_type: ValueType::F16,
        fingerprint: "1f2e".into(),
        model: "resnet.onnx".into(),
        preset: "made-up".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    };
    let mut writer = store.encoder(&spec, false).unwrap();
    let posts = (0..world.posts.len()).filter(|&post| !world.posts[post].images.is_empty());
    let posts: Vec<_> = posts.collect();
    let keys: Vec<_> = posts
        .iter()
        .map(|&post| key(&world.posts[post], true))
        .collect();
    let values = posts.iter().flat_map(|&post| map(&world.posts[of(post)]));
    let values: Vec<_> = values.collect();
    writer.append(&keys, &values).unwrap();
    writer.set_classifier_bytes(&file(weights)).unwrap();
}

fn world(posts: Vec<Post>) -> World {
    let world = World::new(posts);
    add_maps(&world, &resnet_weights(), &|post| post);
    world
}

/// Posts 0 to 47 have the first four pictures.
fn shared(post: usize) -> usize {
    if post < 48 { post % 4 } else { post }
}

/// Links posts to the pictures that they share.
fn share_pictures(world: &World) {
    let link = |(number, post): (usize, &Post)| {
        let text = key(post, false);
        Link {
            post_id: post.id.clone(),
            source_key: text,
            text_key: text,
            text_ocr_key: text,
            image_key: Some(key(&world.posts[shared(number)], true)),
            image: Some("shared.png".to_owned()),
            reason: None,
        }
    };
    let links: Vec<_> = world.posts.iter().enumerate().map(link).collect();
    let mut store = StoreWriter::open(&world.path("store")).unwrap();
    store.write_links(&links).unwrap();
}

/// The weights of a safetensors file, and what it says beside them.
fn read_file(path: &Path) -> (Weights, Option<String>) {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = header.metadata().as_ref().map(|all| all["about"].clone());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weight = |(name, view): (String, TensorView)| {
        let (words, _) = view.data().as_chunks::<4>();
        let values = words.iter().map(|word| f32::from_le_bytes(*word));
        let (shape, values) = (view.shape().to_vec(), values.collect());
        (name, Weight { shape, values })
    };
    (file.tensors().into_iter().map(weight).collect(), about)
}

#[test]
fn the_demos_resnet_gives_what_its_onnx_twin_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (weights, layout) = read_file(&root.join("models/demo/resnet.safetensors"));
    let (expected, _) = read_file(&root.join("tests/golden/resnet_demo.safetensors"));
    let shape = |name: &str| weights.get(name).map(|weight| weight.shape.as_slice());
    let layout = serde_json::from_str(&layout.unwrap()).unwrap();
    let config = ResnetConfig::of_weights(shape, Some(&layout)).unwrap();
    let device = Device::flex();
    let given = |name: &str| {
        let Weight { shape, values } = expected[name].clone();
        let maps: Tensor<4> = Tensor::from_data(TensorData::new(values, shape), &device);
        maps.permute([0, 2, 3, 1])
    };
    for (trained, name) in [
        (TrainedLayers::All, "pixels"),
        (TrainedLayers::Layer4, "map"),
    ] {
        let mut own = weights.clone();
        own.retain(|name, _| trained.has(name));
        let resnet = config.init(trained, Norms::Frozen, &mut Init::new(0, &device));
        let resnet = load(resnet, &own).unwrap();
        let pooled = resnet.forward(given(name));
        let pooled: Vec<f32> = pooled.into_data().try_into_vec().unwrap();
        for (ours, theirs) in pooled.iter().zip(&expected["pooled"].values) {
            let allowed = 1e-5 * (1.0 + theirs.abs());
            assert!((ours - theirs).abs() < allowed, "{name}: {ours} {theirs}");
        }
    }
}

/// Gradients of a linear head and of the ResNet before it, by name.
fn gradients_of(maps: Tensor<4>, of: &[i64]) -> Weights {
    let device = Device::flex().autodiff();
    let init = &mut Init::new(3, &device);
    let sizes = Sizes {
        resnet: 10,
        ..Sizes::default()
    };
    let config = LinearConfig {
        features: vec![Feature::Resnet],
        ..LinearConfig::default()
    };
    let head = LinearProbe::new(&config, &sizes, init);
    let backbone = RESNET.init(TrainedLayers::Layer4, Norms::Frozen, init);
    let online = Online::new(head, backbone);
    let inputs = Inputs {
        pictures: Some(Pictures {
            maps: Tensor::from_inner(maps),
            of: Tensor::<1, Int>::from_data(TensorData::from(of), &device),
        }),
        ..Inputs::default()
    };
    let output = online.step("all", inputs, Noise::new(1, 1), &mut Memory::default());
    let mut output = output.unwrap();
    let loss = Loss {
        class_weights: [1.0; 2],
        label_smoothing: 0.0,
    };
    let targets = loss.targets(&[0, 1, 1, 0], &device);
    let loss = cross_entropy(output.logits.clone().unwrap(), targets);
    let found = output.gradients(&loss);
    gradients(&online, &found)
}

#[test]
fn a_pictures_gradient_is_the_sum_over_its_posts() {
    let maps = Tensor::<4>::random([2, 3, 3, 6], Distribution::Default, &Device::flex());
    let [a, b] = [0, 1].map(|picture| maps.clone().narrow(0, picture, 1));
    let each = Tensor::cat(vec![a.clone(), b, a.clone(), a], 0);
    let (once, each) = (
        gradients_of(maps, &[0, 1, 0, 0]),
        gradients_of(each, &[0, 1, 2, 3]),
    );
    assert!(
        once.keys()
            .any(|name| name == "backbone.layer4.0.conv1.weight")
    );
    assert!(once.keys().any(|name| name.starts_with("head.")));
    for (name, once) in &once {
        for (once, each) in once.values.iter().zip(&each[name].values) {
            assert!((once - each).abs() < 1e-5, "{name}: {once} {each}");
        }
    }
}

/// The weights of a run, by name.
fn weights_of(world: &World, run: &str) -> HashMap<String, Vec<u8>> {
    let bytes = bytes(world, run, "weights.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect()
}

#[test]
fn the_backbone_learns_with_the_head_and_the_run_holds_both() {
    let world = world(posts(96));
    let summary = run(&world, "run", &ONLINE).unwrap();
    let weights = weights_of(&world, "run");
    let first = resnet_weights();
    let name = "layer4.1.conv2.weight";
    let trained = &weights[&format!("backbone.{name}")];
    let before: Vec<u8> = (first[name].values.iter().copied())
        .flat_map(f32::to_le_bytes)
        .collect();
    assert_eq!(trained.len(), before.len());
    assert_ne!(*trained, before);
    // frozen norms stay as they were
    let norm = "layer4.0.bn1.running_mean";
    let zeros = vec![0; 4 * first[norm].values.len()];
    assert_eq!(weights[&format!("backbone.{norm}")], zeros);
    assert!(weights.contains_key("head.resnet.weight"));
    assert!(!weights.keys().any(|name| name.contains("layer3")));
    let notes = summary.info.notes.join("\n");
    assert!(
        notes.contains("ResNet's fourth layer is trained"),
        "{notes}"
    );
    // the world's features are made up, and come from no map
    assert!(
        notes.contains("make other features of pictures than the store has"),
        "{notes}"
    );
    assert!(
        summary
            .info
            .encoders
            .iter()
            .any(|spec| spec.name == "resnet_map")
    );
}

#[test]
fn the_classification_layer_alone_gives_the_bytes_of_the_cached_mode() {
    let world = world(posts(96));
    run(&world, "cached", &[]).unwrap();
    run(&world, "fc", &["resnet.unfreeze=fc"]).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        assert_eq!(
            bytes(&world, "cached", file),
            bytes(&world, "fc", file),
            "{file}"
        );
    }
}

#[test]
fn an_interrupted_run_resumes_to_the_same_bytes() {
    let world = world(posts(96));
    for (norms, name) in [("frozen", "f"), ("train", "t")] {
        let norms = format!("resnet.batch_norm={norms}");
        let more = [
            "resnet.warmup_epochs=1.5",
            "train.clip_norm=0.5",
            "train.accumulate=2",
            &norms,
        ];
        let settings = [&ONLINE[..], &more].concat();
        let (whole, cut) = (format!("{name} whole"), format!("{name} cut"));
        run(&world, &whole, &settings).unwrap();
        interrupted_with(&world, &cut, 1, &settings);
        resumes_like(&world, (&whole, &cut), &settings, &|_| ());
    }
    assert_ne!(
        bytes(&world, "f whole", "weights.safetensors"),
        bytes(&world, "t whole", "weights.safetensors")
    );
}

#[test]
fn maps_that_stay_on_the_disk_give_the_same_bytes() {
    let world = world(posts(96));
    share_pictures(&world);
    run(&world, "memory", &ONLINE).unwrap();
    let store = Store::open(&world.path("store")).unwrap();
    let all = ["bert", "clip_text", "clip_image", "resnet", "resnet_map"];
    let features = Features::load_within(&store, &world.posts, &all, 0).unwrap();
    assert!(features.column("resnet_map").unwrap().is_on_disk());
    let config = crate::setup::config(&ONLINE);
    let out = options(&world.path("disk"));
    train(&features, &world.posts, &config, &out, &|_| ()).unwrap();
    for file in ["weights.safetensors", "predictions.parquet"] {
        assert_eq!(
            bytes(&world, "memory", file),
            bytes(&world, "disk", file),
            "{file}"
        );
    }
}

#[test]
fn a_saved_run_predicts_what_it_predicted() {
    let world = world(posts(96));
    let summary = run(&world, "run", &ONLINE).unwrap();
    let model = Model::load(&world.path("run"), mmfnd_train::Device::default()).unwrap();
    assert!(model.encoders().contains(&"resnet_map"));
    let predictions = model.predict(&crate::setup::load(&world), &world.posts, &summary.rows);
    let again: Vec<_> = predictions.unwrap().into_iter().flatten().collect();
    assert_eq!(again, summary.predictions);
    // finished runs are read back, not trained again
    let options = RunOptions {
        resume: true,
        ..options(&world.path("run"))
    };
    let config = RunDir::open(&world.path("run")).unwrap().config().unwrap();
    let same = train(
        &crate::setup::load(&world),
        &world.posts,
        &config,
        &options,
        &|_| panic!("an epoch"),
    );
    assert_eq!(same.unwrap().predictions, summary.predictions);
}

#[test]
fn posts_without_pictures_are_masked_beside_those_that_have_some() {
    let mut posts = posts(96);
    for post in posts.iter_mut().skip(1).step_by(5) {
        post.images.clear();
    }
    let world = world(posts);
    let settings = [&ONLINE[..], &["train.missing=mask"]].concat();
    let summary = run(&world, "run", &settings).unwrap();
    assert_eq!(summary.predictions.len(), 96);
}

#[test]
fn what_is_missing_or_does_not_fit_is_said_with_its_remedy() {
    let plain = World::new(posts(96));
    let error = run(&plain, "run", &ONLINE).unwrap_err().to_string();
    assert!(
        error.contains("`resnet_map`") && error.contains("--with-maps"),
        "{error}"
    );
    assert!(!plain.path("run").exists());

    let other = World::new(posts(96));
    let mut weights = resnet_weights();
    weights.remove("layer4.1.bn2.bias").unwrap();
    add_maps(&other, &weights, &|post| post);
    let error = run(&other, "run", &ONLINE).unwrap_err().to_string();
    assert!(
        error.contains("layer4.1.bn2.bias") && error.contains("classifier"),
        "{error}"
    );

    let settings = ["head.kind=eann", "resnet.unfreeze=layer4"].map(str::to_owned);
    let error = Config::read(None, &settings).unwrap_err().to_string();
    assert!(
        error.contains("`eann`") && error.contains("`fc`"),
        "{error}"
    );
    let wrong = ["resnet.unfreeze=layer5".to_owned()];
    let error = Config::read(None, &wrong).unwrap_err().to_string();
    assert!(
        error.contains("resnet.unfreeze") && error.contains("layer4"),
        "{error}"
    );
}

#[test]
fn a_tenth_of_the_heads_rate_is_the_backbones_where_nothing_is_said() {
    let read = |settings: &[&str], online| {
        let settings: Vec<_> = settings.iter().map(|&one| one.to_owned()).collect();
        let file: Option<&Path> = None;
        match online {
            true => Config::read_online(file, &settings).unwrap(),
            false => Config::read(file, &settings).unwrap(),
        }
    };
    assert_eq!(read(&[], false).resnet, None);
    let online = read(&["train.lr=0.02", "train.weight_decay=0.5"], true);
    let resnet = online.resnet.clone().unwrap();
    assert_eq!((resnet.learning_rate, resnet.weight_decay), (0.002, 0.5));
    let again = Config::parse(&online.to_toml(), "config.toml").unwrap();
    assert_eq!(again, online);
}
