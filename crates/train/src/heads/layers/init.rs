//! First values of weights, drawn from a seeded generator of our own: Burn's is one per process, and runs side by side
//! would disturb each other.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes weights on a device.
#[derive(Debug)]
pub struct Init<'a> {
    device: &'a Device,
    rng: ChaCha8Rng,
}

impl<'a> Init<'a> {
    /// The same seed makes the same weights.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            device,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Where the weights go.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// PyTorch's default: weight and bias from U(−1/√d_input, 1/√d_input).
    pub fn linear(&mut self, d_input: usize, d_output: usize) -> Linear {
        let bound = bound(d_input);
        Linear {
            weight: self.uniform([d_input, d_output], -bound, bound),
            bias: Some(self.uniform([d_output], -bound, bound)),
        }
    }

    /// Glorot's uniform: weight from U(±√(6 / (d_input + d_output))), bias 0.
    pub fn glorot(&mut self, d_input: usize, d_output: usize) -> Linear {
        let bound = (6.0 / (d_input + d_output) as f32).sqrt();
        Linear {
            weight: self.uniform([d_input, d_output], -bound, bound),
            bias: Some(self.constant([d_output], 0.0)),
        }
    }

    /// Weight from N(0, 0.1) cut at two deviations, bias 0.1.
    pub fn cut_normal(&mut self, d_input: usize, d_output: usize) -> Linear {
        let weight = (0..d_input * d_output).map(|_| self.cut_value()).collect();
        let weight: Vec<f32> = weight;
        let data = TensorData::new(weight, [d_input, d_output]);
        Linear {
            weight: Param::from_tensor(Tensor::from_data(data, self.device)),
            bias: Some(self.constant([d_output], 0.1)),
        }
    }

    /// Drawn again where it is too far out.
    fn cut_value(&mut self) -> f32 {
        loop {
            let mut uniform = || (f64::from(self.rng.random::<u32>()) + 0.5) / 2f64.powi(32);
            let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
            if normal.abs() <= 2.0 {
                return (0.1 * normal) as f32;
            }
        }
    }

    /// Values from U(low, high).
    pub fn uniform<const D: usize>(
        &mut self,
        shape: [usize; D],
        low: f32,
        high: f32,
    ) -> Param<Tensor<D>> {
        let values = self.values(shape.iter().product(), low, high);
        let data = TensorData::new(values, shape);
        Param::from_tensor(Tensor::from_data(data, self.device))
    }

    /// Values from N(0, deviation²), two at a time (Box and Muller 1958).
    pub fn normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        deviation: f32,
    ) -> Param<Tensor<D>> {
        let length = shape.iter().product::<usize>();
        let mut values = Vec::with_capacity(length + 1);
        while values.len() < length {
            let radius = deviation * (-2.0 * (1.0 - self.rng.random::<f32>()).ln()).sqrt();
            let (sin, cos) = (std::f32::consts::TAU * self.rng.random::<f32>()).sin_cos();
            values.extend([radius * cos, radius * sin]);
        }
        values.truncate(length);
        let data = TensorData::new(values, shape);
        Param::from_tensor(Tensor::from_data(data, self.device))
    }

    /// So many numbers from U(low, high).
    pub fn values(&mut self, count: usize, low: f32, high: f32) -> Vec<f32> {
        (0..count)
            .map(|_| low + (high - low) * self.rng.random::<f32>())
            .collect()
    }

    /// The same value everywhere.
    pub fn constant<const D: usize>(&self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::full(shape, value, self.device))
    }
}

/// 1/√d: what Kaiming's uniform with a = √5 comes to.
pub(in crate::heads) fn bound(d_input: usize) -> f32 {
    1.0 / (d_input as f32).sqrt()
}
