//! The other methods of the paper's Table 1: features of a batch → logits, losses of their own, columns of their own.
//!
//! `docs/heads.md` describes each by the numbers that the files name, and says where it departs from its paper and its
//! code.

mod cafe;
mod cmc;
mod eann;
mod fnd_clip;
#[cfg(test)]
mod made_up;
mod mcan;
mod mvae;
mod pair;

pub use cafe::{Cafe, CafeConfig};
pub use cmc::{Cmc, CmcConfig};
pub use eann::{Eann, EannConfig};
pub use fnd_clip::{FndClip, FndClipConfig};
pub use mcan::{Mcan, McanConfig};
pub use mvae::{Mvae, MvaeConfig};
