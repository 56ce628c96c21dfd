//! MCNN: text, picture, how far they agree, and what was done to the picture. Xue et al., *Detecting Fake News by
//! Exploring the Consistency of Multimodal Data*, Information Processing & Management 2021.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};
use strum::VariantNames;

use super::pair::Pair;
use crate::heads::graph::{affine, tanh};
use crate::heads::losses::disagreement;
use crate::heads::{
    Dropout, Gru, Head, Init, InputKind, Inputs, LossTerm, Memory, Modalities, Noise, Output,
    Sizes, StepOutput, Tokens, Training, cosine,
};
use crate::options::options;

options! {
    /// Configuration of [`Mcnn`].
    pub struct McnnConfig in "head" {
        /// faithful also reads what was done to the picture, from the column `ela`
        inputs: InputKind = InputKind::Frozen, words InputKind::VARIANTS;
        /// width of the recurrent unit, each way
        gru: usize = 128, range 1..=4096;
        /// hidden width of the picture, and of its error levels
        image_hidden: usize = 256, range 1..=8192;
        /// width of either modality and of the classifier
        width: usize = 64, range 1..=8192;
        /// what the agreement of text and picture counts in the loss
        agreement: f64 = 0.5, range 0.0..=1000.0;
        /// share of values that are dropped while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mcnn {
    gru: Gru,
    score: Param<Tensor<1>>,
    key: Linear,
    text: Linear,
    image: Pair,
    tamper: Option<Pair>,
    weight: Param<Tensor<1>>,
    query: Linear,
    classifier: Pair,
    image_dropout: Dropout,
    classifier_dropout: Dropout,
    tamper_dropout: Dropout,
    #[module(skip)]
    agreement: f64,
}

impl Head for Mcnn {
    type Config = McnnConfig;

    const NAME: &'static str = "mcnn";
    const ABOUT: &'static str = "MCNN (IP&M 2021): text, picture, and how far they agree";
    const EXTRAS: &'static [&'static str] = &["agreement"];

    fn encoders(config: &McnnConfig) -> Vec<&'static str> {
        match config.inputs {
            InputKind::Frozen => vec!["tokens", "resnet"],
            InputKind::Faithful => vec!["tokens", "resnet", "ela"],
        }
    }

    fn can_score(_config: &McnnConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &McnnConfig) -> Option<&'static str> {
        Some("head `mcnn` compares text and picture of every post")
    }

    fn training(_config: &McnnConfig) -> Training {
        Training::adam(1e-4, 64, 100)
    }

    fn new(config: &McnnConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (states, width) = (2 * config.gru, config.width);
        let mut vector = |d: usize| {
            let bound = 1.0 / (d as f32).sqrt();
            init.uniform([d], -bound, bound)
        };
        let (score, weight) = (vector(states), vector(width));
        Self {
            gru: Gru::new(sizes.tokens, config.gru, init),
            score,
            key: init.linear(states, states),
            text: init.linear(states, width),
            image: Pair::new([sizes.resnet, config.image_hidden, width], init),
            tamper: match config.inputs {
                InputKind::Frozen => None,
                InputKind::Faithful => {
                    Some(Pair::new([sizes.ela, config.image_hidden, width], init))
                }
            },
            weight,
            query: init.linear(width, width),
            classifier: Pair::new([width + 1, width, 2], init),
            image_dropout: Dropout::new(config.dropout, 0),
            classifier_dropout: Dropout::new(config.dropout, 1),
            tamper_dropout: Dropout::new(config.dropout, 2),
            agreement: config.agreement,
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let (logits, agreement) = self.both(&inputs, noise);
        Output::plain(logits, vec![agreement])
    }

    fn step(
        &self,
        _step: &'static str,
        inputs: Inputs,
        noise: Noise,
        _memory: &mut Memory,
    ) -> Option<StepOutput> {
        let (logits, agreement) = self.both(&inputs, Some(noise));
        let loss = disagreement(agreement, &inputs.targets().labels);
        let loss = LossTerm::new("agreement", self.agreement, loss);
        Some(StepOutput::of(logits, vec![loss]))
    }
}

