//! The loss: softmax cross-entropy with class weights and label smoothing, as `torch.nn.functional.cross_entropy`
//! computes it.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::config::{ClassWeights, TrainConfig};

/// Which loss; its value is the mean over a batch, by the weight of each post's class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Weight of the classes real and fake.
    pub class_weights: [f64; 2],
    /// Share of the target that is spread evenly over both classes.
    pub label_smoothing: f64,
}

impl Loss {
    /// Of a training whose posts have these labels, 1 for fake.
    pub fn of(config: &TrainConfig, labels: impl Iterator<Item = usize>) -> Self {
        Self {
            class_weights: match config.class_weights {
                ClassWeights::None => [1.0; 2],
                ClassWeights::Balanced => balanced(labels),
                ClassWeights::Given(weights) => weights,
            },
            label_smoothing: config.label_smoothing,
        }
    }

    /// What the log-probabilities of a batch are multiplied with, computed here so that the device has nothing to look
    /// up: with labels y, class weights w and smoothing ε, −((1 − ε) · w_y for the class y, plus ε / C · w_c for each
    /// class c) / Σ w_y. `[B, C]`
    pub fn targets(&self, labels: &[usize], device: &Device) -> Tensor<2> {
        let weights = self.class_weights;
        let (smooth, total) = (
            self.label_smoothing,
            labels.iter().map(|&label| weights[label]).sum::<f64>(),
        );
        let target = |label: usize, class: usize| {
            let own = if label == class { 1.0 - smooth } else { 0.0 };
            let share = weights[class] * (own + smooth / 2.0);
            (-share / total) as f32
        };
        let rows = labels
            .iter()
            .flat_map(|&label| [0, 1].map(|class| target(label, class)));
        let data = TensorData::new(rows.collect::<Vec<_>>(), [labels.len(), 2]);
        Tensor::from_data(data, device)
    }
}

/// The loss of a batch with these [targets](Loss::targets).  `[1]`
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (log_softmax(logits, 1) * targets).sum()
}

/// Posts / (classes · posts of the class), as scikit-learn's `balanced`.
fn balanced(labels: impl Iterator<Item = usize>) -> [f64; 2] {
    let mut counts = [0usize; 2];
    labels.for_each(|label| counts[label] += 1);
    let posts = (counts[0] + counts[1]) as f64;
    counts.map(|count| posts / (2.0 * count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_make_both_classes_count_alike() {
        let weights = balanced([0, 0, 0, 1].into_iter());
        assert_eq!(weights, [4.0 / 6.0, 2.0]);
        assert!((3.0 * weights[0] - weights[1]).abs() < 1e-12);
    }
}
