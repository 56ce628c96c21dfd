//! The MMFND head: Ma, Zhang, Liu, Zhang, *Multi-Task Network Guided Multimodal Fusion for Fake News Detection*.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::ablation::{Parts, Routing};
use super::options::{Fusion, MmfndConfig};
use crate::heads::graph::{affine, fork};
use crate::heads::modality_mask::{Branch, Modalities};
use crate::heads::{
    Classifier, Dropout, GateShares, Head, Init, Inputs, LayerPool, Mapping, ModalityAttention,
    Noise, Output, Ple, Pooling, Projection, SimilarityWeight, Sizes,
};

/// The head; a part that an ablation leaves out is absent.
#[derive(Module, Debug)]
pub struct Mmfnd {
    layer_pool: Option<LayerPool>,
    text_projection: Option<Projection>,
    text_ple: Option<Ple>,
    text_mapping: Option<Mapping>,
    resnet: Option<Linear>,
    image_projection: Option<Projection>,
    image_ple: Option<Ple>,
    image_mapping: Option<Mapping>,
    fusion: Option<Mapping>,
    similarity: Option<SimilarityWeight>,
    attention: Option<ModalityAttention>,
    classifier: Classifier,
    #[module(skip)]
    wiring: Wiring,
}

/// What the parts read, where there is a choice.
#[derive(Clone, Copy, Debug)]
struct Wiring {
    clip: bool,
    routing: Routing,
    fusion: Fusion,
    /// Width of the branches.
    branch: usize,
}

impl MmfndConfig {
    /// First values for features of these sizes; weights are drawn in the order of the fields of [`Mmfnd`].
    pub fn init(&self, sizes: &Sizes, init: &mut Init) -> Mmfnd {
        let parts = Parts::of(self.ablation);
        let clip = if parts.clip { sizes.clip } else { 0 };
        let has_text_branch = parts.text && parts.unimodal;
        let has_image_branch = parts.image && parts.unimodal;
        let d_aggregate = match parts.attention {
            true => self.branch,
            false => self.branch * parts.branches(),
        };
        Mmfnd {
            layer_pool: (parts.text)
                .then(|| LayerPool::new(self.pooling(), sizes.layers, sizes.bert, init)),
            text_projection: parts.text.then(|| self.project(sizes.bert + clip, 0, init)),
            text_ple: (parts.text && parts.ple).then(|| self.ple(init)),
            text_mapping: has_text_branch.then(|| self.map(init)),
            resnet: (parts.image).then(|| init.linear(sizes.resnet, sizes.resnet_classes)),
            image_projection: (parts.image)
                .then(|| self.project(sizes.resnet_classes + clip, 1, init)),
            image_ple: (parts.image && parts.ple).then(|| self.ple(init)),
            image_mapping: has_image_branch.then(|| self.map(init)),
            fusion: parts.fusion.then(|| self.fuse(parts, sizes, init)),
            similarity: (parts.similarity).then(|| SimilarityWeight::new(self.similarity(), init)),
            attention: (parts.attention).then(|| ModalityAttention::new(parts.branches(), init)),
            classifier: Classifier::new(self.classifier(), d_aggregate, self.branch, init),
            wiring: Wiring {
                clip: parts.clip,
                routing: self.routing(),
                fusion: self.fusion(),
                branch: self.branch,
            },
        }
    }

    fn project(&self, d_input: usize, place: usize, init: &mut Init) -> Projection {
        let widths = [d_input, self.projection_hidden, self.projection];
        Projection::new(widths, Dropout::new(self.dropout, place), init)
    }

    fn ple(&self, init: &mut Init) -> Ple {
        let experts = [self.experts, self.shared_experts()];
        Ple::new(
            self.projection,
            experts,
            self.levels,
            self.trained_experts(),
            init,
        )
    }

    fn map(&self, init: &mut Init) -> Mapping {
        let widths = [self.projection, self.branch, self.branch];
        Mapping::new(widths, Dropout::new(0.0, 0), init)
    }

    /// Without experts the fusion reads CLIP's two vectors, and drops values.
    fn fuse(&self, parts: Parts, sizes: &Sizes, init: &mut Init) -> Mapping {
        let (d_input, dropout) = match (parts.ple, self.fusion()) {
            (true, Fusion::Concat) => (2 * self.projection, 0.0),
            (true, Fusion::Sum) => (self.projection, 0.0),
            (false, _) => (2 * sizes.clip, self.dropout),
        };
        let widths = [d_input, self.fusion_hidden, self.branch];
        Mapping::new(widths, Dropout::new(dropout, 2), init)
    }
}

