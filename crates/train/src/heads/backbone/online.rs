//! A head behind a ResNet that is trained with it.

use burn::module::Module;

use super::super::graph::cut_off;
use super::super::head::Head;
use super::super::inputs::Inputs;
use super::super::layers::Noise;
use super::super::memory::Memory;
use super::super::step::StepOutput;
use super::resnet::Resnet;

/// A head, and the ResNet whose features it reads.
#[derive(Module, Debug)]
pub struct Online<H: Module> {
    head: H,
    backbone: Resnet,
}

impl<H: Head> Online<H> {
    /// The two together.
    pub fn new(head: H, backbone: Resnet) -> Self {
        Self { head, backbone }
    }

    /// The head alone, which scores features that the backbone gave.
    pub fn head(&self) -> &H {
        &self.head
    }

    /// The ResNet alone.
    pub fn backbone(&self) -> &Resnet {
        &self.backbone
    }

    /// As [`Head::step`], of inputs with the pictures that ResNet reads, each once: its gradient is the sum over the
    /// posts that have it. The graph is cut between the two, so that ResNet is differentiated once, behind all of the
    /// head's branches, and with all threads.
    pub fn step(
        &self,
        step: &'static str,
        mut inputs: Inputs,
        noise: Noise,
        memory: &mut Memory,
    ) -> Option<StepOutput> {
        let mut trunk = None;
        if let Some(pictures) = inputs.pictures.take() {
            let (pooled, cut) = cut_off(self.backbone.forward(pictures.maps)); // [P, D]
            inputs.resnet = Some(pooled.select(0, pictures.of)); // [B, D]
            trunk = cut;
        }
        let output = self.head.step(step, inputs, noise, memory)?;
        Some(StepOutput { trunk, ..output })
    }
}
