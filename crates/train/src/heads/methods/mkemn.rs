//! MKEMN without its knowledge graph: a memory of traits that events share. Zhang et al., *Multi-modal Knowledge-aware
//! Event Memory Network for Social Media Rumor Detection*, MM 2019.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softmax};

use super::pair::Pair;
use crate::heads::graph::affine;
use crate::heads::{
    Conv, Dropout, Gru, Head, Init, Inputs, Modalities, Noise, Output, Sizes, Training,
};
use crate::options::options;

/// Tokens in a window, one convolution each.
const WINDOWS: [usize; 3] = [1, 2, 3];

options! {
    /// Configuration of [`Mkemn`].
    pub struct MkemnConfig in "head" {
        /// width of the recurrent unit, each way
        gru: usize = 64, range 1..=4096;
        /// width of the picture beside each token
        image: usize = 128, range 1..=8192;
        /// outputs of each convolution
        filters: usize = 64, range 1..=8192;
        /// width of a post and of the memory
        width: usize = 128, range 1..=8192;
        /// slots of the memory
        slots: usize = 32, range 1..=8192;
        /// hidden width of the classifier
        hidden: usize = 64, range 1..=8192;
        /// share of values that are dropped while training
        dropout: f64 = 0.5, range 0.0..=0.95;
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mkemn {
    gru: Gru,
    image: Linear,
    conv1: Conv,
    conv2: Conv,
    conv3: Conv,
    post: Linear,
    /// A column a slot.  `[D, slots]`
    memory: Param<Tensor<2>>,
    classifier: Pair,
    dropout: Dropout,
}

impl Head for Mkemn {
    type Config = MkemnConfig;

    const NAME: &'static str = "mkemn";
    const ABOUT: &'static str =
        "MKEMN (MM 2019), without its knowledge graph: a memory of traits that events share";

    fn encoders(_config: &MkemnConfig) -> Vec<&'static str> {
        vec!["tokens", "resnet"]
    }

    fn can_score(_config: &MkemnConfig, modalities: Modalities) -> bool {
        modalities == Modalities::BOTH
    }

    fn needs_both(_config: &MkemnConfig) -> Option<&'static str> {
        Some("head `mkemn` has the picture beside each token of every post")
    }

    fn training(_config: &MkemnConfig) -> Training {
        Training::adam(1e-4, 64, 100)
    }

    fn new(config: &MkemnConfig, sizes: &Sizes, init: &mut Init) -> Self {
        let token = 2 * config.gru + config.image;
        let (filters, width) = (config.filters, config.width);
        let [conv1, conv2, conv3] = WINDOWS.map(|window| Conv::new(window, token, filters, init));
        let bound = 1.0 / (width as f32).sqrt();
        Self {
            gru: Gru::new(sizes.tokens, config.gru, init),
            image: init.linear(sizes.resnet, config.image),
            conv1,
            conv2,
            conv3,
            post: init.linear(WINDOWS.len() * filters, width),
            memory: init.uniform([width, config.slots], -bound, bound),
            classifier: Pair::new([2 * width, config.hidden, 2], init),
            dropout: Dropout::new(config.dropout, 0),
        }
    }

    fn forward(&self, inputs: Inputs, noise: Option<Noise>) -> Output {
        let states = self.gru.forward(&inputs.tokens());
        let image = states.spread(affine(inputs.resnet(), &self.image));
        let tokens = states.with(Tensor::cat(vec![states.rows.clone(), image], 1));
        let convolutions = [&self.conv1, &self.conv2, &self.conv3];
        let windows = convolutions.map(|conv| relu(conv.largest(&tokens)));
        let post = affine(Tensor::cat(windows.to_vec(), 1), &self.post).tanh();
        let remembered = self.remember(post.clone());
        let drop = |x| self.dropout.forward(relu(x), noise);
        let both = Tensor::cat(vec![post, remembered], 1);
        Output::plain(self.classifier.with(both, drop), Vec::new())
    }
}

impl Mkemn {
    /// o: the slots, each as it is like the post.  `[B, D]`
    fn remember(&self, post: Tensor<2>) -> Tensor<2> {
        let memory = self.memory.val();
        let scale = (memory.dims()[0] as f64).sqrt();
        let weights = softmax(post.matmul(memory.clone()) / scale, 1);
        weights.matmul(memory.transpose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::methods::made_up::{SIZES, init, inputs, normals, numbers};
    use crate::heads::sequences::indices;
    use burn::tensor::Device;

    fn head(slots: usize, device: &Device) -> Mkemn {
        let config = MkemnConfig {
            slots,
            width: 6,
            gru: 3,
            ..MkemnConfig::default()
        };
        Mkemn::new(&config, &SIZES, &mut init(device))
    }

    #[test]
    fn the_order_of_the_slots_counts_nothing() {
        let device = Device::flex();
        let mut head = head(4, &device);
        let logits = |head: &Mkemn| head.forward(inputs(&device), None).logits;
        let before = logits(&head);
        let other = indices([2, 0, 3, 1].into_iter(), &device);
        head.memory = head.memory.map(|memory| memory.select(1, other));
        let difference = numbers((logits(&head) - before).abs().max())[0];
        assert!(difference < 1e-6, "{difference}");
    }

    #[test]
    fn of_one_slot_every_post_is_reminded_alike() {
        let device = Device::flex();
        let posts = normals(0, [3, 6], &device);
        let one = numbers(head(1, &device).remember(posts.clone()));
        assert!(one.chunks(6).all(|row| row == &one[..6]), "{one:?}");
        let two = numbers(head(2, &device).remember(posts));
        assert!(two.chunks(6).any(|row| row != &two[..6]), "{two:?}");
    }
}
