//! The features of a post side by side, standardised: what the baselines read.

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use crate::heads::modality_mask::Branch;
use crate::heads::{BatchNorm, Init, Inputs, LayerPool, Modalities, Pooling, Sizes};

/// An encoder whose features a baseline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Feature {
    /// `[CLS]` of each layer of BERT.
    Bert,
    /// CLIP's projection of the text.
    ClipText,
    /// CLIP's projection of the picture.
    ClipImage,
    /// Pooled features of ResNet.
    Resnet,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bert, Self::ClipText, Self::ClipImage, Self::Resnet];

    /// The encoder's name.
    pub fn encoder(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::ClipText => "clip_text",
            Self::ClipImage => "clip_image",
            Self::Resnet => "resnet",
        }
    }

    pub(super) fn encoders(features: &[Self]) -> Vec<&'static str> {
        features.iter().map(|feature| feature.encoder()).collect()
    }

    /// Whether a post that has only this has one of the features.
    pub(super) fn any(features: &[Self], modalities: Modalities) -> bool {
        let is_there = |feature: &Self| match feature.branch() {
            Branch::Text => modalities.text,
            _ => modalities.image,
        };
        features.iter().any(is_there)
    }

    fn branch(self) -> Branch {
        match self {
            Self::Bert | Self::ClipText => Branch::Text,
            Self::ClipImage | Self::Resnet => Branch::Image,
        }
    }

    fn width(self, sizes: &Sizes) -> usize {
        match self {
            Self::Bert => sizes.bert,
            Self::ClipText | Self::ClipImage => sizes.clip,
            Self::Resnet => sizes.resnet,
        }
    }
}

/// How the baselines may pool BERT's layers: so that no prediction depends on other posts.
pub(super) const POOLINGS: &[&str] = Pooling::VARIANTS.split_at(3).0;

/// At least one feature, none twice, and a pooling that makes no prediction depend on other posts.
pub(super) fn check(features: &[Feature], pooling: Pooling) -> Result<(), String> {
    let twice = (features.iter().enumerate()).find(|(i, name)| features[..*i].contains(name));
    match twice {
        _ if features.is_empty() => {
            Err("`head.features` is empty; name at least one encoder".to_owned())
        }
        Some((_, name)) => Err(format!("`head.features` has `{}` twice", name.encoder())),
        None if pooling == Pooling::Released => Err(
            "`head.pooling` is `released`, which is for head `mmfnd`; use `softmax`, `query` or `last`"
                .to_owned(),
        ),
        None => Ok(()),
    }
}

/// Features side by side, each number standardised over the posts.
#[derive(Module, Debug)]
pub struct Concat {
    layer_pool: Option<LayerPool>,
    norms: Vec<BatchNorm>,
    #[module(skip)]
    features: Vec<(Feature, usize)>,
}

impl Concat {
    /// Of these features, in this order, and how many numbers they are.
    pub fn new(
        features: &[Feature],
        pooling: Pooling,
        sizes: &Sizes,
        init: &mut Init,
    ) -> (Self, usize) {
        let widths: Vec<_> = features.iter().map(|name| name.width(sizes)).collect();
        let has_bert = features.contains(&Feature::Bert);
        let concat = Self {
            layer_pool: has_bert.then(|| LayerPool::new(pooling, sizes.layers, sizes.bert, init)),
            norms: widths.iter().map(|&d| BatchNorm::new(d, init)).collect(),
            features: features.iter().copied().zip(widths.clone()).collect(),
        };
        (concat, widths.iter().sum())
    }

    /// What a post lacks has no part in what is made of it: it is zero, and so is its share of any linear map.
    ///
    /// # Shapes
    /// - output: `[B, D]`, D the widths of the features together
    pub fn forward(&self, inputs: &Inputs) -> Tensor<2> {
        let read = |feature: Feature| match feature {
            Feature::Bert => (self.layer_pool.as_ref())
                .expect("made with BERT's features")
                .forward(inputs.bert()),
            Feature::ClipText => inputs.clip_text(),
            Feature::ClipImage => inputs.clip_image(),
            Feature::Resnet => inputs.resnet(),
        };
        let features = self.features.iter().zip(&self.norms);
        let features = features.map(|(&(feature, width), norm)| {
            let branch = feature.branch();
            let x = inputs.has(branch).then(|| norm.forward(read(feature)));
            inputs.spread(x, branch, width)
        });
        Tensor::cat(features.collect(), 1)
    }
}
