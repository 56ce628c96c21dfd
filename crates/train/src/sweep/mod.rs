//! A grid and seeds in, a run for each of its points and seeds, their records and a summary out.

mod comparison;
mod execution;
pub mod grid;
mod pair;
mod record;
mod setup;
pub mod statistics;
mod summary;
mod summary_file;
mod sweep_file;

pub use comparison::Comparison;
pub use execution::{Event, OnEvent};
pub use pair::{Differing, Pair};
pub use record::{RunRecord, Status};
pub use setup::{Sweep, SweepOptions};
pub use summary::{ClassFigures, Figures, PointSummary, Summary};
pub use sweep_file::AxisInfo;
