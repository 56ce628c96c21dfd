//! The weights of a run, back in a network.

use super::backbone;
use super::dir::RunDir;
use crate::Error;
use crate::heads::{Head, Init, Inputs, Online, Output, Resnet};
use crate::weights::{self, file};

/// A trained head.
pub(super) struct Saved {
    /// What it makes of a batch.
    pub forward: Box<dyn Fn(Inputs) -> Output + Send>,
    /// The ResNet that was trained with it, where one was.
    pub backbone: Option<Resnet>,
}

/// The weights of the best epoch of a run of this head.
pub(super) fn load<H: Head>(run: &RunDir, device: &burn::tensor::Device) -> Result<Saved, Error> {
    let config = run.config()?;
    let options = config.head.options::<H>();
    let head = H::new(&options, &run.info()?.sizes, &mut Init::new(0, device));
    let (weights, _) = file::read(&run.weights())?;
    let problem = |error| file::problem(&run.weights(), error);
    let Some(backbone) = backbone::of_run(run, &config, device)? else {
        let head = weights::load(head, &weights).map_err(problem)?;
        return Ok(Saved {
            forward: Box::new(move |inputs| head.forward(inputs, None)),
            backbone: None,
        });
    };
    let online = weights::load(Online::new(head, backbone), &weights).map_err(problem)?;
    Ok(Saved {
        backbone: Some(online.backbone().clone()),
        forward: Box::new(move |inputs| online.head().forward(inputs, None)),
    })
}
