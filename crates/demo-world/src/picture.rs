//! From a scene to the file of its picture.

use std::io::{self, Cursor};

use image::{ExtendedColorType, ImageFormat};
use mozjpeg::{ColorSpace, Compress};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::scene::Scene;
use super::{landscape, things};

/// Widths and heights of pictures.
const SIZES: &[(usize, usize)] = &[(192, 144), (176, 144), (160, 120), (192, 128), (160, 160)];

/// Any of the sizes.
pub fn any_size(rng: &mut ChaCha8Rng) -> (usize, usize) {
    SIZES[rng.random_range(0..SIZES.len())]
}

/// Draws a scene and takes a picture of it: gain, white balance and noise differ from picture to picture.
pub fn photograph(scene: &Scene, (width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let mut canvas = Canvas::new(2 * width, 2 * height);
    let horizon = landscape::draw(&mut canvas, scene, rng);
    let light = landscape::light(scene.time);
    // Of two groups the main one stands in front.
    for group in scene.groups.iter().rev() {
        things::draw(&mut canvas, group, horizon, light, rng);
    }
    landscape::precipitation(&mut canvas, scene.weather, rng);
    let mut picture = canvas.halved();
    let exposure = rng.random_range(0.88..1.1);
    let gain = [0; 3].map(|_| exposure * rng.random_range(0.96..1.04));
    picture.expose(gain, rng.random_range(0.01..0.07), rng);
    picture
}

/// The bytes of a picture's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// `jpg` or `png`.
    pub extension: &'static str,
    /// The file's content.
    pub bytes: Vec<u8>,
}

/// Compresses a picture: mostly JPEG of varying quality, sometimes PNG.
pub fn encode(canvas: &Canvas, rng: &mut ChaCha8Rng) -> io::Result<Encoded> {
    let quality = rng.random_range(72.0..94.0);
    match rng.random_bool(0.94) {
        true => Ok(Encoded {
            extension: "jpg",
            bytes: jpeg(canvas, quality)?,
        }),
        false => Ok(Encoded {
            extension: "png",
            bytes: png(canvas)?,
        }),
    }
}

fn jpeg(canvas: &Canvas, quality: f32) -> io::Result<Vec<u8>> {
    let mut settings = Compress::new(ColorSpace::JCS_RGB);
    settings.set_size(canvas.width, canvas.height);
    settings.set_fastest_defaults();
    settings.set_quality(quality);
    let mut file = settings.start_compress(Vec::new())?;
    file.write_scanlines(&canvas.bytes())?;
    file.finish()
}

fn png(canvas: &Canvas) -> io::Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let (width, height) = (canvas.width as u32, canvas.height as u32);
    image::write_buffer_with_format(
        &mut file,
        &canvas.bytes(),
        width,
        height,
        ExtendedColorType::Rgb8,
        ImageFormat::Png,
    )
    .map_err(io::Error::other)?;
    Ok(file.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::super::scene::Place;
    use super::*;

    #[test]
    fn both_file_types_begin_as_they_should() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let scene = Scene::any(Place::City, &mut rng);
        let canvas = photograph(&scene, (160, 120), &mut rng);
        assert_eq!(jpeg(&canvas, 80.0).unwrap()[..3], [0xff, 0xd8, 0xff]);
        let png = png(&canvas).unwrap();
        assert_eq!(png[..4], *b"\x89PNG");
        let read = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(read.into_raw(), canvas.bytes());
    }

    #[test]
    fn two_photographs_of_a_scene_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let scene = Scene::any(Place::Ice, &mut rng);
        let first = photograph(&scene, (160, 120), &mut rng);
        assert_ne!(first, photograph(&scene, (160, 120), &mut rng));
    }
}
