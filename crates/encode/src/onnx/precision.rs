//! Encoders of float32 files in bfloat16: where that can be had, and where it is worth having.

use mmfnd_features::Precision;

use super::model_file::mapped;
use super::tiles::{self, Arithmetic, Means, bfloat16_rate};
use crate::error::Error;
use crate::options::Device;
use crate::preset::{EncoderPreset, Preset};

/// Bfloat16's vector instructions are used of our own accord where they multiply so many times as fast as float32's:
/// less is eaten up by laying numbers out for them.
const WORTH: f64 = 1.4;

/// Whether bfloat16 is the faster choice on this processor, and why, for people.
pub fn bfloat16(device: Device) -> (bool, String) {
    let means = match check(device) {
        Ok(()) => Arithmetic::Bfloat16.means(),
        Err(error) => return (false, error.to_string()),
    };
    if let Some(Means::Tiles) = means {
        let why = "matrix tiles (Intel AMX) multiply it at once, float32 in three products";
        return (true, why.into());
    }
    let rate = bfloat16_rate();
    let why = format!(
        "this processor's vectors multiply it at {rate:.2} of float32's rate (at least {WORTH} is worth it)"
    );
    (rate >= WORTH, why)
}

/// The encoders of a preset in bfloat16, where their files are float32 and have large products; the others stay as they
/// are, as their records then say.
pub fn in_bfloat16(preset: &Preset, device: Device) -> Result<Preset, Error> {
    check(device)?;
    let mut preset = preset.clone();
    for encoder in &mut preset.encoders {
        if encoder.precision == Precision::F32 && has_products(encoder) {
            encoder.precision = Precision::Bf16;
        }
    }
    Ok(preset)
}

/// Whether there are products to take out of an encoder's model; one that cannot be read has none.
pub(super) fn has_products(preset: &EncoderPreset) -> bool {
    mapped(&preset.model).is_ok_and(|model| tiles::has_products(&model))
}

/// Says why an encoder cannot be run in the precision that it has, if it cannot.
pub(super) fn check_encoder(preset: &EncoderPreset, device: Device) -> Result<(), Error> {
    if preset.precision != Precision::Bf16 {
        return Ok(());
    }
    check(device)?;
    match has_products(preset) {
        true => Ok(()),
        false => Err(Error::Bfloat16 {
            problem: "an encoder's model has no large products to compute in it; give it `precision = \"f32\"`",
        }),
    }
}

/// Says why bfloat16 cannot be had, if it cannot.
fn check(device: Device) -> Result<(), Error> {
    let problem = match (device, Arithmetic::Bfloat16.means()) {
        (Device::Cpu, Some(_)) => return Ok(()),
        (Device::Cpu, None) => {
            "this processor has neither AVX512_BF16 nor matrix tiles (Intel AMX); leave `--precision` out for float32, or take a preset whose name ends in `-int8`"
        }
        (Device::Cuda, _) => {
            "it is for `--device cpu`; on a GPU leave `--precision` out for float32, or take a preset whose name ends in `-fp16`"
        }
    };
    Err(Error::Bfloat16 { problem })
}
