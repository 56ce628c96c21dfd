//! Where tensors live and who computes.

use std::fmt;
use std::panic::catch_unwind;
use std::str::FromStr;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::panic_text;

/// A kind of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor, by Burn's own kernels.
    #[default]
    Flex,
    /// The processor, by the crate `ndarray`; slower.
    Ndarray,
    /// A graphics card through Vulkan, Metal or WebGPU; cargo feature `wgpu`.
    Wgpu,
    /// An NVIDIA card; cargo feature `cuda`.
    Cuda,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Flex, Self::Ndarray, Self::Wgpu, Self::Cuda];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// Whether this program was built with it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::Flex | Self::Ndarray => true,
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// Whether its tensors lie in the memory of this process.
    pub(crate) fn is_host(self) -> bool {
        matches!(self, Self::Flex | Self::Ndarray)
    }

    /// Burn's device, tried with a small sum.
    pub fn open(self) -> Result<burn::tensor::Device, Error> {
        let device = self.burn()?;
        if self.is_host() {
            return Ok(device);
        }
        let tried = device.clone();
        let sum = catch_unwind(move || Tensor::<1>::ones([2], &tried).sum().into_scalar::<f32>());
        let why = match sum {
            Ok(2.0) => return Ok(device),
            Ok(sum) => format!("1 and 1 are {sum} there"),
            Err(panic) => first_line(panic_text(&*panic)),
        };
        Err(self.problem(&format!(
            "cannot be used on this machine ({why}); `mmfnd doctor` lists what can, `--device flex` always can"
        )))
    }

    /// How much of its memory features may take; none where tensors lie in the memory of this process anyway.
    pub(crate) fn feature_room(self, device: &burn::tensor::Device) -> Option<FeatureRoom> {
        (!self.is_host()).then(|| FeatureRoom::of(device))
    }

    fn burn(self) -> Result<burn::tensor::Device, Error> {
        match self {
            Self::Flex => Ok(burn::tensor::Device::flex()),
            #[allow(deprecated)] // deprecated upstream, and part of what this program offers
            Self::Ndarray => Ok(burn::tensor::Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(burn::tensor::Device::wgpu(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(burn::tensor::Device::cuda(
                burn::tensor::DeviceIndex::Default,
            )),
            #[allow(unreachable_patterns)] // reachable without the features
            other => {
                let name = other.name();
                Err(other.problem(&format!(
                    "is not in this program; build it with `cargo build --release --features {name}`"
                )))
            }
        }
    }

    fn problem(self, problem: &str) -> Error {
        Error::Device {
            name: self.name(),
            problem: problem.to_owned(),
        }
    }
}

/// Bytes of a card's memory that features may take: all columns together, and a single one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FeatureRoom {
    pub all: u64,
    pub one: u64,
}

impl FeatureRoom {
    /// Half of the memory: the other half is for weights, moments, gradients and the values of a step. Where a card
    /// does not say how much it has, what it gives away in one piece.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn of(device: &burn::tensor::Device) -> Self {
        use burn::backend::DispatchDevice;
        let plain = device.clone().without_autodiff();
        let DispatchDevice::Cube(card) = plain.as_dispatch() else {
            unreachable!("only cards are asked");
        };
        let client = card.client();
        let memory = &client.properties().memory;
        Self {
            all: memory
                .max_memory()
                .map_or(memory.max_page_size, |all| all / 2),
            one: memory.max_page_size,
        }
    }

    #[cfg(not(any(feature = "wgpu", feature = "cuda")))]
    fn of(_device: &burn::tensor::Device) -> Self {
        unreachable!("without the features no card can be opened");
    }
}

/// Of what a library says, which can be long.
fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .chars()
        .take(200)
        .collect()
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let device = Self::ALL.into_iter().find(|device| device.name() == name);
        device.ok_or_else(|| UnknownDevice(name.to_owned()))
    }
}

/// A device's name that is none.
#[derive(Debug, thiserror::Error)]
#[error("unknown device `{0}`; use `flex`, `ndarray`, `wgpu` or `cuda`")]
pub struct UnknownDevice(pub String);

/// What `mmfnd doctor` says about a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceReport {
    /// The device.
    pub device: Device,
    /// Whether it can be used, and if not, what to do.
    pub problem: Option<String>,
}

/// All devices, tried.
pub fn devices() -> Vec<DeviceReport> {
    let report = |device: Device| DeviceReport {
        device,
        problem: device.open().err().map(|error| error.to_string()),
    };
    Device::ALL.map(report).to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_was_not_built_in_names_the_feature() {
        for device in [Device::Wgpu, Device::Cuda] {
            if !device.is_compiled() {
                let error = device.open().unwrap_err().to_string();
                assert!(error.contains(&format!("--features {device}")), "{error}");
            }
        }
        assert!(Device::Flex.open().is_ok() && Device::Ndarray.open().is_ok());
    }
}
