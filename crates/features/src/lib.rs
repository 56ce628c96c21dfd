//! The feature store: content-addressed Parquet, written once.
