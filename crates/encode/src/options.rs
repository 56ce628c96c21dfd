//! How to encode: where, with how many threads, in batches of which size.

use std::time::Duration;

use mmfnd_features::{Shard, ValueType};

/// Where the arithmetic runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The CPU, all of its cores.
    #[default]
    Cpu,
    /// An NVIDIA GPU, through the CUDA provider of `onnxruntime-gpu`.
    Cuda,
}

/// How to encode.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the arithmetic runs.
    pub device: Device,
    /// Threads; 0 for all cores.
    pub threads: usize,
    /// Whether float32 products run on the processor's matrix tiles (Intel AMX), where it has some; see
    /// [`has_tiles`](crate::has_tiles).
    pub tiles: bool,
    /// How values are stored; `None` for the type that the store has, float16 in a new one.
    pub value_type: Option<ValueType>,
    /// Encoders whose features in the store may be thrown away if another model made them.
    pub replace: Vec<String>,
    /// The longest that finished features wait in memory: what a kill can lose.
    pub write_every: Duration,
    /// Most tokens of a batch of texts, padding included; by the device where there is none.
    pub batch_tokens: Option<usize>,
    /// Most pictures of a batch; by the device where there is none.
    pub batch_images: Option<usize>,
    /// Whether the last states of BERT's tokens are kept, and of how many a text at most; as the store has them where
    /// this does not say.
    pub tokens: Option<usize>,
    /// Whether the maps of ResNet's third layer are kept, which its fourth one is trained from; a store that has them
    /// gets those of new pictures without being asked.
    pub maps: bool,
    /// Which part of the work; all of it when there is none.
    pub shard: Option<Shard>,
    /// Most bytes of finished features of one encoder that wait in memory.
    pub part_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            threads: 0,
            tiles: true,
            value_type: None,
            replace: Vec::new(),
            write_every: Duration::from_secs(15),
            batch_tokens: None,
            batch_images: None,
            tokens: None,
            maps: false,
            shard: None,
            part_bytes: 32 << 20,
        }
    }
}
