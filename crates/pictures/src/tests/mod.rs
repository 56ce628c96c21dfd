//! Golden files of Pillow in, the same pixels out; and pictures that are none, each with its reason.

mod golden;
mod refusals;
mod revision;

use crate::{Alpha, Picture, Refusal, Rgb};

/// A picture's colours, whatever is transparent.
fn decode(bytes: &[u8]) -> Result<Rgb, Refusal> {
    Picture::decode(bytes).map(|picture| picture.with(Alpha::Ignored).clone())
}
