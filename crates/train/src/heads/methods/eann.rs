//! EANN: an adversary makes the features forget the event. Wang et al., *EANN: Event Adversarial Neural Networks for
//! Multi-Modal Fake News Detection*, KDD 2018.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, softmax};
use strum::VariantNames;

use super::pair::Pair;
use crate::heads::graph::affine;
use crate::heads::losses::{one_hot, plain_cross_entropy};
use crate::heads::sequences::indices;
use crate::heads::{
    Conv, Head, Init, InputKind, Inputs, LossTerm, Memory, Modalities, Noise, Output, Sizes,
    StepOutput, Training, Variant,
};
use crate::options::options;

/// Tokens in a window, one convolution each.
const WINDOWS: [usize; 4] = [1, 2, 3, 4];

options! {
    /// Configuration of [`Eann`].
    pub struct EannConfig in "head" {
        /// as released the slope is 1, and both cross-entropies read a softmax (22)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// whose classes are read: ResNet's, or VGG-19's of the column `vgg`
        inputs: InputKind = InputKind::Frozen, words InputKind::VARIANTS;
        /// outputs of each convolution
        filters: usize = 20, range 1..=8192;
        /// width of either modality and of the adversary
        hidden: usize = 32, range 1..=8192;
        /// λ: what the adversary's gradient is multiplied with, negated
        reversal: f64 = 1.0, range -100.0..=100.0;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Eann {
    conv1: Conv,
    conv2: Conv,
    conv3: Conv,
    conv4: Conv,
    text: Linear,
    image: Linear,
    classifier: Linear,
    event: Pair,
    #[module(skip)]
    reversal: f64,
    #[module(skip)]
    variant: Variant,
}

impl Head for Eann {
    type Config = EannConfig;

    const NAME: &'static str = "eann";
    const ABOUT: &'static str = "EANN (KDD 2018): an adversary makes the features forget the event";
    const COUNTS_POSTS: bool = true;

    fn encoders(config: &EannConfig) -> Vec<&'static str> {
        vec!["tokens", image(config)]
    }

    fn reads_logits_of(config: &EannConfig) -> Option<&'static str> {
        Some(image(config))
    }

    fn can_score(_config: &EannConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &EannConfig) -> Option<&'static str> {
        Some("head `eann` reads text and picture of every post")
    }

    fn training(_config: &EannConfig) -> Training {
        Training::adam(1e-3, 100, 100)
    }

    fn check(_config: &EannConfig, sizes: &Sizes) -> Result<(), String> {
        match sizes.events {
            0 | 1 => Err(format!(
                "head `eann` learns to forget the event, and the posts that it is trained on name {}; import them with a column `event`, from a manifest, or take another head",
                ["none", "only one"][sizes.events]
            )),
            _ => Ok(()),
        }
    }

    fn new(config: &EannConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (filters, hidden) = (config.filters, config.hidden);
        let classes = match config.inputs {
            InputKind::Frozen => sizes.resnet_classes,
            InputKind::Faithful => sizes.vgg_classes,
        };
        let [conv1, conv2, conv3, conv4] =
            WINDOWS.map(|window| Conv::new(window, sizes.tokens, filters, init));
        Self {
            conv1,
            conv2,
            conv3,
            conv4,
            text: init.linear(WINDOWS.len() * filters, hidden),
            image: init.linear(classes, hidden),
            classifier: init.linear(2 * hidden, 2),
            event: Pair::new([2 * hidden, hidden, sizes.events], init),
            reversal: config.reversal,
            variant: config.variant,
        }
    }

    fn forward(&self, inputs: Inputs, _noise: Option<Noise>) -> Output {
        Output::plain(affine(self.features(&inputs), &self.classifier), Vec::new())
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        _noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let z = self.features(&inputs);
        let reversed = reverse(z.clone(), self.reversal);
        let event = self.event.with(reversed, |x| self.leaky(x));
        let logits = affine(z, &self.classifier);
        let event = event_loss(self.output(event), &inputs.targets().events);
        Some(StepOutput::of(self.output(logits), vec![event]))
    }
}

impl Eann {
    /// z: both modalities side by side.  `[B, D]`
    fn features(&self, inputs: &Inputs) -> Tensor<2> {
        let tokens = inputs.tokens();
        let convolutions = [&self.conv1, &self.conv2, &self.conv3, &self.conv4];
        let largest = |conv: &Conv| self.leaky(conv.largest(&tokens));
        let text = Tensor::cat(convolutions.map(largest).to_vec(), 1);
        let text = self.leaky(affine(text, &self.text));
        let image = self.leaky(affine(inputs.image_logits(), &self.image));
        Tensor::cat(vec![text, image], 1)
    }

