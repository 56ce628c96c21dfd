//! A preset's TOML: what passes the checks can be described and prepares pictures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_encode::Preset;
use mmfnd_pictures::Rgb;
use mmfnd_features::ValueType;
use mmfnd_fuzz::write;

/// Larger inputs only take longer.
const SIDE: u32 = 256;

fuzz_target!(|data: &[u8]| {
    let Ok(preset) = Preset::read(&write("preset.toml", data)) else {
        return;
    };
    let picture = Rgb {
        width: 3,
        height: 2,
        data: (0..18).collect(),
    };
    for encoder in &preset.encoders {
        let _ = encoder.spec(&preset.name, ValueType::F16, "cpu");
        let _ = encoder.verify(&preset.name);
        let Some(image) = &encoder.image else {
            continue;
        };
        let (width, height) = image.input_size();
        if width.max(height) <= SIDE {
            let pixels = image.pixels(&picture);
            assert_eq!(pixels.len(), 3 * width as usize * height as usize);
        }
    }
});
