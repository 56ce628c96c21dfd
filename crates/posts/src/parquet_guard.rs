//! Parquet's reader panics at some malformed files (found by fuzzing: negative places and lengths of columns); here that is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// Reads; a panic on the way is an error of the file.
pub fn without_panic<T, E: From<ParquetError>>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What the reader leaves behind is not used any more after an error.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let problem = "it is malformed: its reader gave up";
        Err(ParquetError::General(problem.to_owned()).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_everything_else_is_handed_on() {
        let panics = || -> Result<(), ParquetError> { std::panic::resume_unwind(Box::new("x")) };
        let said = without_panic(panics).map_err(|error| error.to_string());
        assert_eq!(
            said,
            Err("Parquet error: it is malformed: its reader gave up".to_owned())
        );
        assert_eq!(without_panic(|| Ok::<_, ParquetError>(7)).ok(), Some(7));
    }
}
