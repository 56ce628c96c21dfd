//! Stage 2: heads trained over the feature store with Burn.
