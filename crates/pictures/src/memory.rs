//! How much memory decoding may take, of one picture and of all that are held at once.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::refusal::{MAX_DECODING, Refusal};

/// Bytes that all pictures in this process take now.
static TAKEN: Mutex<u64> = Mutex::new(0);
static RETURNED: Condvar = Condvar::new();

/// A share of [`MAX_DECODING`] bytes, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Share(u64);

impl Share {
    /// Waits until there is room. A thread that holds one must not ask for another: all could wait for each other.
    pub fn take(bytes: u64) -> Result<Self, Refusal> {
        if bytes > MAX_DECODING {
            return Err(Refusal::TooMuchMemory(bytes));
        }
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |taken: &mut u64| *taken + bytes > MAX_DECODING;
        let taken = RETURNED.wait_while(taken, is_full);
        *taken.unwrap_or_else(PoisonError::into_inner) += bytes;
        Ok(Self(bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        RETURNED.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn all_that_is_held_at_once_stays_within_the_limit() {
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let one = MAX_DECODING / 2 - 1;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let share = Share::take(one).unwrap();
                    let now = held.fetch_add(one, Ordering::SeqCst) + one;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    held.fetch_sub(one, Ordering::SeqCst);
                    drop(share);
                });
            }
        });
        let most = most.into_inner();
        assert!(most >= one && most <= MAX_DECODING, "{most}");
        let refused = Share::take(MAX_DECODING + 1).unwrap_err();
        assert_eq!(refused, Refusal::TooMuchMemory(MAX_DECODING + 1));
    }
}
