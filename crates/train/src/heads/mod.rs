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
//! Axis letters: B batch, L layers of BERT and its embeddings, D feature, E experts of a group, G experts that a gate
//! weighs, M branches, C classes (0 real, 1 fake). Layers compute what PyTorch's do: `tests/golden` holds outputs,
//! gradients and running statistics to compare with.

mod backbone;
mod baselines;
mod catalogue;
#[cfg(test)]
mod example;
mod graph;
mod head;
mod inputs;
mod layers;
mod losses;
mod memory;
mod methods;
mod mmfnd;
mod modality_mask;
mod output;
mod sequences;
mod step;
mod targets;

pub use backbone::{
    Block, BlockKind, Convolution, Layout, Norms, Online, Reads, Resnet, ResnetConfig,
    TrainedLayers,
};
pub use baselines::{Concat, ConcatMlp, Feature, LinearConfig, LinearProbe, MlpConfig};
pub(crate) use catalogue::each_head;
#[cfg(test)]
pub(crate) use example::Example;
pub use graph::{Cut, among_threads, backward};
pub use head::Head;
pub use inputs::{InputKind, Inputs, Pictures, Sizes};
pub use layers::{
    BatchNorm, Classifier, ClassifierKind, Dropout, ExpertLinear, Experts, Gate, GateShares, Init,
    LayerNorm, LayerPool, Mapping, ModalityAttention, Noise, Ple, PleLevel, Pooling, Projection,
    SimilarityKind, SimilarityWeight, Streams, Trained, cosine,
};
pub use memory::Memory;
pub use methods::{
    Cafe, CafeConfig, Cmc, CmcConfig, Eann, EannConfig, FndClip, FndClipConfig, Liimr, LiimrConfig,
    Mcan, McanConfig, Mcnn, McnnConfig, Mkemn, MkemnConfig, Mvae, MvaeConfig, Safe, SafeConfig,
};
pub use mmfnd::{Ablation, Fusion, Mmfnd, MmfndConfig, Routing, Variant};
pub use modality_mask::{Modalities, ModalityMask};
pub use output::Output;
pub use sequences::{Conv, Gru, Tokens};
pub use step::{LossTerm, Step, StepOutput, Training};
pub use targets::Targets;
