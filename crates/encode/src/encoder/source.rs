//! Where a run's encoders come from.

use mmfnd_features::{EncoderSpec, Machine};
use mmfnd_pictures::Preprocessing;

use super::handle::Handles;
use super::tokens::Tokens;
use crate::error::Error;

/// Where a run's encoders come from: a preset's files, or stand-ins. Encoders go by their number in
/// [`Encoders::specs`].
pub trait Encoders: Sync {
    /// What the store records of each.
    fn specs(&self) -> &[EncoderSpec];
    /// What the store records of the states within an encoder, where they are wanted and it gives them: of a text
    /// encoder those of its tokens, of an image encoder a map.
    fn states(&self, _number: usize) -> Option<&EncoderSpec> {
        None
    }
    /// All features that the encoders make, each with its encoder's number.
    fn features(&self) -> Vec<(usize, &EncoderSpec)> {
        let specs = self.specs().iter().enumerate();
        let all = specs.flat_map(|(number, spec)| {
            let both = [Some(spec), self.states(number)].into_iter();
            both.flatten().map(move |spec| (number, spec))
        });
        all.collect()
    }
    /// Says before the first batch what is missing or wrong.
    fn check(&self, number: usize) -> Result<(), Error>;
    /// The revision of this program's preprocessing that the features of a stored encoder come from, and the present
    /// one, where they differ and nothing else does.
    fn earlier_revision(&self, _number: usize, _stored: &EncoderSpec) -> Option<(u32, u32)> {
        None
    }
    /// What the encoders run on, where that is known; asked when some of them is about to run.
    fn machine(&self) -> Result<Option<Machine>, Error> {
        Ok(None)
    }
    /// The tokenizer of a text encoder.
    fn tokens(&self, number: usize) -> Result<Tokens, Error>;
    /// The preprocessing of an image encoder.
    fn preprocessing(&self, number: usize) -> Preprocessing;
    /// The bytes of a classifier that goes with the features, where there is one.
    fn classifier(&self, number: usize) -> Result<Option<Vec<u8>>, Error>;
    /// The bytes of the weights that go with an image encoder's map, where it has one.
    fn backbone(&self, _number: usize) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }
    /// Opens a text encoder, with what [`Encoders::states`] says; `pad_id` fills up shorter texts.
    fn open_text(&self, number: usize, pad_id: u32) -> Result<Handles<u32>, Error>;
    /// Opens an image encoder, with what [`Encoders::states`] says.
    fn open_image(&self, number: usize) -> Result<Handles<f32>, Error>;
}
