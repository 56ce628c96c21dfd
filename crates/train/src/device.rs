//! Where tensors live and who computes.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::NO_REASON;

/// How the loader of CUDA's libraries begins where it finds no driver.
const NO_DRIVER: &str = r#"Unable to dynamically load the "cuda" shared library"#;

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
        match self.why_unusable(&device) {
            None => Ok(device),
            Some(why) => Err(self.problem(&format!(
                "cannot be used on this machine: {why}; `mmfnd doctor` lists what can, `--device flex` always can"
            ))),
        }
    }

    /// Why a card cannot be used, if so. It is tried once a process: the runtime of one that could not be used is gone.
    fn why_unusable(self, device: &burn::tensor::Device) -> Option<String> {
        static TRIED: Mutex<Vec<(Device, Option<String>)>> = Mutex::new(Vec::new());
        let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, why)) = tried.iter().find(|(other, _)| *other == self) {
            return why.clone();
        }
        let why = match first_panic(|| Tensor::<1>::ones([2], device).sum().into_scalar::<f32>()) {
            Ok(2.0) => None,
            Ok(sum) => Some(format!("1 and 1 are {sum} there")),
            Err(panic) => Some(in_short(&panic)),
        };
        tried.push((self, why.clone()));
        why
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

/// What work gives, or what the first panic says, whatever thread it is of: the caller's own panic only says that
/// another thread, which opens the card, is no more. None of them is printed.
fn first_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let first = Arc::new(OnceLock::new());
    let (told, kept) = (panic::take_hook(), first.clone());
    panic::set_hook(Box::new(move |panic| {
        kept.get_or_init(|| panic.payload_as_str().unwrap_or(NO_REASON).to_owned());
    }));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(told);
    done.map_err(|_| first.get().map_or(NO_REASON, String::as_str).to_owned())
}

/// What a library says can be long, and not to the point.
fn in_short(panic: &str) -> String {
    if panic.starts_with(NO_DRIVER) {
        return "there is no NVIDIA driver (`libcuda.so.1`); version 580 or newer is needed"
            .to_owned();
    }
    let line = panic.lines().next().unwrap_or_default();
    line.trim_end_matches('.').chars().take(200).collect()
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
    fn of_several_panics_the_first_counts_and_is_told_in_short() {
        let work = || {
            let opening =
                std::thread::spawn(|| panic!("{NO_DRIVER} - searched for a lot\nof names"));
            opening.join().expect("the thread that opens a card");
        };
        let why = first_panic(work).unwrap_err();
        assert!(why.starts_with(NO_DRIVER), "{why}");
        assert!(in_short(&why).contains("no NVIDIA driver"), "{why}");
        assert_eq!(in_short("adapter lost.\nand more"), "adapter lost");
        assert_eq!(first_panic(|| 2), Ok(2));
    }

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
