//! 3 × 3 convolutions of stride 1 with 16 multiplications for 2 × 2 places of the output instead of 36: Winograd's
//! F(2 × 2, 3 × 3), as in Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, section 4.1.
//!
//! A tile of the output is `Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A`, where `d` are the 4 × 4 places that it reads. Summed over the
//! channels each of the 16 products is one of matrices: all tiles times all weights. The gradient of the input is a
//! convolution with the weights turned about, that of the weights `Gᵀ [(A g Aᵀ) ⊙ (Bᵀ d B)] G`, summed over the tiles.

use std::array::from_fn;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::super::product::{Matrix, add_product, product_over, room, written};
use super::buffer::{room_in, with_buffer};
use super::sizes::Sizes;

/// Channels that are worked on together.
const LANES: usize = 16;
type Lanes = [f32; LANES];

/// Places that a tile reads, on each side, and that it has; places of a weight.
const READ: usize = 4;
const TILE: usize = 2;
const WEIGHT: usize = 3;
/// Products of a tile.
const PLANES: usize = READ * READ;

/// Values of tiles that are held at a time: 16 MB, or a picture's where they are more.
const HELD: usize = 1 << 22;

/// Whether a convolution is one of these.
pub(super) fn is_one(sizes: Sizes) -> bool {
    let channels = [sizes.d_input, sizes.d_output];
    (sizes.window.size, sizes.window.stride) == (WEIGHT, 1)
        && sizes.window.padding < WEIGHT
        && channels.iter().all(|channels| channels % LANES == 0)
}

/// # Shapes
/// - `x`: `[N, H, W, C_input]`
/// - `weight`: `[C_output, 9, C_input]`
/// - output: `[N, H', W', C_output]`
pub(super) fn forward(x: &[f32], weight: &[f32], sizes: Sizes) -> Vec<f32> {
    with_planes(sizes, |[planes, held]| {
        planes_of_weights(weight, sizes, planes);
        let weights = matrices(planes, [sizes.d_output, sizes.d_input]);
        convolve(x, weights.map(Matrix::t), sizes, held)
    })
}

/// Gradient of the input.  `[N, H, W, C_input]`
pub(super) fn d_input(gradient: &[f32], weight: &[f32], sizes: Sizes) -> Vec<f32> {
    /// Which part of a weight, on each side, comes to lie where if it is turned by half a circle.
    const TURNED: [usize; READ] = [3, 1, 2, 0];
    with_planes(sizes.turned(), |[planes, held]| {
        planes_of_weights(weight, sizes, planes);
        let weights = matrices(planes, [sizes.d_output, sizes.d_input]);
        let turned = from_fn(|plane| weights[READ * TURNED[plane / READ] + TURNED[plane % READ]]);
        convolve(gradient, turned, sizes.turned(), held)
    })
}

/// Gradient of the weight.  `[C_output, 9, C_input]`
pub(super) fn d_weight(x: &[f32], gradient: &[f32], sizes: Sizes) -> Vec<f32> {
    let [d_input, d_output] = [sizes.d_input, sizes.d_output];
    let tiles = Tiles::of(sizes);
    let together = tiles.together();
    let gradients = gradient.chunks(together * sizes.places() * d_output);
    let bands = x.chunks(together * sizes.picture()).zip(gradients);
    with_planes(sizes, |[planes, held]| {
        for (band, (x, gradient)) in bands.enumerate() {
            let count = x.len() / sizes.picture() * tiles.count();
            let (read, spread) = held.split_at_mut(PLANES * count * d_input);
            let spread = &mut spread[..PLANES * count * d_output];
            tiles.read(x, read);
            tiles.spread(gradient, spread);
            let operands = matrices(spread, [count, d_output]).into_par_iter();
            let operands = operands.zip(matrices(read, [count, d_input]));
            let planes = planes.par_chunks_exact_mut(d_output * d_input);
            planes.zip(operands).for_each(|(plane, (spread, read))| {
                let multiply = if band == 0 { product_over } else { add_product };
                multiply(plane, spread.t(), read);
            });
        }
        weights_of_planes(planes, sizes)
    })
}

