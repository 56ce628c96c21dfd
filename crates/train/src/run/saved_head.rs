//! The weights of a run, back in a network.

use super::dir::RunDir;
use crate::Error;
use crate::heads::{Head, Init, Inputs, Output};
use crate::weights::{self, file};

/// What a trained head makes of a batch.
pub(super) type Forward = Box<dyn Fn(Inputs) -> Output + Send>;

/// The weights of the best epoch of a run of this head.
pub(super) fn load<H: Head>(run: &RunDir, device: &burn::tensor::Device) -> Result<Forward, Error> {
    let config = run.config()?.head.options::<H>();
    let head = H::new(&config, &run.info()?.sizes, &mut Init::new(0, device));
    let (weights, _) = file::read(&run.weights())?;
    let head = weights::load(head, &weights);
    let head = head.map_err(|error| file::problem(&run.weights(), error))?;
    Ok(Box::new(move |inputs| head.forward(inputs, None)))
}
