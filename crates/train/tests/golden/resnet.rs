//! ResNet trained online against torchvision's: outputs, every gradient, running statistics, five steps of AdamW.

use burn::tensor::{Device, Tensor};
use mmfnd_train::AdamW;
use mmfnd_train::heads::{BlockKind, Init, Norms, Resnet, ResnetConfig, TrainedLayers};
use mmfnd_train::weights::{Weights, gradients, load, named};

use crate::file::{Golden, OUTPUT, STATISTIC, Tolerance};

/// How far a weight may be after five steps of AdamW, each of which moves it by up to 1e-2.
const STEPPED: Tolerance = Tolerance {
    relative: 0.0,
    absolute: 1e-4,
};

/// The sizes in `tests/golden/resnet.py`.
fn config(block: BlockKind) -> ResnetConfig {
    ResnetConfig {
        block,
        blocks: [1, 2, 1, 2],
        widths: [4, 4, 6, 4, 5],
        strides: [1, 2, 2, 2],
        stem: [7, 2, 3],
        has_pool: true,
    }
}

struct Given {
    golden: Golden,
    block: BlockKind,
    trained: TrainedLayers,
    norms: Norms,
}

impl Given {
    /// The layers that are there where these are trained.
    fn resnet(&self, trained: TrainedLayers, device: &Device) -> Resnet {
        let init = &mut Init::new(0, device);
        let resnet = config(self.block).init(trained, self.norms, init);
        let mut weights = self.golden.under("weight");
        if trained == TrainedLayers::Layer4 {
            weights.retain(|name, _| name.starts_with("layer4."));
        }
        load(resnet, &weights).unwrap()
    }

    /// From pixels, or from the map where only the fourth layer is trained.
    fn forward(&self, resnet: &Resnet, device: &Device) -> Tensor<2> {
        let read = |key| {
            let maps: Tensor<4> = self.golden.tensor(key, device);
            maps.permute([0, 2, 3, 1])
        };
        match self.trained {
            TrainedLayers::Layer4 => resnet.forward(read("map")),
            _ => resnet.forward(read("pixels")),
        }
    }

    /// Each to 1e-4 of itself and a tenth of that of the largest of its weight: behind batch norms of a dozen places
    /// small numbers are differences of large ones, in PyTorch's float32, too.
    fn check_gradients(&self, ours: &Weights) {
        let theirs = self.golden.under("grad.weight");
        assert!(ours.keys().eq(theirs.keys()), "other weights are trained");
        for (name, theirs) in &theirs {
            let largest = theirs.values.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
            let tolerance = Tolerance {
                relative: 1e-4,
                absolute: 1e-5 * largest + 2e-6,
            };
            assert_eq!(ours[name].shape, theirs.shape, "{name}");
            tolerance.check(name, &ours[name].values, &theirs.values);
        }
    }

    fn check(&self) {
        let golden = &self.golden;
        let device = Device::flex();
        let pixels: Tensor<4> = golden.tensor("pixels", &device);
        let whole = self.resnet(TrainedLayers::All, &device);
        let output = whole.forward(pixels.permute([0, 2, 3, 1]));
        golden.check("output_eval", output, OUTPUT);
        let device = device.autodiff();
        let mut resnet = self.resnet(self.trained, &device);
        let d_output: Tensor<2> = golden.tensor("d_output", &device);
        let output = self.forward(&resnet, &device);
        golden.check("output", output.clone(), OUTPUT);
        let found = (output * d_output.clone()).sum().backward();
        self.check_gradients(&gradients(&resnet, &[found]));
        golden.check_weights("after", &named(&resnet), STATISTIC);

        resnet = self.resnet(self.trained, &device);
        let number = |key: &str| golden.about[key].as_f64().unwrap();
        let mut optimizer = AdamW::new(number("rate"), number("decay"), true);
        for _ in 0..golden.about["steps"].as_u64().unwrap() {
            let loss = (self.forward(&resnet, &device) * d_output.clone()).sum();
            resnet = optimizer.step(resnet, &mut [loss.backward()]);
        }
        golden.check_weights("stepped", &named(&resnet), STEPPED);
    }
}

fn check(file: &str, block: BlockKind, trained: TrainedLayers, norms: Norms) {
    let golden = Golden::open(file);
    Given {
        golden,
        block,
        trained,
        norms,
    }
    .check();
}

#[test]
fn the_fourth_layer_of_a_resnet_learns_from_maps_as_torchvision_does() {
    let layer4 = TrainedLayers::Layer4;
    check(
        "resnet_layer4",
        BlockKind::Bottleneck,
        layer4,
        Norms::Frozen,
    );
}

#[test]
fn two_layers_of_a_resnet_learn_with_their_norms_as_torchvision_does() {
    let layer3 = TrainedLayers::Layer3;
    check(
        "resnet_layer3_norms",
        BlockKind::Bottleneck,
        layer3,
        Norms::Train,
    );
}

#[test]
fn a_whole_resnet_learns_as_torchvision_does() {
    let all = TrainedLayers::All;
    check("resnet_all", BlockKind::Bottleneck, all, Norms::Frozen);
    check(
        "resnet_all_basic_norms",
        BlockKind::Basic,
        all,
        Norms::Train,
    );
}
