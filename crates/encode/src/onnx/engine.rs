//! On what encoders run, and how the cores are divided among the batches that run at once.

use std::num::NonZero;
use std::thread;

use mmfnd_features::{Machine, Precision};

use super::precision::has_products;
use super::processor;
use super::runtime::Runtime;
use super::tiles::{Arithmetic, Means};
use crate::error::Error;
use crate::options::{Device, Options};
use crate::preset::EncoderPreset;

/// How encoders are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    pub(crate) device: Device,
    /// 0 for all cores.
    pub(crate) threads: usize,
    /// Whether float32 products may run on the processor's matrix tiles, where it has some.
    pub(crate) tiles: bool,
}

impl Engine {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            device: options.device,
            threads: options.threads,
            tiles: options.tiles,
        }
    }

    /// Name of the execution provider, as the store records it, with what runs the products of this model, where it has
    /// some.
    pub(crate) fn provider(self, preset: &EncoderPreset) -> &'static str {
        let arithmetic = self.arithmetic(preset.precision);
        let arithmetic = arithmetic.filter(|_| has_products(preset));
        let means = arithmetic.and_then(Arithmetic::means);
        match (self.device, arithmetic.zip(means)) {
            (Device::Cuda, _) => "CUDAExecutionProvider",
            (Device::Cpu, None) => "CPUExecutionProvider",
            (Device::Cpu, Some((Arithmetic::Float32, _))) => "CPUExecutionProvider+AMX",
            (Device::Cpu, Some((Arithmetic::Bfloat16, Means::Tiles))) => {
                "CPUExecutionProvider+AMX_BF16"
            }
            (Device::Cpu, Some((Arithmetic::Bfloat16, Means::Vectors))) => {
                "CPUExecutionProvider+AVX512_BF16"
            }
        }
    }

    /// What the encoders run on.
    pub(crate) fn machine(self) -> Result<Machine, Error> {
        let runtime = self.runtime()?;
        let card = match self.device {
            Device::Cpu => None,
            Device::Cuda => processor::card(),
        };
        Ok(Machine {
            runtime: format!("ONNX Runtime {}", runtime.version),
            processor: card.unwrap_or_else(processor::processor),
        })
    }

    pub(super) fn runtime(self) -> Result<&'static Runtime, Error> {
        match self.device {
            Device::Cpu => Runtime::load(),
            Device::Cuda => Runtime::load_cuda(),
        }
    }

    /// How the products are computed that are taken out of a model; none where all are left to ONNX Runtime.
    pub(super) fn arithmetic(self, precision: Precision) -> Option<Arithmetic> {
        let arithmetic = match (self.device, precision) {
            (Device::Cpu, Precision::F32) if self.tiles => Arithmetic::Float32,
            (Device::Cpu, Precision::Bf16) => Arithmetic::Bfloat16,
            _ => return None,
        };
        arithmetic.means().map(|_| arithmetic)
    }
}

/// Batches that run at once on a CPU of many cores: each needs memory of its own.
const MOST_AT_ONCE: usize = 16;

/// How the cores are divided.
///
/// On the CPU several batches run at once, each on one core: nothing waits for the slowest part of an operator, and a
/// batch's sums are always formed by one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    /// Batches that run at once.
    pub(super) at_once: usize,
    /// Threads of each.
    pub(super) threads: usize,
}

impl Division {
    pub(super) fn new(device: Device, threads: usize) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if threads == 0 { cores() } else { threads };
        let at_once = match device {
            Device::Cpu => threads.min(MOST_AT_ONCE),
            Device::Cuda => 1,
        };
        Self {
            at_once,
            threads: threads / at_once,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_divided_among_batches_and_threads() {
        let division = |device, threads| {
            let Division { at_once, threads } = Division::new(device, threads);
            (at_once, threads)
        };
        assert_eq!(division(Device::Cpu, 2), (2, 1));
        assert_eq!(division(Device::Cpu, 64), (16, 4));
        assert_eq!(division(Device::Cuda, 8), (1, 8));
    }
}
