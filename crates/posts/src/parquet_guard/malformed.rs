//! The error of a file that is not what Parquet's format says.

use parquet::errors::ParquetError;

pub(super) fn malformed(problem: &str) -> ParquetError {
    ParquetError::General(format!("it is malformed: {problem}"))
}
