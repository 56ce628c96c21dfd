//! Sizes and options of the head; the numbers are rows of the README's table of differences between the paper and the
//! released code.

use serde::{Deserialize, Serialize};

use super::ablation::Ablation;
use crate::heads::range::within;
use crate::heads::{ClassifierKind, HeadOption, Pooling, SimilarityKind, Trained};

/// Where the options come from that are not set one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The paper.
    #[default]
    Paper,
    /// The code that its authors published.
    Released,
}

/// 1: which CLIP vector goes with which modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// Eq. 1: text with text, picture with picture.
    Paper,
    /// Swapped.
    Released,
}

/// 5: how the cross-modal parts meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// Side by side.
    Concat,
    /// Eq. 2: added.
    Sum,
}

/// Configuration of [`Mmfnd`](super::Mmfnd); an option that is not set is that of the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MmfndConfig {
    /// Where options come from that are not set.
    pub variant: Variant,
    /// What is left out.
    pub ablation: Ablation,
    /// Experts of each task, 1 to 8.
    pub experts: usize,
    /// Shared experts, 1 to 8; as many as of a task if not set.
    pub shared_experts: Option<usize>,
    /// Levels of experts, 1 to 3.
    pub levels: usize,
    /// Share of values that the projections drop while training.
    pub dropout: f64,
    /// Hidden width of the projections.
    pub projection_hidden: usize,
    /// Width of projections and experts.
    pub projection: usize,
    /// Hidden width of the fusion.
    pub fusion_hidden: usize,
    /// Width of the three branches and of the classifier.
    pub branch: usize,
    /// 1.
    pub routing: Option<Routing>,
    /// 2.
    pub similarity: Option<SimilarityKind>,
    /// 3.
    pub trained_experts: Option<Trained>,
    /// 4.
    pub pooling: Option<Pooling>,
    /// 5.
    pub fusion: Option<Fusion>,
    /// 9.
    pub classifier: Option<ClassifierKind>,
}

impl Default for MmfndConfig {
    fn default() -> Self {
        Self {
            variant: Variant::Paper,
            ablation: Ablation::None,
            experts: 3,
            shared_experts: None,
            levels: 2,
            dropout: 0.5,
            projection_hidden: 512,
            projection: 256,
            fusion_hidden: 256,
            branch: 64,
            routing: None,
            similarity: None,
            trained_experts: None,
            pooling: None,
            fusion: None,
            classifier: None,
        }
    }
}

const fn option(name: &'static str, values: &'static str, about: &'static str) -> HeadOption {
    HeadOption {
        name,
        values,
        about,
    }
}

/// The fields of [`MmfndConfig`]; the numbers are rows of the table of differences.
#[rustfmt::skip] // a table
pub(super) const OPTIONS: &[HeadOption] = &[
    option("variant", "paper, released", "where the options come from that are not set"),
    option("ablation", "none, multimodal-only, text-only, image-only, without-a, -f, -c, -s, -p", "what is left out, as in Table 2"),
    option("experts", "1 to 8", "experts of each task"),
    option("shared_experts", "1 to 8", "shared experts; as many as of a task if not set"),
    option("levels", "1 to 3", "levels of experts"),
    option("dropout", "0 to 0.95", "share of values that the projections drop while training"),
    option("projection_hidden", "1 to 8192", "hidden width of the projections"),
    option("projection", "1 to 8192", "width of projections and experts"),
    option("fusion_hidden", "1 to 8192", "hidden width of the fusion"),
    option("branch", "1 to 8192", "width of the branches and of the classifier"),
    option("routing", "paper, released", "which CLIP vector goes with which modality (1)"),
    option("similarity", "running, learned", "how similarity becomes a weight (2)"),
    option("trained_experts", "all, released", "which experts are trained (3)"),
    option("pooling", "softmax, query, last, released", "what becomes of BERT's layers (4)"),
    option("fusion", "concat, sum", "how the cross-modal parts meet (5)"),
    option("classifier", "paper, released", "two layers, or three with normalisation (9)"),
];

impl MmfndConfig {
    /// Whether every number is in its range.
    pub(super) fn check(&self) -> Result<(), String> {
        within("head.experts", self.experts, 1..=8)?;
        within("head.shared_experts", self.shared_experts(), 1..=8)?;
        within("head.levels", self.levels, 1..=3)?;
        within("head.dropout", self.dropout, 0.0..=0.95)?;
        let widths = [
            ("head.projection_hidden", self.projection_hidden),
            ("head.projection", self.projection),
            ("head.fusion_hidden", self.fusion_hidden),
            ("head.branch", self.branch),
        ];
        let mut checks = widths
            .map(|(key, width)| within(key, width, 1..=8192))
            .into_iter();
        checks.find(Result::is_err).unwrap_or(Ok(()))
    }

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
