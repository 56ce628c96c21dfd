//! Tensors of `flex` as slices, and back.

use burn::backend::Flex;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::ops::NodeGuard;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Device, Shape, Tensor, TensorData};

/// A tensor of `flex`.
pub(super) type Plain = FloatTensor<Flex>;

/// Whether our own operations run there.
pub(in crate::heads) fn is_flex(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// A tensor without gaps.
pub(super) fn plain<const D: usize>(x: Tensor<D>) -> Plain {
    let x = x.try_into_primitive::<Flex>();
    let x = x.expect("all tensors of a head lie on one device");
    x.to_contiguous()
}

/// A tensor without gaps, and its place in the graph.
pub(super) fn tracked<const D: usize>(x: Tensor<D>) -> (Plain, NodeGuard) {
    let x = x.try_into_primitive::<Autodiff<Flex>>();
    let (x, node) = x
        .expect("all tensors of a head lie on one device")
        .into_parts();
    (x.to_contiguous(), node)
}

/// The values of a tensor without gaps.
pub(super) fn values(x: &Plain) -> &[f32] {
    x.as_slice().expect("32-bit floats without gaps")
}

pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Plain {
    Plain::from_data(TensorData::new(values, shape))
}
