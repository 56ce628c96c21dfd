//! A picture that a decoder was not made for must not end a run of hours, nor fill its log: a decoder's panic becomes a
//! refusal, and is not printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread's panics are expected.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What the work gives, or what it panicked with. Panics of other threads, and of this one elsewhere, are told as
/// before.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                told(panic);
            }
        }));
    });
    let was_expected = EXPECTED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(was_expected);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_handed_back_and_later_ones_elsewhere_are_told_again() {
        assert_eq!(caught(|| 7).ok(), Some(7));
        let panic = caught(|| -> () {
            assert!(EXPECTED.get());
            panic!("a decoder's fault")
        });
        let panic: Box<dyn Any + Send> = panic.expect_err("it is caught");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a decoder's fault"));
        assert!(!EXPECTED.get());
    }
}