impl Mcnn {
    /// Logits, and s: how far text and picture agree, from 0 to 1.
    fn both(&self, inputs: &Inputs, noise: Option<Noise>) -> (Tensor<2>, Tensor<1>) {
        let states = self.gru.forward(&inputs.tokens());
        let text = affine(self.attended(&states), &self.text).tanh();
        let drop = |x| self.image_dropout.forward(relu(x), noise);
        let image = self.image.with(inputs.resnet(), drop).tanh();
        let agreement = agreement(text.clone(), image.clone());
        let tamper = self.tamper.as_ref().map(|tamper| {
            let drop = |x| self.tamper_dropout.forward(relu(x), noise);
            tamper.with(inputs.ela(), drop).tanh()
        });
        let views = [text, image].into_iter().chain(tamper);
        let mixed = self.mixed(&views.collect::<Vec<_>>());
        let both = Tensor::cat(vec![mixed, agreement.clone().unsqueeze_dim(1)], 1);
        let drop = |x| self.classifier_dropout.forward(relu(x), noise);
        (self.classifier.with(both, drop), agreement)
    }

    /// Text, picture and, where it is read, tampering, each as its score weighs it.  `[B, D]`
    fn mixed(&self, views: &[Tensor<2>]) -> Tensor<2> {
        let score = |view: &Tensor<2>| {
            let query = affine(view.clone(), &self.query).tanh();
            (query * self.weight.val().unsqueeze()).sum_dim(1)
        };
        let scores = views.iter().map(score).collect();
        let weights = softmax(Tensor::cat(scores, 1), 1); // g  [B, M]
        let weighed = views.iter().enumerate();
        let weighed = weighed.map(|(m, view)| view.clone() * weights.clone().narrow(1, m, 1));
        let sum = weighed.reduce(|sum, view| sum + view);
        sum.expect("there are text and picture")
    }

    /// The states of a post's tokens, each as its score weighs it among the post's own.  `[B, D]`
    fn attended(&self, states: &Tokens) -> Tensor<2> {
        let keys = tanh(affine(states.rows.clone(), &self.key));
        let scores = (keys * self.score.val().unsqueeze()).sum_dim(1);
        let weights = states.with(scores).softmax();
        states.with(states.rows.clone() * weights.rows).sum()
    }
}

/// s: 1 where two vectors point the same way, 0 where they point opposite ways.  `[B]`
fn agreement(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    (cosine(a, b) + 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{SIZES, init, inputs, normals, numbers};
    use burn::tensor::Device;

    #[test]
    fn what_is_alike_agrees_wholly_and_its_opposite_not_at_all() {
        let device = Device::flex();
        let side: Tensor<2> = normals(0, [4, 6], &device);
        let agreement = |other| numbers(agreement(side.clone(), other));
        for (same, opposite) in agreement(side.clone()).iter().zip(agreement(-side.clone())) {
            assert!(
                (same - 1.0).abs() < 1e-6 && opposite.abs() < 1e-6,
                "{same} {opposite}"
            );
        }
    }

    #[test]
    fn error_levels_move_the_judgement_but_not_how_far_text_and_picture_agree() {
        let device = Device::flex();
        let config = McnnConfig {
            inputs: InputKind::Faithful,
            ..McnnConfig::default()
        };
        let head = Mcnn::new(&config, &SIZES, &mut init(&device));
        let given = inputs(&device);
        let other = Inputs {
            ela: given.ela.clone().map(|ela| ela + 1.0),
            ..given.clone()
        };
        let [given, other] = [given, other].map(|inputs| head.forward(inputs, None));
        assert_eq!(
            numbers(given.extras[0].clone()),
            numbers(other.extras[0].clone())
        );
        let logits = numbers(given.logits).into_iter().zip(numbers(other.logits));
        assert!(logits.into_iter().all(|(given, other)| given != other));
    }
}
