//! Comes in: labels, scores and figures of single runs. Goes out: means with intervals, curves, calibration.

mod calibration;
mod curve;
mod spread;

pub use calibration::bins;
pub use curve::{Curve, precision_recall, roc, thinned};
pub use spread::{Spread, wilson};

/// A post with a label: its probability of fake, and whether it is.
pub type Scored = (f64, bool);
