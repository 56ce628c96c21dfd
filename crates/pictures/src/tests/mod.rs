//! Golden files of Pillow in, the same pixels out; and pictures that are none, each with its reason.

mod golden;
mod refusals;
