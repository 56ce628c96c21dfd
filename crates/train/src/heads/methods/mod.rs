//! The other methods of the paper's Table 1: features of a batch → logits, losses of their own, columns of their own.
//!
//! `docs/heads.md` describes each by the numbers that the files name, and says where it departs from its paper and its
//! code.

mod cafe;
mod cmc;
mod eann;
mod fnd_clip;
mod liimr;
#[cfg(test)]
mod made_up;
mod mcan;
mod mcnn;
mod mkemn;
mod mvae;
mod pair;
mod safe;

pub use cafe::{Cafe, CafeConfig};
pub use cmc::{Cmc, CmcConfig};
pub use eann::{Eann, EannConfig};
pub use fnd_clip::{FndClip, FndClipConfig};
pub use liimr::{Liimr, LiimrConfig};
pub use mcan::{Mcan, McanConfig};
pub use mcnn::{Mcnn, McnnConfig};
pub use mkemn::{Mkemn, MkemnConfig};
pub use mvae::{Mvae, MvaeConfig};
pub use safe::{Safe, SafeConfig};
