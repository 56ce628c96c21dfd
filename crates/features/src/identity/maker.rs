//! Who made rows: what may change their last bits without making them another encoder's.

use std::fmt;

use serde::Serialize;

/// What a model ran on. Sums are formed in another order by other products, and so by another version of a runtime and
/// on another processor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Machine {
    /// Name and version of the runtime.
    pub runtime: String,
    /// The processor, or the card.
    pub processor: String,
}

/// Who made the rows of a part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Maker {
    /// The execution provider.
    pub provider: String,
    /// Precision of the arithmetic.
    pub precision: String,
    /// The machine; parts of earlier versions do not say it.
    pub machine: Option<Machine>,
}

impl Maker {
    /// Whether both give the same content the same bits, as far as what is known of them tells.
    pub fn is_like(&self, other: &Self) -> bool {
        let machines = self.machine.as_ref().zip(other.machine.as_ref());
        self.provider == other.provider
            && self.precision == other.precision
            && machines.is_none_or(|(one, other)| one == other)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.precision)?;
        match &self.machine {
            Some(Machine { runtime, processor }) => write!(f, ", {runtime}, {processor}"),
            None => Ok(()),
        }
    }
}
