//! Features of posts in, logits out: the head of the paper, whole or with parts left out.

mod network;
mod options;
mod parts;

pub use network::Mmfnd;
pub use options::{
    Ablation, ClassifierKind, Fusion, MmfndConfig, Pooling, Routing, SimilarityKind, Sizes,
    Trained, Variant,
};
