//! Comes in: labels, scores and figures of single runs. Goes out: means with intervals, curves, calibration.

mod calibration;
mod curve;
mod separation;
mod spread;
mod tsne;

pub use calibration::bins;
pub use curve::{Curve, precision_recall, roc, thinned};
pub use separation::{MOST as MOST_COMPARED, purity, silhouette};
pub use spread::{Spread, wilson};
pub use tsne::{MOST as MOST_DRAWN, tsne};

/// A post with a label: its probability of fake, and whether it is.
pub type Scored = (f64, bool);
