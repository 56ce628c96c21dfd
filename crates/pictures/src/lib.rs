//! From a picture's bytes to an encoder's pixels: the formats that posts have, decoded as Pillow decodes them, and
//! resized, cropped and normalised as transformers and torchvision do it. A picture that cannot be used has a
//! [`Refusal`].
//!
//! ```
//! use mmfnd_pictures::{Filter, Preprocessing, Resize, Rgb};
//!
//! let preprocessing = Preprocessing {
//!     alpha: Default::default(),
//!     view: Default::default(),
//!     resize: Resize::Exact { width: 2, height: 2 },
//!     crop: None,
//!     crop_offset: Default::default(),
//!     filter: Filter::Bilinear,
//!     mean: [0.5; 3],
//!     std: [0.5; 3],
//! };
//! let white = Rgb { width: 4, height: 4, data: vec![255; 48] };
//! assert_eq!(preprocessing.pixels(&white), vec![1.0; 12]);
//! ```

mod decode;
mod error_levels;
mod file;
mod memory;
mod panics;
mod part;
mod pixels;
mod preprocessing;
mod refusal;
mod resample;
mod rgb;
mod thumbnail;

/// Counts up whenever a picture gets other pixels than before: by decoding, transparency, resizing, cropping or
/// normalising. It is part of an encoder's identity, so that features of either kind never stand in one store.
pub const REVISION: u32 = 1;

pub use decode::{Picture, probe};
pub use error_levels::error_levels;
pub use file::{read, size};
pub use part::Part;
pub use preprocessing::{Alpha, CropOffset, Filter, Preprocessing, Resize, View};
pub use refusal::{
    MAX_BYTES, MAX_DECODING, MAX_PIXELS, MAX_RATIO, MAX_SIDE, MAX_UNSUSPECTED, Refusal,
};
pub use resample::{Axis, resample};
pub use rgb::Rgb;
pub use thumbnail::thumbnail;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