impl Head for Mmfnd {
    type Config = MmfndConfig;

    const NAME: &'static str = "mmfnd";
    const ABOUT: &'static str =
        "the paper's: experts per modality, similarity weight, attention over the branches";
    const HAS_RESNET_LAYER: bool = true;

    fn resolve(config: &MmfndConfig) -> Result<MmfndConfig, String> {
        Ok(config.resolved())
    }

    fn encoders(config: &MmfndConfig) -> Vec<&'static str> {
        Parts::of(config.ablation).encoders(config.routing())
    }

    fn can_score(config: &MmfndConfig, modalities: Modalities) -> bool {
        Parts::of(config.ablation).can_score(modalities)
    }

    fn needs_both(config: &MmfndConfig) -> Option<&'static str> {
        let swaps = Parts::of(config.ablation).clip && config.routing() == Routing::Released;
        swaps.then_some("with `head.routing = \"released\"` the text's branch reads the picture")
    }

    fn notes(config: &MmfndConfig) -> Vec<String> {
        let note = "`head.pooling = \"released\"`: a prediction depends on the posts that are scored with it";
        let is_released = config.pooling() == Pooling::Released;
        is_released.then(|| note.to_owned()).into_iter().collect()
    }

    fn new(config: &MmfndConfig, sizes: &Sizes, init: &mut Init) -> Self {
        config.init(sizes, init)
    }

    fn with_resnet_layer(mut self, weight: Tensor<2>, bias: Tensor<1>) -> Self {
        if let Some(resnet) = &mut self.resnet {
            resnet.weight = resnet.weight.clone().map(|_| weight.require_grad());
            resnet.bias = (resnet.bias.take()).map(|old| old.map(|_| bias.require_grad()));
        }
        self
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let (mut gates, mut image_gates) = (Vec::new(), Vec::new());
        let text = || self.text(&inputs, noise, &mut gates);
        let image = || self.image(&inputs, noise, &mut image_gates);
        let (text, image, cuts) = fork(&inputs.device(), text, image);
        gates.extend(image_gates);
        let [text_unimodal, cross_text] = text; // f^t  [B, D]
        let [image_unimodal, cross_image] = image; // f^v  [B, D]
        let similarity = inputs.similarity(); // Eq. 3  [B]
        let fused = self.fuse([cross_text, cross_image], &inputs, noise); // f^m  [B, D]
        let cross_modal = self.weigh(fused.clone(), similarity.clone()); // Eq. 6  [B, D]
        let spread = |x, branch, is_part: bool| {
            is_part.then(|| inputs.spread(x, branch, self.wiring.branch))
        };
        let text_unimodal = spread(text_unimodal, Branch::Text, self.text_mapping.is_some());
        let image_unimodal = spread(image_unimodal, Branch::Image, self.image_mapping.is_some());
        let cross_modal = spread(cross_modal, Branch::Cross, self.fusion.is_some());
        let (attention, aggregate) =
            self.aggregate([&text_unimodal, &image_unimodal, &cross_modal], &inputs);
        Output {
            logits: self.classifier.forward(aggregate.clone()), // Eq. 8  [B, C]
            similarity,
            attention,
            text_unimodal,
            image_unimodal,
            fused: spread(fused, Branch::Cross, self.fusion.is_some()),
            cross_modal,
            aggregate,
            cuts,
            gates,
            extras: Vec::new(),
        }
    }
}

impl Mmfnd {
    /// Steps 1 and 3 to 6 of the text: f^t and the cross-modal part.  `[B, D]`
    fn text(
        &self,
        inputs: &Inputs,
        noise: Option<Noise>,
        gates: &mut Vec<GateShares>,
    ) -> [Option<Tensor<2>>; 2] {
        let projected = self.projected_text(inputs, noise);
        let ple = ("text_ple", &self.text_ple);
        branch(ple, &self.text_mapping, projected, gates)
    }

    /// Steps 1, 3 and 4 of the text.  `[B, D]`
    fn projected_text(&self, inputs: &Inputs, noise: Option<Noise>) -> Option<Tensor<2>> {
        let projection = self.text_projection.as_ref();
        let projection = projection.filter(|_| inputs.has(Branch::Text))?;
        let bert = self.layer_pool.as_ref()?.forward(inputs.bert());
        let clip = match self.wiring.routing {
            Routing::Paper => Inputs::clip_text,
            Routing::Released => Inputs::clip_image, // difference 1
        };
        let text = self.with_clip(bert, || clip(inputs)); // t^s of Eq. 1  [B, D]
        Some(projection.forward(text, noise))
    }

