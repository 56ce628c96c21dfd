//! Each part of the head: output in training and at inference, gradient of every weight and input, running statistics
//! after a training step.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use mmfnd_train::heads::{
    Classifier, ClassifierKind, Dropout, Experts, Gate, Init, LayerPool, ModalityAttention, Ple,
    PleLevel, Pooling, Projection, SimilarityKind, SimilarityWeight, Streams, Trained, cosine,
};

use mmfnd_train::weights::{Weight, load, named};

use crate::file::{GRADIENT, Golden, OUTPUT, STATISTIC, numbers, tensor};
use crate::gradients::gradients;

/// Checks one part: `new` makes it, `forward` maps its inputs, which are found in the file by name, to its outputs.
fn check<M: Module>(
    file: &str,
    new: impl Fn(&mut Init) -> M,
    inputs: &[&str],
    forward: impl Fn(&M, &Inputs) -> Vec<Tensor<2>>,
) {
    let golden = Golden::open(file);
    let part =
        |device: &Device| load(new(&mut Init::new(0, device)), &golden.under("weight")).unwrap();
    let device = Device::flex();
    let outputs = forward(&part(&device), &Inputs::new(&golden, inputs, &device));
    for (i, output) in outputs.into_iter().enumerate() {
        golden.check(&format!("eval.output{i}"), output, OUTPUT);
    }

    let device = device.autodiff();
    let (part, given) = (part(&device), Inputs::new(&golden, inputs, &device));
    let mut loss = Tensor::<1>::zeros([1], &device);
    for (i, output) in forward(&part, &given).into_iter().enumerate() {
        golden.check(&format!("train.output{i}"), output.clone(), OUTPUT);
        loss = loss + (golden.tensor(&format!("loss_weight{i}"), &device) * output).sum();
    }
    let found = loss.backward();
    golden.check_gradients(&gradients(&part, std::slice::from_ref(&found)), GRADIENT);
    for (i, name) in inputs.iter().enumerate() {
        let gradient = given.tensors[i].grad(&found);
        let gradient = gradient.unwrap_or_else(|| panic!("{file}: no gradient of {name}"));
        let theirs = &golden.get(&format!("grad.input.{name}")).values;
        GRADIENT.check(
            &format!("{file} grad.input.{name}"),
            &numbers(gradient),
            theirs,
        );
    }
    golden.check_weights("after", &named(&part), STATISTIC);
}

/// Inputs of a part, tracked on an autodiff device; all are flattened so that they fit one list.
struct Inputs {
    tensors: Vec<Tensor<1>>,
    shapes: Vec<Vec<usize>>,
}

impl Inputs {
    fn new(golden: &Golden, names: &[&str], device: &Device) -> Self {
        let value = |name: &&str| golden.get(&format!("input.{name}"));
        let values: Vec<_> = names.iter().map(value).collect();
        let tracked = |v: &&Weight| {
            let (shape, values) = (vec![v.values.len()], v.values.clone());
            let flat = tensor(&Weight { shape, values }, device);
            if flat.is_autodiff() {
                flat.require_grad()
            } else {
                flat
            }
        };
        Self {
            tensors: values.iter().map(tracked).collect(),
            shapes: values.iter().map(|v| v.shape.clone()).collect(),
        }
    }

    fn get<const D: usize>(&self, i: usize) -> Tensor<D> {
        let shape: [usize; D] = self.shapes[i].clone().try_into().unwrap();
        self.tensors[i].clone().reshape(shape)
    }
}

#[test]
fn layer_pooling_is_pytorchs() {
    for (file, pooling) in [
        ("layer_pool", Pooling::Softmax),
        ("layer_pool_query", Pooling::Query),
        ("layer_pool_released", Pooling::Released),
    ] {
        check(
            file,
            |init| LayerPool::new(pooling, 4, 8, init),
            &["layers"],
            |pool, x| vec![pool.forward(x.get(0))],
        );
    }
}

#[test]
fn projection_is_pytorchs() {
    let new = |init: &mut Init| Projection::new([9, 12, 8], Dropout::new(0.0, 0), init);
    check("projection", new, &["x"], |projection, x| {
        vec![projection.forward(x.get(0), None)]
    });
}

#[test]
fn projection_with_dropout_is_pytorchs() {
    let noise = Golden::open("projection_dropout").noise();
    let new = |init: &mut Init| Projection::new([9, 12, 8], Dropout::new(0.25, 0), init);
    check("projection_dropout", new, &["x"], |projection, x| {
        let is_training = x.tensors[0].is_autodiff();
        vec![projection.forward(x.get(0), noise.filter(|_| is_training))]
    });
}

#[test]
fn mapping_is_pytorchs() {
    let new = |init: &mut Init| Projection::new([8, 6, 4], Dropout::new(0.0, 0), init);
    check("mapping", new, &["x"], |mapping, x| {
        vec![mapping.forward(x.get(0), None)]
    });
}

#[test]
fn experts_are_pytorchs() {
    let forward = |experts: &Experts, x: &Inputs| {
        let [b, d] = x.get::<2>(0).dims();
        vec![
            experts
                .forward(x.get(0))
                .swap_dims(0, 1)
                .reshape([b, 2 * d]),
        ]
    };
    check("experts", |init| Experts::new(2, 8, init), &["x"], forward);
}

#[test]
fn gate_is_pytorchs() {
    let forward =
        |gate: &Gate, x: &Inputs| vec![gate.forward(x.get(0), vec![x.get::<3>(1).swap_dims(0, 1)])];
    check(
        "gate",
        |init| Gate::new(8, 5, init),
        &["selector", "experts"],
        forward,
    );
}

#[test]
fn ple_level_is_pytorchs() {
    let forward = |level: &PleLevel, x: &Inputs| {
        let streams = level.forward(Streams {
            unimodal: x.get(0),
            shared: Some(x.get(1)),
            cross_modal: x.get(2),
        });
        vec![
            streams.unimodal,
            streams.shared.unwrap(),
            streams.cross_modal,
        ]
    };
    check(
        "ple_level",
        |init| PleLevel::new(6, [2, 3], false, init),
        &["a", "s", "b"],
        forward,
    );
}

#[test]
fn ple_of_one_to_three_levels_is_pytorchs() {
    for levels in 1..=3 {
        let new = |init: &mut Init| Ple::new(6, [2, 1], levels, Trained::All, init);
        check(&format!("ple_{levels}"), new, &["x"], |ple, x| {
            <[_; 2]>::from(ple.forward(x.get(0))).into()
        });
    }
}

#[test]
fn similarity_weight_is_pytorchs() {
    for (file, kind) in [
        ("similarity", SimilarityKind::Running),
        ("similarity_learned", SimilarityKind::Learned),
    ] {
        let forward = |weight: &SimilarityWeight, x: &Inputs| {
            vec![weight.forward(cosine(x.get(0), x.get(1))) * x.get(2)]
        };
        check(
            file,
            |init| SimilarityWeight::new(kind, init),
            &["clip_text", "clip_image", "fused"],
            forward,
        );
    }
}

#[test]
fn modality_attention_is_pytorchs() {
    check(
        "attention",
        |init| ModalityAttention::new(3, init),
        &["branches"],
        |attention, x| vec![attention.forward(x.get(0))],
    );
}

#[test]
fn classifier_is_pytorchs() {
    for (file, kind) in [
        ("classifier", ClassifierKind::Paper),
        ("classifier_released", ClassifierKind::Released),
    ] {
        check(
            file,
            |init| Classifier::new(kind, 8, 8, init),
            &["x"],
            |classifier, x| vec![classifier.forward(x.get(0))],
        );
    }
}
