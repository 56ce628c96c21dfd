//! A picture's bytes through the whole image path: header, pixels, on white, resized and cropped for each kind of encoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_pictures::{Alpha, CropOffset, Filter, Picture, Preprocessing, Resize, probe};

/// Above it only the header is read: that many pixels are allowed on purpose and would measure the memory's speed.
const MOST: u64 = 1 << 20;

fn kinds() -> [Preprocessing; 3] {
    let kind = |alpha, resize, crop, crop_offset, filter| Preprocessing {
        alpha,
        resize,
        crop,
        crop_offset,
        filter,
        mean: [0.48, 0.46, 0.41],
        std: [0.27, 0.26, 0.28],
    };
    let shortest = |shortest| Resize::Shortest { shortest };
    let exact = Resize::Exact {
        width: 32,
        height: 32,
    };
    [
        kind(
            Alpha::White,
            shortest(32),
            Some(32),
            CropOffset::Floor,
            Filter::Bicubic,
        ),
        kind(
            Alpha::White,
            exact,
            None,
            CropOffset::Floor,
            Filter::Bicubic,
        ),
        kind(
            Alpha::Ignored,
            shortest(37),
            Some(32),
            CropOffset::Round,
            Filter::Bilinear,
        ),
    ]
}

fuzz_target!(
    init: mmfnd_fuzz::let_panics_be_caught(),
    |data: &[u8]| {
        let size = probe(data);
        if let Ok((width, height)) = size
            && u64::from(width) * u64::from(height) > MOST
        {
            return;
        }
        let Ok(picture) = Picture::decode(data) else {
            return;
        };
        let opaque = picture.with(Alpha::Ignored);
        assert_eq!(size.expect("it has a size"), (opaque.width, opaque.height));
        for kind in kinds() {
            let picture = picture.with(kind.alpha);
            assert_eq!(picture.data.len(), 3 * picture.width as usize * picture.height as usize);
            let pixels = kind.pixels(picture);
            assert!(pixels.len() == 3 * 32 * 32 && pixels.iter().all(|value| value.is_finite()));
        }
    }
);
