//! A product that was taken out of a model; the model's nodes name it by its number.

use crate::convolution::Convolution;
use crate::linear::Linear;

/// Domain of our operators.
pub(crate) const DOMAIN: &str = "mmfnd";

pub(crate) enum Product {
    Linear(Linear),
    Convolution(Convolution),
}