/// Tiles times weights, plane by plane.
fn convolve(x: &[f32], weights: [Matrix; PLANES], sizes: Sizes, held: &mut [f32]) -> Vec<f32> {
    let [d_input, d_output] = [sizes.d_input, sizes.d_output];
    let tiles = Tiles::of(sizes);
    let together = tiles.together();
    let mut output = room(sizes.pictures * sizes.places() * d_output);
    let outputs = output.chunks_mut(together * sizes.places() * d_output);
    for (x, output) in x.chunks(together * sizes.picture()).zip(outputs) {
        let count = x.len() / sizes.picture() * tiles.count();
        let (read, products) = held.split_at_mut(PLANES * count * d_input);
        let products = &mut products[..PLANES * count * d_output];
        tiles.read(x, read);
        let operands = matrices(read, [count, d_input])
            .into_par_iter()
            .zip(weights);
        let planes = products.par_chunks_exact_mut(count * d_output);
        planes
            .zip(operands)
            .for_each(|(product, (read, weight))| product_over(product, read, weight));
        tiles.write(products, output);
    }
    // SAFETY: the bands are all pictures, of which `Tiles::write` writes every place.
    unsafe { written(output) }
}

/// With room for the planes of the weights and for those of the tiles that are held at a time.
fn with_planes<R>(sizes: Sizes, run: impl FnOnce([&mut [f32]; 2]) -> R) -> R {
    let channels = [sizes.d_input, sizes.d_output];
    let tiles = Tiles::of(sizes);
    let held = tiles.together() * tiles.count() * (channels[0] + channels[1]);
    let [weights, held] = [channels[0] * channels[1], held].map(|count| PLANES * count);
    with_buffer(|buffer| {
        let (planes, held) = room_in(buffer, weights + held).split_at_mut(weights);
        run([planes, held])
    })
}

/// The planes of a list of them.
fn matrices(planes: &[f32], [rows, columns]: [usize; 2]) -> [Matrix<'_>; PLANES] {
    let length = rows * columns;
    from_fn(|i| Matrix::new(&planes[i * length..][..length], rows, columns))
}

/// The 2 × 2 parts of an output.
#[derive(Clone, Copy)]
struct Tiles {
    sizes: Sizes,
    down: usize,
    across: usize,
}

impl Tiles {
    fn of(sizes: Sizes) -> Self {
        let [down, across] = sizes.output.map(|side| side.div_ceil(TILE));
        Self {
            sizes,
            down,
            across,
        }
    }

    /// Of a picture.
    fn count(self) -> usize {
        self.down * self.across
    }

    /// Pictures whose tiles are held at a time.
    fn together(self) -> usize {
        let channels = self.sizes.d_input + self.sizes.d_output;
        (HELD / (PLANES * self.count() * channels)).clamp(1, self.sizes.pictures)
    }

    /// `Bᵀ d B` of what each tile reads.  `[N, H, W, C_input]` to `[16, N tiles, C_input]`
    fn read(self, x: &[f32], planes: &mut [f32]) {
        let map = Map {
            sides: self.sizes.input,
            channels: self.sizes.d_input,
            padding: self.sizes.window.padding,
        };
        self.each_row(x, map, planes, |x, row, planes| {
            widest!(map.arrange::<READ>(x, row, planes, of_read))
        });
    }

    /// `A g Aᵀ` of each tile of a gradient.  `[N, H', W', C_output]` to `[16, N tiles, C_output]`
    fn spread(self, gradient: &[f32], planes: &mut [f32]) {
        let map = Map {
            sides: self.sizes.output,
            channels: self.sizes.d_output,
            padding: 0,
        };
        self.each_row(gradient, map, planes, |gradient, row, planes| {
            widest!(map.arrange::<TILE>(gradient, row, planes, of_gradient))
        });
    }

