//! Room for what a convolution needs only while it runs.

use std::cell::RefCell;

thread_local! {
    /// Kept from one convolution to the next: fresh pages of the system cost a seventh of a step.
    static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// With this thread's buffer, whatever is in it; with an empty one where the thread, as it waits for others, comes to a
/// second convolution before the first is done.
pub(super) fn with_buffer<R>(run: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = run(&mut buffer);
    BUFFER.set(buffer);
    result
}

/// The first values of a buffer, whatever they are.
pub(super) fn room_in(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_in_use_is_not_given_away() {
        with_buffer(|outer| {
            room_in(outer, 3).fill(1.0);
            with_buffer(|inner| room_in(inner, 3).fill(2.0));
            assert_eq!(outer[..3], [1.0; 3]);
        });
    }
}
