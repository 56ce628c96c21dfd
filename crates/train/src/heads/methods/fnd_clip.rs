//! FND-CLIP: CLIP's similarity scales what is seen across the modalities, attention weighs the branches. Zhou et al.,
//! *Multimodal Fake News Detection via CLIP-Guided Learning*,
//! ICME 2023.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use strum::VariantNames;

use crate::heads::graph::affine;
use crate::heads::modality_mask::Branch;
use crate::heads::{
    Classifier, ClassifierKind, Dropout, Head, Init, Inputs, LayerPool, Modalities,
    ModalityAttention, Noise, Output, Pooling, Projection, SimilarityKind, SimilarityWeight, Sizes,
    Training, Variant,
};
use crate::options::options;

options! {
    /// Configuration of [`FndClip`].
    pub struct FndClipConfig in "head" {
        /// as released the similarity is an affine map, and layers are weighed by the batch (20)
        variant: Variant = Variant::Paper, words Variant::VARIANTS;
        /// hidden width of the branches
        hidden: usize = 256, range 1..=8192;
        /// width of the branches and of the classifier
        branch: usize = 64, range 1..=8192;
        /// share of values that the branches drop while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct FndClip {
    layer_pool: LayerPool,
    resnet: Linear,
    text: Projection,
    image: Projection,
    fusion: Projection,
    similarity: SimilarityWeight,
    attention: ModalityAttention,
    classifier: Classifier,
    #[module(skip)]
    branch: usize,
}

impl Head for FndClip {
    type Config = FndClipConfig;

    const NAME: &'static str = "fnd-clip";
    const ABOUT: &'static str = "FND-CLIP (ICME 2023): CLIP's similarity scales the cross-modal branch, attention weighs all";
    const HAS_RESNET_LAYER: bool = true;

    fn encoders(_config: &FndClipConfig) -> Vec<&'static str> {
        vec!["bert", "clip_text", "clip_image", "resnet"]
    }

    fn can_score(_config: &FndClipConfig, modalities: Modalities) -> bool {
        modalities.text || modalities.image
    }

    fn notes(config: &FndClipConfig) -> Vec<String> {
        let note = "`head.variant = \"released\"`: a prediction depends on the posts that are scored with it";
        let is_released = config.variant == Variant::Released;
        is_released.then(|| note.to_owned()).into_iter().collect()
    }

    fn training(_config: &FndClipConfig) -> Training {
        Training::adam(1e-3, 64, 100)
    }

    fn new(config: &FndClipConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let (pooling, similarity) = match config.variant {
            Variant::Paper => (Pooling::Softmax, SimilarityKind::Running),
            Variant::Released => (Pooling::Released, SimilarityKind::Learned),
        };
        let project = |d_input, place, init: &mut Init| {
            let dropout = Dropout::new(config.dropout, place);
            Projection::new([d_input, config.hidden, config.branch], dropout, init)
        };
        Self {
            layer_pool: LayerPool::new(pooling, sizes.layers, sizes.bert, init),
            resnet: init.linear(sizes.resnet, sizes.resnet_classes),
            text: project(sizes.bert + sizes.clip, 0, init),
            image: project(sizes.resnet_classes + sizes.clip, 1, init),
            fusion: project(2 * sizes.clip, 2, init),
            similarity: SimilarityWeight::new(similarity, init),
            attention: ModalityAttention::new(3, init),
            classifier: Classifier::new(
                ClassifierKind::Released,
                config.branch,
                config.branch,
                init,
            ),
            branch: config.branch,
        }
    }

    fn with_resnet_layer(mut self, weight: Tensor<2>, bias: Tensor<1>) -> Self {
        let resnet = &mut self.resnet;
        resnet.weight = resnet.weight.clone().map(|_| weight.require_grad());
        resnet.bias = (resnet.bias.take()).map(|old| old.map(|_| bias.require_grad()));
        self
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let similarity = inputs.similarity();
        let all = [Branch::Text, Branch::Image, Branch::Cross];
        let parts = [
            self.text(&inputs, noise),
            self.image(&inputs, noise),
            self.cross(&inputs, similarity.clone(), noise),
        ];
        let parts = parts.into_iter().zip(all);
        let parts = parts.map(|(part, branch)| inputs.spread(part, branch, self.branch));
        let branches = Tensor::stack::<3>(parts.collect(), 1); // [B, M, D]
        let weights = self.attention.forward(branches.clone());
        let weights = match &inputs.mask {
            Some(mask) => weights * mask.of_branches(&all),
            None => weights,
        };
        let weighted = branches * weights.clone().unsqueeze_dim(2);
        let aggregate: Tensor<2> = weighted.sum_dim(1).squeeze_dim(1);
        Output {
            similarity,
            attention: Some(weights),
            ..Output::plain(self.classifier.forward(aggregate), Vec::new())
        }
    }
}

