//! Step 6: the last two layers of a branch (difference 6: as released).

use super::Projection;

/// The same two layers as a [`Projection`], with dropout only in the ablation without experts.
pub type Mapping = Projection;
