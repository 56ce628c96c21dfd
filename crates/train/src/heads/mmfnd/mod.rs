//! Features of posts in, logits out: the head of the paper, whole or with parts left out.

mod ablation;
mod network;
mod options;

pub use ablation::{Ablation, Routing};
pub use network::Mmfnd;
pub use options::{Fusion, MmfndConfig, Variant};
