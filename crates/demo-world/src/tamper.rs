//! A splice: a piece of another picture, in another light, with hard edges.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::{Canvas, Point, is_inside};
use super::scene::{Scene, Side};
use super::things::centre;

/// What is cut out and where it is put.
#[derive(Clone, Debug)]
pub struct Splice {
    /// The corners of the piece in the tampered picture, clockwise, in pixels.
    pub corners: [Point; 4],
    /// From a place in the tampered picture to the place in the other one.
    offset: Point,
    gain: f32,
}

impl Splice {
    /// A piece around the main thing of the other picture, put where the picture's own main thing is not.
    pub fn choose(canvas: &Canvas, scene: &Scene, other: &Scene, rng: &mut ChaCha8Rng) -> Self {
        let (width, height) = (canvas.width as f32, canvas.height as f32);
        let side = match (scene.groups.len(), scene.groups[0].side) {
            (1, Side::Left) => Side::Right,
            (1, Side::Right) => Side::Left,
            (1, Side::Middle) if rng.random_bool(0.5) => Side::Left,
            (1, Side::Middle) => Side::Right,
            _ => Side::Middle,
        };
        let jitter = rng.random_range(-0.04..0.04);
        let middle = (
            (centre(side) + jitter) * width,
            rng.random_range(0.42..0.68) * height,
        );
        let source = (centre(other.groups[0].side) * width, 0.62 * height);
        let half = (
            rng.random_range(0.18..0.24) * width,
            rng.random_range(0.2..0.27) * height,
        );
        let mut corner = |x: f32, y: f32| {
            let bend = |rng: &mut ChaCha8Rng| rng.random_range(0.8..1.0);
            (
                middle.0 + x * half.0 * bend(rng),
                middle.1 + y * half.1 * bend(rng),
            )
        };
        let corners = [
            corner(-1.0, -1.0),
            corner(1.0, -1.0),
            corner(1.0, 1.0),
            corner(-1.0, 1.0),
        ];
        let gain = match rng.random_bool(0.5) {
            true => rng.random_range(1.3..1.5),
            false => rng.random_range(0.5..0.68),
        };
        Self {
            corners,
            offset: (source.0 - middle.0, source.1 - middle.1),
            gain,
        }
    }

    /// Pastes the piece.
    pub fn apply(&self, canvas: &mut Canvas, other: &Canvas) {
        for y in 0..canvas.height {
            for x in 0..canvas.width {
                if !self.covers(x, y) {
                    continue;
                }
                let from = |at: usize, offset: f32, end: usize| {
                    (at as f32 + offset).clamp(0.0, end as f32 - 1.0) as usize
                };
                let column = from(x, self.offset.0, other.width);
                let row = from(y, self.offset.1, other.height);
                let pixel = other.pixels[row * other.width + column];
                canvas.pixels[y * canvas.width + x] = pixel.map(|value| value * self.gain);
            }
        }
    }

    /// Whether a pixel belongs to the piece.
    pub fn covers(&self, x: usize, y: usize) -> bool {
        is_inside(&self.corners, (x as f32 + 0.5, y as f32 + 0.5))
    }
}
