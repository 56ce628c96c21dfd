//! Comes in: series of points, matrices. Goes out: SVG in the page's colours, and PNG.

mod chart;
mod colour;
mod matrix;
mod picture;
mod svg;

pub use chart::Chart;
pub use colour::{in_light, style_sheet};
pub use matrix::{Matrix, matrix};
pub use picture::png;
