//! Room for what a convolution needs only while it runs.

use std::cell::RefCell;

thread_local! {
    /// Kept from one convolution to the next: fresh pages of the system cost a seventh of a step.
    static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// With this thread's buffer, whatever is in it.
pub(super) fn with_buffer<R>(run: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    BUFFER.with_borrow_mut(run)
}

/// The first values of a buffer, whatever they are.
pub(super) fn room_in(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}
