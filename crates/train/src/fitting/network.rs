//! What is trained: a head over features, or a head behind a ResNet that is trained with it.

use burn::module::Module;

use crate::heads::{Head, Inputs, Memory, Noise, Online, Resnet, StepOutput};

/// The place of the backbone in the module tree of an [`Online`].
pub(crate) const BACKBONE: &str = "backbone";

/// A network that is trained.
pub(crate) trait Network: Module + 'static {
    /// Its head.
    type Head: Head;

    /// What scores features.
    fn head(&self) -> &Self::Head;

    /// What makes features of pictures, where that is trained, too.
    fn backbone(&self) -> Option<&Resnet>;

    /// As [`Head::step`].
    fn step(
        &self,
        step: &'static str,
        inputs: Inputs,
        noise: Noise,
        memory: &mut Memory,
    ) -> Option<StepOutput>;
}

impl<H: Head> Network for H {
    type Head = H;

    fn head(&self) -> &H {
        self
    }

    fn backbone(&self) -> Option<&Resnet> {
        None
    }

    fn step(
        &self,
        step: &'static str,
        inputs: Inputs,
        noise: Noise,
        memory: &mut Memory,
    ) -> Option<StepOutput> {
        Head::step(self, step, inputs, noise, memory)
    }
}

impl<H: Head> Network for Online<H> {
    type Head = H;

    fn head(&self) -> &H {
        self.head()
    }

    fn backbone(&self) -> Option<&Resnet> {
        Some(self.backbone())
    }

    fn step(
        &self,
        step: &'static str,
        inputs: Inputs,
        noise: Noise,
        memory: &mut Memory,
    ) -> Option<StepOutput> {
        self.step(step, inputs, noise, memory)
    }
}