    /// Steps 2 to 6 of the picture: f^v and the cross-modal part.  `[B, D]`
    fn image(
        &self,
        inputs: &Inputs,
        noise: Option<Noise>,
        gates: &mut Vec<GateShares>,
    ) -> [Option<Tensor<2>>; 2] {
        let projected = self.projected_image(inputs, noise);
        let ple = ("image_ple", &self.image_ple);
        branch(ple, &self.image_mapping, projected, gates)
    }

    /// Steps 2 to 4 of the picture.  `[B, D]`
    fn projected_image(&self, inputs: &Inputs, noise: Option<Noise>) -> Option<Tensor<2>> {
        let projection = self.image_projection.as_ref();
        let projection = projection.filter(|_| inputs.has(Branch::Image))?;
        let resnet = affine(inputs.resnet(), self.resnet.as_ref()?);
        let clip = match self.wiring.routing {
            Routing::Paper => Inputs::clip_image,
            Routing::Released => Inputs::clip_text, // difference 1
        };
        let image = self.with_clip(resnet, || clip(inputs)); // v^s of Eq. 1  [B, D]
        Some(projection.forward(image, noise))
    }

    fn with_clip(&self, x: Tensor<2>, clip: impl FnOnce() -> Tensor<2>) -> Tensor<2> {
        match self.wiring.clip {
            true => Tensor::cat(vec![x, clip()], 1),
            false => x,
        }
    }

    /// Eq. 6; without a weight the fused feature passes.
    fn weigh(&self, fused: Option<Tensor<2>>, similarity: Option<Tensor<1>>) -> Option<Tensor<2>> {
        let Some(weight) = &self.similarity else {
            return fused;
        };
        Some(fused? * weight.forward(similarity?))
    }

    /// f^m of step 6, of the posts that have both modalities.
    fn fuse(
        &self,
        cross_modal: [Option<Tensor<2>>; 2],
        inputs: &Inputs,
        noise: Option<Noise>,
    ) -> Option<Tensor<2>> {
        let fusion = (self.fusion.as_ref()).filter(|_| inputs.has(Branch::Cross))?;
        let (text, image) = match self.text_ple {
            Some(_) => {
                let [text, image] = cross_modal;
                (text?, image?)
            }
            None => (inputs.clip_text(), inputs.clip_image()),
        };
        let text = inputs.of_both(text, Branch::Text);
        let image = inputs.of_both(image, Branch::Image);
        let both = match (self.wiring.fusion, &self.text_ple) {
            (Fusion::Sum, Some(_)) => text + image, // Eq. 2, difference 5
            _ => Tensor::cat(vec![text, image], 1),
        };
        Some(fusion.forward(both, noise))
    }

    /// Step 8: the attention, if there is one, and what the classifier reads. Where a branch is absent it has no
    /// attention (difference 14).
    fn aggregate(
        &self,
        branches: [&Option<Tensor<2>>; 3],
        inputs: &Inputs,
    ) -> (Option<Tensor<2>>, Tensor<2>) {
        let all = [Branch::Text, Branch::Image, Branch::Cross];
        let parts = branches.into_iter().zip(all);
        let (branches, kinds): (Vec<_>, Vec<_>) = parts
            .filter_map(|(branch, kind)| Some((branch.clone()?, kind)))
            .unzip();
        let Some(attention) = &self.attention else {
            return (None, Tensor::cat(branches, 1));
        };
        let branches = Tensor::stack::<3>(branches, 1); // F  [B, M, D]
        let weights = attention.forward(branches.clone()); // Eq. 7  [B, M]
        let weights = match &inputs.mask {
            Some(mask) => weights * mask.of_branches(&kinds),
            None => weights,
        };
        let weighted = branches * weights.clone().unsqueeze_dim(2);
        (Some(weights), weighted.sum_dim(1).squeeze_dim(1))
    }
}

/// Steps 5 and 6 of one modality; without experts both tasks read the projection. At inference it also says what its
/// gates give to their experts.
fn branch(
    (path, ple): (&str, &Option<Ple>),
    mapping: &Option<Mapping>,
    x: Option<Tensor<2>>,
    gates: &mut Vec<GateShares>,
) -> [Option<Tensor<2>>; 2] {
    let Some(x) = x else {
        return [None, None];
    };
    let (unimodal, cross_modal) = match ple {
        Some(ple) if x.is_autodiff() => ple.forward(x),
        Some(ple) => ple.forward_with_gates(x, path, gates),
        None => (x.clone(), x),
    };
    let unimodal = mapping
        .as_ref()
        .map(|mapping| mapping.forward(unimodal, None));
    [unimodal, Some(cross_modal)]
}
