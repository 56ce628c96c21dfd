//! A preset's model with the weights of a training.

use mmfnd_features::Precision;

use super::weights::{Retrained, retrained};
use crate::error::Error;
use crate::preset::EncoderPreset;

/// The model of an encoder with other weights in its convolutions, byte for byte the same otherwise.
pub fn retrained_model(
    encoder: &EncoderPreset,
    preset: &str,
    convolutions: &[Retrained],
) -> Result<Vec<u8>, Error> {
    let failed = |problem: String| Error::Model {
        encoder: encoder.name.clone(),
        path: encoder.model.clone(),
        source: problem.into(),
    };
    if encoder.precision != Precision::F32 {
        return Err(failed(format!(
            "its precision is `{}`, and only a model in `f32` can take trained weights",
            encoder.precision
        )));
    }
    let model: Vec<u8> = encoder.read(&encoder.model, &encoder.sha256, preset)?;
    retrained(&model, convolutions).map_err(failed)
}
