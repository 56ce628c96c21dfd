//! Losses that heads name beside the cross-entropy of the logits: plain means over a batch.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

/// Softmax cross-entropy with one class a row, as a plain mean.
///
/// # Shapes
/// - `logits`: `[B, C]`
/// - output: `[1]`
pub(super) fn plain_cross_entropy(logits: Tensor<2>, classes: &[usize]) -> Tensor<1> {
    let targets = one_hot(classes, logits.dims()[1], &logits.device());
    (log_softmax(logits, 1) * targets).sum() / -(classes.len() as f64)
}

/// L_s of SAFE: fake where text and picture disagree; `agreement` is from 0 to 1.
///
/// # Shapes
/// - `agreement`: `[B]`
/// - output: `[1]`
pub(super) fn disagreement(agreement: Tensor<1>, labels: &[usize]) -> Tensor<1> {
    let s = agreement.clamp(1e-7, 1.0 - 1e-7);
    let fake: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
    let fake = Tensor::<1>::from_data(TensorData::from(fake.as_slice()), &s.device());
    let real = fake.clone().neg() + 1.0;
    (fake * (s.clone().neg() + 1.0).log() + real * s.log())
        .mean()
        .neg()
}

/// 1 at each row's class, else 0.  `[B, C]`
pub(super) fn one_hot(classes: &[usize], count: usize, device: &Device) -> Tensor<2> {
    let row = |&class: &usize| (0..count).map(move |other| f32::from(other == class));
    let values: Vec<f32> = classes.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(values, [classes.len(), count]), device)
}
