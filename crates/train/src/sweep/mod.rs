//! A grid and seeds in, a run for each of its points and seeds, their records and a summary out.

mod comparison;
mod execution;
pub mod grid;
mod record;
pub mod statistics;
mod summary;
mod summary_file;
mod sweep_file;

pub use comparison::Comparison;
pub use execution::{Event, OnEvent, Sweep, SweepOptions};
pub(crate) use execution::{run_dir, run_name};
pub use record::{RunRecord, Status};
pub use summary::{ClassFigures, Figures, PointSummary, Summary};
pub use sweep_file::AxisInfo;