    /// 22: the released code gives the layer `true` for its slope, which is 1.
    fn leaky(&self, x: Tensor<2>) -> Tensor<2> {
        match self.variant {
            Variant::Paper => leaky_relu(x, 0.01),
            Variant::Released => x,
        }
    }

    /// 22: what the cross-entropies read.
    fn output(&self, logits: Tensor<2>) -> Tensor<2> {
        match self.variant {
            Variant::Paper => logits,
            Variant::Released => softmax(logits, 1),
        }
    }
}

/// The encoder whose classes are read.
fn image(config: &EannConfig) -> &'static str {
    match config.inputs {
        InputKind::Frozen => "resnet",
        InputKind::Faithful => "vgg",
    }
}

/// R: the identity, whose gradient is multiplied with −λ.
fn reverse(x: Tensor<2>, lambda: f64) -> Tensor<2> {
    x.clone().detach() * (1.0 + lambda) - x * lambda
}

/// Cross-entropy over the posts that have an event; 0 where none has one.
fn event_loss(logits: Tensor<2>, events: &[Option<usize>]) -> LossTerm {
    let device = logits.device();
    let known = events.iter().enumerate();
    let known = known.filter_map(|(row, event)| Some((row, (*event)?)));
    let (rows, events): (Vec<_>, Vec<_>) = known.unzip();
    if rows.is_empty() {
        return LossTerm::new("event", 1.0, Tensor::zeros([1], &device));
    }
    let logits = logits.select(0, indices(rows.into_iter(), &device));
    let largest = logits.clone().detach().max_dim(1);
    let own = logits.clone().detach() * one_hot(&events, logits.dims()[1], &device);
    let right = own.sum_dim(1).equal(largest).int().float().sum();
    LossTerm {
        hits: Some((right, events.len())),
        ..LossTerm::new("event", 1.0, plain_cross_entropy(logits, &events))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{SIZES, init, inputs, numbers};
    use crate::weights::{Weights, gradients};
    use burn::tensor::Device;

    /// Gradients of both losses, or of that of the event alone.
    fn found(reversal: f64, with_class: bool) -> Weights {
        let device = Device::flex().autodiff();
        let config = EannConfig {
            filters: 3,
            hidden: 4,
            reversal,
            ..EannConfig::default()
        };
        let head = Eann::new(&config, &SIZES, &mut init(&device));
        let inputs = inputs(&device);
        let labels = inputs.targets().labels.clone();
        let step = head.step("all", inputs, Noise::new(1, 1), &mut Memory::default());
        let step = step.unwrap();
        let event = step.losses[0].value.clone();
        let class = plain_cross_entropy(step.logits.unwrap(), &labels);
        let loss = if with_class { class + event } else { event };
        gradients(&head, &[loss.backward()])
    }

    #[test]
    fn reversal_turns_the_sign_of_what_the_event_says_to_the_features_and_of_nothing_else() {
        let [forwards, backwards] = [1.0, -1.0].map(|reversal| found(reversal, false));
        for (name, weight) in &forwards {
            let other = &backwards[name].values;
            let is_own = name.starts_with("event");
            for (a, b) in weight.values.iter().zip(other) {
                assert_eq!(*a, if is_own { *b } else { -b }, "{name}");
            }
            assert!(weight.values.iter().any(|&g| g != 0.0), "{name}");
        }
        assert!(!forwards.contains_key("classifier.weight"));
        let [forwards, backwards] = [1.0, -1.0].map(|reversal| found(reversal, true));
        for (name, weight) in &forwards {
            let is_same = weight == &backwards[name];
            let above = name.starts_with("event") || name.starts_with("classifier");
            assert_eq!(is_same, above, "{name}");
        }
    }

    #[test]
    fn posts_of_fewer_than_two_events_are_refused_and_a_batch_without_any_says_nothing() {
        for events in [0, 1] {
            let sizes = Sizes { events, ..SIZES };
            let error = Eann::check(&EannConfig::default(), &sizes).unwrap_err();
            assert!(error.contains("column `event`"), "{error}");
        }
        assert!(Eann::check(&EannConfig::default(), &SIZES).is_ok());
        let logits = Tensor::ones([2, 3], &Device::flex());
        let loss = event_loss(logits, &[None, None]);
        assert_eq!(
            (numbers(loss.value), loss.hits.is_none()),
            (vec![0.0], true)
        );
    }
}