    /// For each row of tiles, on all threads: its picture, its number there, and its part of each plane.
    fn each_row(
        self,
        pictures: &[f32],
        map: Map,
        planes: &mut [f32],
        arrange: impl Fn(&[f32], usize, [&mut [f32]; PLANES]) + Sync,
    ) {
        let picture = map.sides[0] * map.sides[1] * map.channels;
        let mut planes: Vec<_> = planes
            .chunks_exact_mut(planes.len() / PLANES)
            .map(|plane| plane.chunks_exact_mut(self.across * map.channels))
            .collect();
        let rows = pictures.len() / picture * self.down;
        let parts: Vec<[_; PLANES]> = (0..rows)
            .map(|_| from_fn(|i| planes[i].next().expect("as many rows in every plane")))
            .collect();
        parts.into_par_iter().enumerate().for_each(|(row, planes)| {
            let pictures = &pictures[row / self.down * picture..][..picture];
            arrange(pictures, row % self.down, planes);
        });
    }

    /// `Aᵀ m A` of each tile.  `[16, N tiles, C_output]` to `[N, H', W', C_output]`, all of which is written
    fn write(self, planes: &[f32], output: &mut [MaybeUninit<f32>]) {
        let channels = self.sizes.d_output;
        let row = self.sizes.output[1] * channels;
        let pictures = output.chunks_exact_mut(self.sizes.output[0] * row);
        let rows: Vec<_> = pictures
            .flat_map(|picture| picture.chunks_mut(TILE * row))
            .collect();
        let of_row = self.across * channels;
        rows.into_par_iter().enumerate().for_each(|(i, rows)| {
            let plane = planes.len() / PLANES;
            let planes = from_fn(|of| &planes[of * plane + i * of_row..][..of_row]);
            widest!(write_row(planes, rows, row, channels))
        });
    }
}

/// Pictures that are arranged.
#[derive(Clone, Copy)]
struct Map {
    /// Height and width.
    sides: [usize; 2],
    channels: usize,
    /// Places that are 0 above and left of it.
    padding: usize,
}

impl Map {
    /// A row of tiles, each of N × N places.
    #[inline(always)]
    fn arrange<const N: usize>(
        self,
        picture: &[f32],
        row: usize,
        mut planes: [&mut [f32]; PLANES],
        side: impl Fn([Lanes; N]) -> [Lanes; READ] + Copy,
    ) {
        let [height, width] = self.sides;
        for tile in 0..planes[0].len() / self.channels {
            for channel in (0..self.channels).step_by(LANES) {
                let mut places = [[[0.0; LANES]; N]; N];
                for (i, places) in places.iter_mut().enumerate() {
                    for (j, place) in places.iter_mut().enumerate() {
                        // beyond the edges, above and left of 0 too, there are zeros
                        let y = (TILE * row + i).wrapping_sub(self.padding);
                        let x = (TILE * tile + j).wrapping_sub(self.padding);
                        if y < height && x < width {
                            *place = lanes(picture, (y * width + x) * self.channels + channel);
                        }
                    }
                }
                let arranged = on_both_sides(places, side);
                for (plane, values) in planes.iter_mut().zip(arranged.as_flattened()) {
                    plane[tile * self.channels + channel..][..LANES].copy_from_slice(values);
                }
            }
        }
    }
}

/// The two rows of an output, or one at the lower edge, of a row of tiles.
#[inline(always)]
fn write_row(
    planes: [&[f32]; PLANES],
    rows: &mut [MaybeUninit<f32>],
    length: usize,
    channels: usize,
) {
    for tile in 0..planes[0].len() / channels {
        for channel in (0..channels).step_by(LANES) {
            let place = tile * channels + channel;
            let products = from_fn(|i| from_fn(|j| lanes(planes[READ * i + j], place)));
            let tile_of = on_both_sides(products, of_products);
            for (row, tile_of) in rows.chunks_exact_mut(length).zip(tile_of) {
                for (j, values) in tile_of.into_iter().enumerate() {
                    let first = (TILE * tile + j) * channels + channel;
                    if first < length {
                        let places = &mut row[first..][..LANES];
                        for (place, value) in places.iter_mut().zip(values) {
                            place.write(value);
                        }
                    }
                }
            }
        }
    }
}

