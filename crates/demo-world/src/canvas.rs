//! A small picture of floating-point colours and the shapes that are filled into it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Red, green, blue, each 0 to 1.
pub type Rgb = [f32; 3];

/// A point in pixels, from the upper left corner.
pub type Point = (f32, f32);

/// A picture being drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Canvas {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Row by row.
    pub pixels: Vec<Rgb>,
}

impl Canvas {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![[0.0; 3]; width * height],
        }
    }

    /// Colours every pixel by its height: 0 at the top of the range of rows, 1 at its end.
    pub fn rows(&mut self, from: f32, to: f32, colour: impl Fn(f32) -> Rgb) {
        let (first, last) = (
            from.max(0.0) as usize,
            (to.max(0.0) as usize).min(self.height),
        );
        for y in first..last {
            let value = colour((y as f32 - from) / (to - from));
            self.pixels[y * self.width..(y + 1) * self.width].fill(value);
        }
    }

    /// Fills what is `inside` of a box, mixed with what is there by `opacity`.
    pub fn fill(
        &mut self,
        (left, top): Point,
        (right, bottom): Point,
        (colour, opacity): (Rgb, f32),
        inside: impl Fn(f32, f32) -> bool,
    ) {
        let columns = left.max(0.0) as usize..(right.max(0.0).ceil() as usize).min(self.width);
        let rows = top.max(0.0) as usize..(bottom.max(0.0).ceil() as usize).min(self.height);
        for y in rows {
            for x in columns.clone() {
                if inside(x as f32 + 0.5, y as f32 + 0.5) {
                    let pixel = &mut self.pixels[y * self.width + x];
                    *pixel = mix(*pixel, colour, opacity);
                }
            }
        }
    }

    /// A filled rectangle.
    pub fn rectangle(&mut self, (left, top): Point, (right, bottom): Point, colour: Rgb) {
        self.fill((left, top), (right, bottom), (colour, 1.0), |x, y| {
            x >= left && x < right && y >= top && y < bottom
        });
    }

    /// A filled ellipse.
    pub fn ellipse(&mut self, (x0, y0): Point, (a, b): Point, (colour, opacity): (Rgb, f32)) {
        let (from, to) = ((x0 - a, y0 - b), (x0 + a, y0 + b));
        self.fill(from, to, (colour, opacity), |x, y| {
            let (dx, dy) = ((x - x0) / a, (y - y0) / b);
            dx * dx + dy * dy <= 1.0
        });
    }

    /// A filled convex polygon, its corners in clockwise order.
    pub fn polygon(&mut self, corners: &[Point], colour: Rgb) {
        let fold = |start: f32, pick: fn(f32, f32) -> f32, axis: fn(&Point) -> f32| {
            corners.iter().map(axis).fold(start, pick)
        };
        let from = (
            fold(f32::MAX, f32::min, |p| p.0),
            fold(f32::MAX, f32::min, |p| p.1),
        );
        let to = (
            fold(f32::MIN, f32::max, |p| p.0),
            fold(f32::MIN, f32::max, |p| p.1),
        );
        self.fill(from, to, (colour, 1.0), |x, y| is_inside(corners, (x, y)));
    }

    /// Half as wide and high, each pixel the mean of four: smooth edges.
    pub fn halved(&self) -> Self {
        let mut half = Self::new(self.width / 2, self.height / 2);
        for y in 0..half.height {
            for x in 0..half.width {
                let at = |dx, dy| self.pixels[(2 * y + dy) * self.width + 2 * x + dx];
                let four = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)];
                let mean = |c: usize| four.iter().map(|pixel| pixel[c]).sum::<f32>() / 4.0;
                half.pixels[y * half.width + x] = [mean(0), mean(1), mean(2)];
            }
        }
        half
    }

    /// What a camera does: gain per channel, then noise.
    pub fn expose(&mut self, gain: Rgb, noise: f32, rng: &mut ChaCha8Rng) {
        for pixel in &mut self.pixels {
            // Two numbers of ten bits per channel: their difference is a triangular distribution.
            let (first, second) = (rng.next_u32(), rng.next_u32());
            for (channel, value) in pixel.iter_mut().enumerate() {
                let part = |bits: u32| ((bits >> (10 * channel)) & 1023) as f32 / 1023.0;
                *value = *value * gain[channel] + noise * (part(first) - part(second));
            }
        }
    }

    /// Eight bits per channel, row by row.
    pub fn bytes(&self) -> Vec<u8> {
        let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        self.pixels
            .iter()
            .flatten()
            .map(|value| byte(*value))
            .collect()
    }
}

/// `share` of the second colour in the first.
pub fn mix(first: Rgb, second: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|c| first[c] + (second[c] - first[c]) * share)
}

/// Channel by channel.
pub fn times(first: Rgb, second: Rgb) -> Rgb {
    std::array::from_fn(|c| first[c] * second[c])
}

/// Whether a point lies within a convex polygon with clockwise corners.
pub fn is_inside(corners: &[Point], (x, y): Point) -> bool {
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    let mut sides = edges.map(|(a, b)| (b.0 - a.0) * (y - a.1) - (b.1 - a.1) * (x - a.0));
    sides.all(|side| side >= 0.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn area(canvas: &Canvas) -> f32 {
        canvas.pixels.iter().map(|pixel| pixel[0]).sum()
    }

    #[test]
    fn shapes_have_their_area() {
        let white = [1.0; 3];
        let mut canvas = Canvas::new(40, 40);
        canvas.rectangle((5.0, 5.0), (15.0, 25.0), white);
        assert_eq!(area(&canvas), 200.0);
        let mut canvas = Canvas::new(40, 40);
        canvas.ellipse((20.0, 20.0), (10.0, 5.0), (white, 1.0));
        assert!((area(&canvas) - 157.0).abs() < 4.0);
        let mut canvas = Canvas::new(40, 40);
        canvas.polygon(&[(0.0, 0.0), (20.0, 0.0), (0.0, 20.0)], white);
        assert!((area(&canvas) - 200.0).abs() < 12.0);
    }

    #[test]
    fn shapes_beyond_the_edge_are_cut_off() {
        let mut canvas = Canvas::new(10, 10);
        canvas.rectangle((-5.0, -5.0), (5.0, 50.0), [1.0; 3]);
        canvas.ellipse((50.0, 50.0), (3.0, 3.0), ([1.0; 3], 1.0));
        assert_eq!(area(&canvas), 50.0);
    }

    #[test]
    fn noise_has_no_mean_and_halving_keeps_it_so() {
        let mut canvas = Canvas::new(64, 64);
        canvas.rows(0.0, 64.0, |_| [0.5; 3]);
        canvas.expose([1.0, 0.8, 1.0], 0.1, &mut ChaCha8Rng::seed_from_u64(5));
        assert!((area(&canvas) / 4096.0 - 0.5).abs() < 0.005);
        assert!((area(&canvas.halved()) / 1024.0 - 0.5).abs() < 0.005);
        assert_ne!(canvas.pixels[0], canvas.pixels[1]);
    }
}
