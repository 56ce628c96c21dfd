//! Comes in: series of points, matrices. Goes out: SVG in the page's colours, and PNG.

mod chart;
mod cloud;
mod colour;
mod legend;
mod matrix;
mod picture;
mod svg;

pub use chart::Chart;
pub use cloud::{Cloud, Point, cloud};
pub use colour::{in_light, style_sheet};
pub use matrix::{Matrix, matrix};
pub use picture::png;
