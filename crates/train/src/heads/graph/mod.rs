//! Operations with derivatives written out, for the processor (`flex`): linear maps, the experts of a group, and what a gate takes of them.
//!
//! Burn would run each as a dozen operations, most of whose time goes into copies and into passes over memory. Every other device runs the same sums with
//! Burn's own operations and derivatives; the golden files and a test here compare the two.

mod affine;
mod expert_layers;
mod fork;
mod mixture;
mod product;

use burn::backend::Flex;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::ops::NodeGuard;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Device, Shape, Tensor, TensorData};

pub(super) use affine::linear;
pub(super) use expert_layers::experts;
pub(super) use fork::fork;
pub use fork::{Cut, backward};
pub(super) use mixture::{GateWeights, mixture};

/// A tensor of `flex`.
type Plain = FloatTensor<Flex>;

/// Whether our own operations run there.
pub(super) fn is_flex(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// A tensor without gaps.
fn plain<const D: usize>(x: Tensor<D>) -> Plain {
    let x = x.try_into_primitive::<Flex>();
    let x = x.expect("all tensors of a head lie on one device");
    x.to_contiguous()
}

/// A tensor without gaps, and its place in the graph.
fn tracked<const D: usize>(x: Tensor<D>) -> (Plain, NodeGuard) {
    let x = x.try_into_primitive::<Autodiff<Flex>>();
    let (x, node) = x
        .expect("all tensors of a head lie on one device")
        .into_parts();
    (x.to_contiguous(), node)
}

/// The values of a tensor without gaps.
fn values(x: &Plain) -> &[f32] {
    x.as_slice().expect("32-bit floats without gaps")
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Plain {
    Plain::from_data(TensorData::new(values, shape))
}
