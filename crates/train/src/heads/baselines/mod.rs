//! Features of posts in, logits out: heads without branches, to compare the paper's with.

mod concat;
mod concat_mlp;
mod linear_probe;

pub use concat::{Concat, Feature};
pub use concat_mlp::{ConcatMlp, MlpConfig};
pub use linear_probe::{LinearConfig, LinearProbe};
