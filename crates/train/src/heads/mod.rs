//! The networks: tensors in, tensors out; no file, no Parquet, no configuration file.
//!
//! The paper's symbols and what they are called here:
//!
//! | paper | here | | paper | here |
//! |---|---|---|---|---|
//! | t^b | `bert` | | f^t | `text_unimodal` |
//! | v^r | `resnet` | | f^v | `image_unimodal` |
//! | t^c | `clip_text` | | f^m | `fused` |
//! | v^c | `clip_image` | | sim | `similarity` |
//! | t^s | `text` | | f^cross | `cross_modal` |
//! | v^s | `image` | | att, m_Agg | `attention`, `aggregate` |
//!
//! Axis letters: B batch, L layers of BERT and its embeddings, D feature, E experts of a group, G experts that a gate weighs, M branches, C classes
//! (0 real, 1 fake). Layers compute what PyTorch's do: `tests/golden` holds outputs, gradients and running statistics to compare with.

mod baselines;
mod graph;
mod head;
mod layers;
mod mmfnd;
mod modality_mask;
pub(crate) mod range;

use burn::tensor::{Device, Tensor};

pub use baselines::{Concat, ConcatMlp, Feature, LinearConfig, LinearProbe, MlpConfig};
pub use graph::{Cut, backward};
pub use head::{Head, HeadOption};
pub use layers::{
    BatchNorm, Classifier, Dropout, ExpertLinear, Experts, Gate, GateShares, Init, LayerPool,
    Mapping, ModalityAttention, Noise, Ple, PleLevel, Projection, SimilarityWeight, Streams,
    cosine,
};
pub use mmfnd::{
    Ablation, ClassifierKind, Fusion, Mmfnd, MmfndConfig, Pooling, Routing, SimilarityKind, Sizes,
    Trained, Variant,
};
pub use modality_mask::{Has, Present};

use modality_mask::Branch;

/// A batch of features; what the head does not read is `None`. With masks B is, for each modality, the number of posts that have it.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `[CLS]` of each layer of BERT.  `[B, L, D]`
    pub bert: Option<Tensor<3>>,
    /// Pooled features of ResNet.  `[B, D]`
    pub resnet: Option<Tensor<2>>,
    /// CLIP's projection of the text, not normalised.  `[B, D]`
    pub clip_text: Option<Tensor<2>>,
    /// CLIP's projection of the picture, not normalised.  `[B, D]`
    pub clip_image: Option<Tensor<2>>,
    /// Which posts have what; `None` where all have both.
    pub present: Option<Present>,
}

/// Why a feature is there.
const DECLARED: &str = "a head reads the features that it declares";

impl Inputs {
    /// BERT's layers, of a head that declares them.
    pub(crate) fn bert(&self) -> Tensor<3> {
        self.bert.clone().expect(DECLARED)
    }

    /// ResNet's features, of a head that declares them.
    pub(crate) fn resnet(&self) -> Tensor<2> {
        self.resnet.clone().expect(DECLARED)
    }

    /// CLIP's text, of a head that declares it.
    pub(crate) fn clip_text(&self) -> Tensor<2> {
        self.clip_text.clone().expect(DECLARED)
    }

    /// CLIP's picture, of a head that declares it.
    pub(crate) fn clip_image(&self) -> Tensor<2> {
        self.clip_image.clone().expect(DECLARED)
    }

    /// Where they lie.
    pub(crate) fn device(&self) -> Device {
        let matrices = [&self.resnet, &self.clip_text, &self.clip_image];
        let matrix = matrices.into_iter().flatten().map(Tensor::device).next();
        let device = matrix.or_else(|| self.bert.as_ref().map(Tensor::device));
        device.expect("a head reads at least one feature")
    }

    /// Whether there are posts for a branch to run over.
    pub(crate) fn has(&self, branch: Branch) -> bool {
        (self.present.as_ref()).is_none_or(|present| !present.rows(branch).is_empty())
    }

    /// Of a modality's rows those of posts that have the other one too.
    pub(crate) fn of_both(&self, x: Tensor<2>, branch: Branch) -> Tensor<2> {
        match &self.present {
            Some(present) => present.of_both(x, branch),
            None => x,
        }
    }

    /// Eq. 3 of the posts that have both, where CLIP's features are read.  `[B]`
    pub(crate) fn similarity(&self) -> Option<Tensor<1>> {
        let (text, image) = (self.clip_text.clone()?, self.clip_image.clone()?);
        (self.has(Branch::Cross)).then(|| {
            let text = self.of_both(text, Branch::Text);
            cosine(text, self.of_both(image, Branch::Image))
        })
    }

    /// From the rows of a branch to those of the batch, zero where the branch is absent.
    pub(crate) fn spread(&self, x: Option<Tensor<2>>, branch: Branch, width: usize) -> Tensor<2> {
        match &self.present {
            Some(present) => present.spread(x, branch, width),
            None => x.expect("every post has what the branch reads"),
        }
    }
}

/// What a head says about a batch; a step that it lacks is `None`. With masks a branch is zero, and its attention too, for posts where it is absent.
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
    /// Where the graph is cut; [`backward`] takes them.
    pub cuts: Vec<Cut>,
    /// What each gate gives to its experts, of posts that have the gate's modality; at inference only, not on an autodiff device.
    pub gates: Vec<GateShares>,
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
        }
    }
}
