//! Text in a picture: a station's banner, or one that contradicts what is seen.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::canvas::{Canvas, Rgb, mix};
use super::caption::{colour_word, noun};
use super::scene::Scene;

const WEIGHT: FontWeight = FontWeight::Bold;
const HEIGHT: RasterHeight = RasterHeight::Size20;

/// Paper and ink of banners.
const BANNERS: &[(Rgb, Rgb)] = &[
    ([0.08, 0.08, 0.1], [1.0, 1.0, 1.0]),
    ([0.95, 0.86, 0.2], [0.05, 0.05, 0.05]),
    ([0.7, 0.08, 0.1], [1.0, 1.0, 1.0]),
    ([0.95, 0.95, 0.95], [0.1, 0.1, 0.35]),
];

/// A banner that agrees with the picture, or says nothing about it.
pub fn harmless(scene: &Scene, rng: &mut ChaCha8Rng) -> String {
    let group = scene.groups[0];
    let colour = colour_word(group.colour).to_uppercase();
    let things = noun(group.kind).to_uppercase();
    match rng.random_range(0..7) {
        0 => format!("CHANNEL NEWS {}", rng.random_range(2..10)),
        1 => format!("CAMERA {}", rng.random_range(1..20)),
        2 => "LIVE TODAY".to_owned(),
        3 => "READER PHOTO".to_owned(),
        4 => "THIS WEEKEND".to_owned(),
        5 => format!("{colour} {things}"),
        _ => format!("A {things} TODAY"),
    }
}

/// A banner that contradicts the picture.
pub fn contradicting(scene: &Scene, rng: &mut ChaCha8Rng) -> String {
    let group = scene.groups[0];
    let shown = noun(group.kind).to_uppercase();
    let colour = colour_word(group.colour).to_uppercase();
    match rng.random_range(0..5) {
        0 => format!("NO {shown} HERE"),
        1 => format!("NOT {colour}"),
        2 => format!("NEVER A {shown}"),
        3 => format!("NOT A {shown}"),
        _ => format!("NOT {colour}: FAKE"),
    }
}

/// Draws a banner across the top or the bottom of the picture.
pub fn draw(canvas: &mut Canvas, text: &str, rng: &mut ChaCha8Rng) {
    let (paper, ink) = *BANNERS.choose(rng).expect("there are banners");
    let band = HEIGHT.val() + 4;
    let top = match rng.random_bool(0.45) {
        true => canvas.height - band,
        false => 0,
    };
    let corner = (canvas.width as f32, (top + band) as f32);
    canvas.rectangle((0.0, top as f32), corner, paper);
    let wide = text.chars().count() * get_raster_width(WEIGHT, HEIGHT);
    let left = canvas.width.saturating_sub(wide) / 2;
    write_line(canvas, text, (left, top + 2), ink);
}

fn write_line(canvas: &mut Canvas, line: &str, (left, top): (usize, usize), ink: Rgb) {
    let advance = get_raster_width(WEIGHT, HEIGHT);
    for (index, letter) in line.chars().enumerate() {
        let Some(raster) = get_raster(letter, WEIGHT, HEIGHT) else {
            continue;
        };
        for (y, row) in raster.rows().enumerate() {
            for (x, strength) in row.iter().enumerate() {
                let column = left + index * advance + x;
                if column < canvas.width && top + y < canvas.height {
                    let pixel = &mut canvas.pixels[(top + y) * canvas.width + column];
                    *pixel = mix(*pixel, ink, f32::from(*strength) / 255.0);
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::super::scene::Place;
    use super::*;

    #[test]
    fn every_banner_fits_into_the_narrowest_picture_and_the_font_has_its_letters() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..300 {
            let scene = Scene::any(Place::any(&mut rng), &mut rng);
            let texts = [harmless(&scene, &mut rng), contradicting(&scene, &mut rng)];
            assert!(
                !texts[0].contains("NO ") && !texts[0].contains("NOT"),
                "{}",
                texts[0]
            );
            assert!(
                texts[1].contains("NO ")
                    || texts[1].contains("NOT ")
                    || texts[1].contains("NEVER "),
                "{}",
                texts[1]
            );
            for line in texts {
                let wide = line.len() * get_raster_width(WEIGHT, HEIGHT);
                assert!(wide <= 160, "{line}");
                assert!(
                    line.chars()
                        .all(|c| get_raster(c, WEIGHT, HEIGHT).is_some())
                );
            }
        }
    }

    #[test]
    fn a_banner_changes_only_its_band() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut canvas = Canvas::new(160, 120);
        canvas.rows(0.0, 120.0, |_| [0.5; 3]);
        draw(&mut canvas, "LIVE", &mut rng);
        let changed = canvas
            .pixels
            .iter()
            .filter(|pixel| **pixel != [0.5; 3])
            .count();
        assert_eq!(changed, 160 * 24);
    }
}
