//! MVAE: a latent from which both modalities can be rebuilt. Khattar et al., *MVAE: Multimodal Variational Autoencoder
//! for Fake News Detection*, WWW 2019.

use burn::module::{Module, RunningState};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use strum::VariantNames;

use crate::heads::graph::{affine, mean_squares, tanh};
use crate::heads::layers::{normalise, running};
use crate::heads::{
    Head, Init, InputKind, Inputs, LossTerm, Memory, Modalities, Noise, Output, Sizes, StepOutput,
    Training, Variant,
};
use crate::options::options;

options! {
    /// Configuration of [`Mvae`].
    pub struct MvaeConfig in "head" {
        /// as released what is drawn while training deviates by 0.01, not by 1 (33)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// whose features are read: ResNet's, or VGG-19's of the column `vgg`
        inputs: InputKind = InputKind::Frozen, words InputKind::VARIANTS;
        /// hidden width of the text
        text_hidden: usize = 64, range 1..=8192;
        /// hidden width of the picture
        image_hidden: usize = 1024, range 1..=8192;
        /// width of either modality, and of the decoders' first layer
        single: usize = 32, range 1..=8192;
        /// width of the latent
        latent: usize = 64, range 1..=8192;
    }
}

/// Each number standardised over the posts.
#[derive(Module, Debug)]
struct Standard {
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
}

impl Standard {
    fn new(d: usize, init: &Init) -> Self {
        let (running_mean, running_var) = running(d, init.device());
        Self {
            running_mean,
            running_var,
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (d, device) = (x.dims()[1], x.device());
        let (one, zero) = (Tensor::ones([d], &device), Tensor::zeros([d], &device));
        normalise(x, one, zero, &self.running_mean, &self.running_var)
    }
}

/// Affine maps with tanh between them.
#[derive(Module, Debug)]
struct Tanh {
    linear1: Linear,
    linear2: Linear,
    linear3: Option<Linear>,
}

impl Tanh {
    fn two(widths: [usize; 3], init: &mut Init) -> Self {
        let [a, b, c] = widths;
        Self {
            linear1: init.glorot(a, b),
            linear2: init.glorot(b, c),
            linear3: None,
        }
    }

    fn three(widths: [usize; 4], init: &mut Init) -> Self {
        let [a, b, c, d] = widths;
        Self {
            linear3: Some(init.glorot(c, d)),
            ..Self::two([a, b, c], init)
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = affine(tanh(affine(x, &self.linear1)), &self.linear2);
        match &self.linear3 {
            Some(last) => affine(tanh(x), last),
            None => x,
        }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mvae {
    text_norm: Standard,
    image_norm: Standard,
    text: Tanh,
    image: Tanh,
    shared: Linear,
    mean: Linear,
    log_variance: Linear,
    text_decoder: Tanh,
    image_decoder: Tanh,
    classifier: Tanh,
    /// Of ε.
    #[module(skip)]
    deviation: f64,
    #[module(skip)]
    inputs: InputKind,
}

/// A batch on its way: t̄, v̄, μ, ρ.
struct Encoded {
    text: Tensor<2>,
    image: Tensor<2>,
    mean: Tensor<2>,
    log_variance: Tensor<2>,
}

impl Head for Mvae {
    type Config = MvaeConfig;

    const NAME: &'static str = "mvae";
    const ABOUT: &'static str =
        "MVAE (WWW 2019): a latent from which both modalities can be rebuilt";
    const EXTRAS: &'static [&'static str] = &["error_text", "error_image"];

    fn encoders(config: &MvaeConfig) -> Vec<&'static str> {
        match config.inputs {
            InputKind::Frozen => vec!["bert", "resnet"],
            InputKind::Faithful => vec!["bert", "vgg"],
        }
    }

    fn can_score(_config: &MvaeConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &MvaeConfig) -> Option<&'static str> {
        Some("head `mvae` rebuilds text and picture of every post")
    }

    fn training(_config: &MvaeConfig) -> Training {
        Training::adam(1e-4, 128, 300)
    }

