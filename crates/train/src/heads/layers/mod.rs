//! Tensors in, tensors out: the layers that heads are made of, and the first values of their weights.

mod attention;
mod classifier;
mod dropout;
mod expert;
mod gate;
mod init;
mod layer_norm;
mod layer_pool;
mod norm;
mod ple;
mod projection;
mod similarity;

pub use attention::ModalityAttention;
pub use classifier::{Classifier, ClassifierKind};
pub use dropout::{Dropout, Noise};
pub use expert::{ExpertLinear, Experts};
pub use gate::Gate;
pub use init::Init;
pub use layer_norm::LayerNorm;
pub use layer_pool::{LayerPool, Pooling};
pub use norm::BatchNorm;
pub use ple::{GateShares, Ple, PleLevel, Streams, Trained};
pub use projection::{Mapping, Projection};
pub use similarity::{SimilarityKind, SimilarityWeight, cosine};

pub(super) use attention::gelu;
pub(super) use init::bound;
pub(super) use norm::{normalise, running};