impl FndClip {
    /// f^t.  `[B, D]`
    fn text(&self, inputs: &Inputs, noise: Option<Noise>) -> Option<Tensor<2>> {
        inputs.has(Branch::Text).then(|| {
            let bert = self.layer_pool.forward(inputs.bert());
            let text = Tensor::cat(vec![bert, inputs.clip_text()], 1);
            self.text.forward(text, noise)
        })
    }

    /// f^v.  `[B, D]`
    fn image(&self, inputs: &Inputs, noise: Option<Noise>) -> Option<Tensor<2>> {
        inputs.has(Branch::Image).then(|| {
            let resnet = affine(inputs.resnet(), &self.resnet);
            let image = Tensor::cat(vec![resnet, inputs.clip_image()], 1);
            self.image.forward(image, noise)
        })
    }

    /// f^m, scaled, of the posts that have both.  `[B, D]`
    fn cross(
        &self,
        inputs: &Inputs,
        similarity: Option<Tensor<1>>,
        noise: Option<Noise>,
    ) -> Option<Tensor<2>> {
        let similarity = similarity?;
        let text = inputs.of_both(inputs.clip_text(), Branch::Text);
        let image = inputs.of_both(inputs.clip_image(), Branch::Image);
        let fused = self
            .fusion
            .forward(Tensor::cat(vec![text, image], 1), noise);
        Some(fused * self.similarity.forward(similarity))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{POSTS, SIZES, init, inputs, normals};
    use crate::weights::{gradients, load, named};
    use burn::tensor::Device;

    #[test]
    fn as_released_a_branch_of_unlike_text_and_picture_learns_nothing() {
        let device = Device::flex().autodiff();
        let config = FndClipConfig {
            variant: Variant::Released,
            dropout: 0.0,
            hidden: 6,
            branch: 4,
        };
        let head = FndClip::new(&config, &SIZES, &mut init(&device));
        let mut weights = named(&head);
        weights.get_mut("similarity.weight").unwrap().values[0] = 1.0;
        weights.get_mut("similarity.bias").unwrap().values[0] = 0.0;
        let head = load(head, &weights).unwrap();
        // text and picture at right angles: each has its own half of the numbers
        let (half, zero) = (
            SIZES.clip / 2,
            Tensor::zeros([POSTS, SIZES.clip / 2], &device),
        );
        let side = |place| normals(place, [POSTS, half], &device);
        let inputs = Inputs {
            clip_text: Some(Tensor::cat(vec![side(8), zero.clone()], 1)),
            clip_image: Some(Tensor::cat(vec![zero, side(9)], 1)),
            ..inputs(&device)
        };
        let logits = head.forward(inputs, Some(Noise::new(1, 1))).logits;
        let found = gradients(&head, &[logits.square().sum().backward()]);
        let (of_fusion, others): (Vec<_>, Vec<_>) =
            (found.into_iter()).partition(|(name, _)| name.starts_with("fusion"));
        assert!(
            of_fusion
                .iter()
                .all(|(_, weight)| weight.values.iter().all(|&g| g == 0.0))
        );
        assert!(of_fusion.len() == 8 && others.len() > 10);
        let of_text = others
            .iter()
            .find(|(name, _)| name == "text.linear2.weight");
        assert!(of_text.unwrap().1.values.iter().any(|&g| g != 0.0));
    }
}
