//! The one trait: a frozen encoder.

use mmfnd_features::EncoderSpec;
use ndarray::Array2;

use crate::error::Error;

/// A frozen encoder: prepared inputs in, one row of features for each.
pub trait Encoder {
    /// One prepared input: token ids `[T]` of a text, or pixels `[3 * H * W]` of a picture.
    type Input: ?Sized;

    /// What the store records of this encoder.
    fn spec(&self) -> &EncoderSpec;

    /// Encodes a batch.
    ///
    /// # Shapes
    /// - output: `[B, product(spec.shape)]`
    fn encode(&mut self, batch: &[&Self::Input]) -> Result<Array2<f32>, Error>;
}

/// What runs the batches of one encoder.
pub type Handle<T> = Box<dyn Encoder<Input = [T]> + Send>;

/// As many handles of one encoder as may run at once, at least one, all giving the same values.
pub type Handles<T> = Vec<Handle<T>>;
