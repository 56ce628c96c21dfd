//! What a head reads: a batch of features, and their sizes.

use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::layers::cosine;
use super::modality_mask::{Branch, ModalityMask};
use super::sequences::Tokens;
use super::targets::Targets;

/// Which features a method reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum InputKind {
    /// Those that every preset makes.
    #[default]
    Frozen,
    /// Those nearest to what its authors read; a store needs a preset that makes them.
    Faithful,
}

/// Sizes that come from the features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Layers of BERT and its embeddings.
    pub layers: usize,
    /// Features of a layer.
    pub bert: usize,
    /// Pooled features of ResNet.
    pub resnet: usize,
    /// Classes of ResNet.
    pub resnet_classes: usize,
    /// Features of CLIP.
    pub clip: usize,
    /// Features of VGG-19.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vgg: usize,
    /// Classes of VGG-19, of a head that reads those.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vgg_classes: usize,
    /// Pooled features of the error levels.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ela: usize,
    /// Features of a token.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: usize,
    /// Events of the posts that are trained on, of a head that counts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events: usize,
    /// Those posts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub posts: usize,
}

fn is_zero(size: &usize) -> bool {
    *size == 0
}

/// The distinct pictures of a batch, as a ResNet reads them.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Pixels, or the maps of a frozen layer.  `[P, H, W, C]`
    pub maps: Tensor<4>,
    /// For each post that has a picture its number among them.  `[B]`
    pub of: Tensor<1, Int>,
}

/// A batch of features; what the head does not read is `None`. With masks B is, for each modality, the number of posts
/// that have it.
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
    /// The last layer's state of each token of the text.
    pub tokens: Option<Tokens>,
    /// VGG-19's second layer of 4096 before its ReLU.  `[B, D]`
    pub vgg: Option<Tensor<2>>,
    /// ResNet's pooled features of a picture's error levels.  `[B, D]`
    pub ela: Option<Tensor<2>>,
    /// What an encoder's own classification layer makes of its features, of a head that reads that.  `[B, D]`
    pub image_logits: Option<Tensor<2>>,
    /// The pictures of the batch, where ResNet is trained with the head.
    pub pictures: Option<Pictures>,
    /// Which posts have what; `None` where all have both.
    pub mask: Option<ModalityMask>,
    /// In training only.
    pub targets: Option<Targets>,
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

    /// The tokens, of a head that declares them.
    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens.clone().expect(DECLARED)
    }

    /// VGG-19's features, of a head that declares them.
    pub(crate) fn vgg(&self) -> Tensor<2> {
        self.vgg.clone().expect(DECLARED)
    }

    /// Features of the error levels, of a head that declares them.
    pub(crate) fn ela(&self) -> Tensor<2> {
        self.ela.clone().expect(DECLARED)
    }

    /// An encoder's logits, of a head that declares them.
    pub(crate) fn image_logits(&self) -> Tensor<2> {
        self.image_logits.clone().expect(DECLARED)
    }

    /// The `[CLS]` state of BERT's last layer.  `[B, D]`
    pub(crate) fn last_layer(&self) -> Tensor<2> {
        let layers = self.bert();
        let last = layers.dims()[1] - 1;
        layers.narrow(1, last, 1).squeeze_dim(1)
    }

    /// What is known of the posts in training.
    pub(crate) fn targets(&self) -> &Targets {
        self.targets.as_ref().expect("steps are given targets")
    }

    /// Where they lie.
    pub(crate) fn device(&self) -> Device {
        let matrices = [&self.resnet, &self.clip_text, &self.clip_image, &self.vgg];
        let matrix = matrices.into_iter().flatten().map(Tensor::device).next();
        let device = matrix.or_else(|| self.bert.as_ref().map(Tensor::device));
        device.expect("a head reads at least one feature")
    }

    /// Whether there are posts for a branch to run over.
    pub(crate) fn has(&self, branch: Branch) -> bool {
        (self.mask.as_ref()).is_none_or(|mask| !mask.rows(branch).is_empty())
    }

    /// Of a modality's rows those of posts that have the other one too.
    pub(crate) fn of_both(&self, x: Tensor<2>, branch: Branch) -> Tensor<2> {
        match &self.mask {
            Some(mask) => mask.of_both(x, branch),
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
        match &self.mask {
            Some(mask) => mask.spread(x, branch, width),
            None => x.expect("every post has what the branch reads"),
        }
    }
}
