//! The one trait: a frozen encoder.

use mmfnd_features::EncoderSpec;
use ndarray::Array2;

use crate::error::Error;

/// What an encoder makes of a batch.
#[derive(Debug)]
pub struct Encoded {
    /// A row each.  `[B, product(spec.shape)]`
    pub rows: Array2<f32>,
    /// Of each content the states within the encoder: of a text those of its tokens, one after the other, of a picture
    /// a map; empty of an encoder that gives none.
    pub states: Vec<Vec<f32>>,
}

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

    /// Encodes a batch, with the states within the encoder where it was opened to give them.
    fn encode_with_states(&mut self, batch: &[&Self::Input]) -> Result<Encoded, Error> {
        let rows = self.encode(batch)?;
        let states = Vec::new();
        Ok(Encoded { rows, states })
    }
}

/// What runs the batches of one encoder.
pub type Handle<T> = Box<dyn Encoder<Input = [T]> + Send>;

/// As many handles of one encoder as may run at once, at least one, all giving the same values.
pub type Handles<T> = Vec<Handle<T>>;