/// `G w Gᵀ` of each weight.  `[C_output, 9, C_input]` to `[16, C_output, C_input]`
fn planes_of_weights(weight: &[f32], sizes: Sizes, planes: &mut [f32]) {
    let map = Map {
        sides: [WEIGHT; 2],
        channels: sizes.d_input,
        padding: 0,
    };
    let one = Tiles {
        sizes,
        down: 1,
        across: 1,
    };
    one.each_row(weight, map, planes, |weight, _, planes| {
        widest!(map.arrange::<WEIGHT>(weight, 0, planes, of_weight))
    });
}

/// `Gᵀ p G` of each weight.  `[16, C_output, C_input]` to `[C_output, 9, C_input]`
fn weights_of_planes(planes: &[f32], sizes: Sizes) -> Vec<f32> {
    let d_input = sizes.d_input;
    let plane = sizes.d_output * d_input;
    let mut weights = vec![0.0; WEIGHT * WEIGHT * plane];
    let rows = weights.par_chunks_exact_mut(WEIGHT * WEIGHT * d_input);
    rows.enumerate().for_each(|(row, weights)| {
        let planes: [_; PLANES] = from_fn(|i| &planes[i * plane + row * d_input..][..d_input]);
        widest!(for channel in (0..d_input).step_by(LANES) {
            let products = from_fn(|i| from_fn(|j| lanes(planes[READ * i + j], channel)));
            let weight = on_both_sides(products, of_weight_planes);
            for (values, place) in weight
                .as_flattened()
                .iter()
                .zip(weights.chunks_exact_mut(d_input))
            {
                place[channel..][..LANES].copy_from_slice(values);
            }
        })
    });
    weights
}

/// So many values from a place on.
#[inline(always)]
fn lanes(values: &[f32], place: usize) -> Lanes {
    *values[place..]
        .first_chunk()
        .expect("channels come in whole lanes")
}

/// `S x Sᵀ`, where `side` is `S` times a column.
#[inline(always)]
fn on_both_sides<const N: usize, const M: usize>(
    x: [[Lanes; N]; N],
    side: impl Fn([Lanes; N]) -> [Lanes; M],
) -> [[Lanes; M]; M] {
    let rows = x.map(&side);
    let turned: [[Lanes; M]; M] = from_fn(|j| side(from_fn(|i| rows[i][j])));
    from_fn(|i| from_fn(|j| turned[j][i]))
}

/// `Bᵀ d`
#[inline(always)]
fn of_read([a, b, c, d]: [Lanes; READ]) -> [Lanes; READ] {
    [minus(a, c), plus(b, c), minus(c, b), minus(b, d)]
}

/// `G w`
#[inline(always)]
fn of_weight([a, b, c]: [Lanes; WEIGHT]) -> [Lanes; READ] {
    let (outer, inner) = (half(plus(a, c)), half(b));
    [a, plus(outer, inner), minus(outer, inner), c]
}

/// `Gᵀ p`
#[inline(always)]
fn of_weight_planes([a, b, c, d]: [Lanes; READ]) -> [Lanes; WEIGHT] {
    let outer = half(plus(b, c));
    [plus(a, outer), half(minus(b, c)), plus(outer, d)]
}

/// `Aᵀ m`
#[inline(always)]
fn of_products([a, b, c, d]: [Lanes; READ]) -> [Lanes; TILE] {
    [plus(plus(a, b), c), minus(minus(b, c), d)]
}

/// `A g`
#[inline(always)]
fn of_gradient([a, b]: [Lanes; TILE]) -> [Lanes; READ] {
    [a, plus(a, b), minus(a, b), minus([0.0; LANES], b)]
}

#[inline(always)]
fn plus(mut a: Lanes, b: Lanes) -> Lanes {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}

#[inline(always)]
fn minus(mut a: Lanes, b: Lanes) -> Lanes {
    for (a, b) in a.iter_mut().zip(b) {
        *a -= b;
    }
    a
}

#[inline(always)]
fn half(mut a: Lanes) -> Lanes {
    for a in &mut a {
        *a *= 0.5;
    }
    a
}