    fn new(config: &MvaeConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let MvaeConfig {
            text_hidden,
            image_hidden,
            single,
            latent,
            variant,
            inputs,
        } = *config;
        let image = match inputs {
            InputKind::Frozen => sizes.resnet,
            InputKind::Faithful => sizes.vgg,
        };
        Self {
            text_norm: Standard::new(sizes.bert, init),
            image_norm: Standard::new(image, init),
            text: Tanh::two([sizes.bert, text_hidden, single], init),
            image: Tanh::two([image, image_hidden, single], init),
            shared: init.glorot(2 * single, latent),
            mean: init.glorot(latent, latent),
            log_variance: init.glorot(latent, latent),
            text_decoder: Tanh::three([latent, single, text_hidden, sizes.bert], init),
            image_decoder: Tanh::three([latent, single, image_hidden, image], init),
            classifier: Tanh::three([latent, latent, single, 2], init),
            deviation: match variant {
                Variant::Paper => 1.0,
                Variant::Released => 0.01, // 33
            },
            inputs,
        }
    }

    fn forward(&self, inputs: Inputs, _noise: Option<Noise>) -> Output {
        let encoded = self.encode(&inputs);
        let errors = self.errors(encoded.mean.clone(), &encoded);
        Output::plain(self.classifier.forward(encoded.mean), errors.to_vec())
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let encoded = self.encode(&inputs);
        let (mean, rho) = (encoded.mean.clone(), encoded.log_variance.clone());
        let normals: Tensor<2> = noise.normals(0, mean.dims(), &mean.device());
        let z = mean.clone() + (rho.clone() / 2.0).exp() * normals * self.deviation;
        let [text, image] = self.errors(z.clone(), &encoded);
        let divergence = (rho.clone() - mean.square() - rho.exp() + 1.0).mean() / -2.0;
        let losses = vec![
            LossTerm::new("text", 1.0, text.mean()),
            LossTerm::new("image", 1.0, image.mean()),
            LossTerm::new("kl", 1.0, divergence),
        ];
        Some(StepOutput::of(self.classifier.forward(z), losses))
    }
}

impl Mvae {
    fn encode(&self, inputs: &Inputs) -> Encoded {
        let text = self.text_norm.forward(inputs.last_layer());
        let image = match self.inputs {
            InputKind::Frozen => inputs.resnet(),
            InputKind::Faithful => relu(inputs.vgg()),
        };
        let image = self.image_norm.forward(image);
        let single = vec![
            tanh(self.text.forward(text.clone())),
            tanh(self.image.forward(image.clone())),
        ];
        let h = tanh(affine(Tensor::cat(single, 1), &self.shared));
        Encoded {
            text,
            image,
            mean: affine(h.clone(), &self.mean),
            log_variance: affine(h, &self.log_variance),
        }
    }

    /// How far what is rebuilt is from what was there, post by post.  `[B]` each
    fn errors(&self, z: Tensor<2>, encoded: &Encoded) -> [Tensor<1>; 2] {
        let text = self.text_decoder.forward(z.clone());
        let image = self.image_decoder.forward(z);
        [
            mean_squares(text, encoded.text.clone()),
            mean_squares(image, encoded.image.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{SIZES, init, inputs, numbers};
    use burn::tensor::Device;

    #[test]
    fn without_noise_a_step_says_what_inference_says() {
        // not on an autodiff device, so that the running statistics are used
        let device = Device::flex();
        let step = |deviation| {
            let head = Mvae {
                deviation,
                ..Mvae::new(&MvaeConfig::default(), &SIZES, &mut init(&device))
            };
            let noise = Noise::new(1, 1);
            let step = head.step("all", inputs(&device), noise, &mut Memory::default());
            let step = step.expect("every batch has the step");
            let output = head.forward(inputs(&device), None);
            let logits = step.logits.expect("its only step has logits");
            assert_eq!(step.losses.len(), 3);
            (numbers(logits), numbers(output.logits))
        };
        let (training, inference) = step(0.0);
        assert_eq!(training, inference);
        let (training, inference) = step(1.0);
        assert_ne!(training, inference);
    }
}
