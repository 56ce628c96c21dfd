//! Sizes and options of the head; the numbers are rows of the table in docs/differences.md, between the paper and the
//! released code.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::ablation::{Ablation, Routing};
use crate::heads::{ClassifierKind, Pooling, SimilarityKind, Trained};
use crate::options::options;

/// Where the options come from that are not set one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Variant {
    /// The paper.
    #[default]
    Paper,
    /// The code that its authors published.
    Released,
}

/// 5: how the cross-modal parts meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Fusion {
    /// Side by side.
    Concat,
    /// Eq. 2: added.
    Sum,
}

options! {
    /// Configuration of [`Mmfnd`](super::Mmfnd); an option that is not set is that of the variant. The numbers are rows
    /// of the table in docs/differences.md.
    pub struct MmfndConfig in "head" {
        /// where the options come from that are not set
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// what is left out, as in Table 2
        ablation: Ablation = Ablation::None, words Ablation::VARIANTS;
        /// experts of each task
        experts: usize = 3, range 1..=8;
        /// shared experts; as many as of a task if not set
        shared_experts: Option<usize> = None, range 1..=8;
        /// levels of experts
        levels: usize = 2, range 1..=3;
        /// share of values that the projections drop while training
        dropout: f64 = 0.5, range 0.0..=0.95;
        /// hidden width of the projections
        projection_hidden: usize = 512, range 1..=8192;
        /// width of projections and experts
        projection: usize = 256, range 1..=8192;
        /// hidden width of the fusion
        fusion_hidden: usize = 256, range 1..=8192;
        /// width of the branches and of the classifier
        branch: usize = 64, range 1..=8192;
        /// which CLIP vector goes with which modality (1)
        routing: Option<Routing> = None, words Routing::VARIANTS;
        /// how similarity becomes a weight (2)
        similarity: Option<SimilarityKind> = None, words SimilarityKind::VARIANTS;
        /// which experts are trained (3)
        trained_experts: Option<Trained> = None, words Trained::VARIANTS;
        /// what becomes of BERT's layers (4)
        pooling: Option<Pooling> = None, words Pooling::VARIANTS;
        /// how the cross-modal parts meet (5)
        fusion: Option<Fusion> = None, words Fusion::VARIANTS;
        /// two layers, or three with normalisation (9)
        classifier: Option<ClassifierKind> = None, words ClassifierKind::VARIANTS;
    }
}

impl MmfndConfig {
    /// With every option set: to the variant's choice where it was not.
    pub fn resolved(&self) -> Self {
        Self {
            shared_experts: Some(self.shared_experts()),
            routing: Some(self.routing()),
            similarity: Some(self.similarity()),
            trained_experts: Some(self.trained_experts()),
            pooling: Some(self.pooling()),
            fusion: Some(self.fusion()),
            classifier: Some(self.classifier()),
            ..self.clone()
        }
    }

    /// Shared experts.
    pub fn shared_experts(&self) -> usize {
        self.shared_experts.unwrap_or(self.experts)
    }

    /// 1: which CLIP vector goes with which modality.
    pub fn routing(&self) -> Routing {
        self.by_variant(self.routing, Routing::Paper, Routing::Released)
    }

    /// 2: how similarity becomes a weight.
    pub fn similarity(&self) -> SimilarityKind {
        let (paper, released) = (SimilarityKind::Running, SimilarityKind::Learned);
        self.by_variant(self.similarity, paper, released)
    }

    /// 3: which experts are trained.
    pub fn trained_experts(&self) -> Trained {
        self.by_variant(self.trained_experts, Trained::All, Trained::Released)
    }

    /// 4: what becomes of BERT's layers.
    pub fn pooling(&self) -> Pooling {
        self.by_variant(self.pooling, Pooling::Softmax, Pooling::Released)
    }

    /// 5: how the cross-modal parts meet; the released code concatenates, and so does the default.
    pub fn fusion(&self) -> Fusion {
        self.fusion.unwrap_or(Fusion::Concat)
    }

    /// 9: the classifier.
    pub fn classifier(&self) -> ClassifierKind {
        let (paper, released) = (ClassifierKind::Paper, ClassifierKind::Released);
        self.by_variant(self.classifier, paper, released)
    }

    fn by_variant<T>(&self, set: Option<T>, paper: T, released: T) -> T {
        set.unwrap_or(match self.variant {
            Variant::Paper => paper,
            Variant::Released => released,
        })
    }
}
