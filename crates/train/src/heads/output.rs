//! What a head says about a batch.

use burn::tensor::Tensor;

use super::graph::Cut;
use super::inputs::Inputs;
use super::layers::GateShares;

/// What a head says about a batch; a step that it lacks is `None`. With masks a branch is zero, and its attention too,
/// for posts where it is absent.
#[derive(Clone, Debug)]
pub struct Output {
    /// Before the softmax.  `[B, C]`
    pub logits: Tensor<2>,
    /// Cosine of CLIP's text and picture, of the posts that have both.  `[B]`
    pub similarity: Option<Tensor<1>>,
    /// Weight of each branch, in the order text, picture, cross-modal.  `[B, M]`
    pub attention: Option<Tensor<2>>,
    /// f^t.  `[B, D]`
    pub text_unimodal: Option<Tensor<2>>,
    /// f^v.  `[B, D]`
    pub image_unimodal: Option<Tensor<2>>,
    /// f^m.  `[B, D]`
    pub fused: Option<Tensor<2>>,
    /// f^cross.  `[B, D]`
    pub cross_modal: Option<Tensor<2>>,
    /// What the classifier reads.  `[B, D]`
    pub aggregate: Tensor<2>,
    /// Where the graph is cut; [`backward`](super::backward) takes them.
    pub cuts: Vec<Cut>,
    /// What each gate gives to its experts, of posts that have the gate's modality; at inference only, not on an
    /// autodiff device.
    pub gates: Vec<GateShares>,
    /// The columns that only this head has.  `[B]` each
    pub extras: Vec<Tensor<1>>,
}

impl Output {
    /// Of a head without branches.
    pub(crate) fn of(logits: Tensor<2>, aggregate: Tensor<2>, inputs: &Inputs) -> Self {
        Self {
            logits,
            similarity: inputs.similarity(),
            attention: None,
            text_unimodal: None,
            image_unimodal: None,
            fused: None,
            cross_modal: None,
            aggregate,
            cuts: Vec::new(),
            gates: Vec::new(),
            extras: Vec::new(),
        }
    }

    /// Of a head that says no more than logits, and columns of its own.
    pub(crate) fn plain(logits: Tensor<2>, extras: Vec<Tensor<1>>) -> Self {
        Self {
            extras,
            ..Self::of(logits.clone(), logits, &Inputs::default())
        }
    }
}
