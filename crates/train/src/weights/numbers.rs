//! The values of tensors, read from where they lie.

use std::cell::Cell;

use burn::tensor::Tensor;

thread_local!(static READS: Cell<u64> = const { Cell::new(0) });

/// How often this thread has read the values of a tensor so far. On a card each time it waits until all that the card
/// was told is computed.
pub fn reads() -> u64 {
    READS.get()
}

/// The values of a tensor, in our layout.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    READS.set(READS.get() + 1);
    let values = tensor.into_data().convert::<f32>().try_into_vec();
    values.expect("converted to the type that is asked for")
}
