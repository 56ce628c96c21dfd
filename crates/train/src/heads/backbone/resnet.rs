//! ResNet as torchvision has it, trained from some layer on (He et al. 2016, <https://arxiv.org/abs/1512.03385>).
//!
//! NOTE: the stride of a bottleneck stands in its 3 × 3 convolution, not in its first 1 × 1 ("ResNet V1.5"), as in
//! torchvision. Maps have their channels side by side, `[N, H, W, C]`; weights have torchvision's names and layout.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::super::graph::{Window, channel_affine, convolution, max_pool};
use super::super::layers::{BatchNorm, Init};
use super::resnet_config::{BlockKind, Norms, Reads, ResnetConfig, Trained};

impl ResnetConfig {
    /// First values, as torchvision draws them; `trained` says from which layer on weights are trained, and so which
    /// there are.
    pub fn init(&self, trained: Trained, norms: Norms, init: &mut Init) -> Resnet {
        let [size, stride, padding] = self.stem;
        let window = Window {
            size,
            stride,
            padding,
        };
        let is_whole = trained.reads() == Reads::Pixels;
        let mut layer = |number| match is_whole || number == 4 {
            true => self.layer(number, init),
            false => Vec::new(),
        };
        let (layer1, layer2, layer3, layer4) = (layer(1), layer(2), layer(3), layer(4));
        let resnet = Resnet {
            conv1: is_whole.then(|| Convolution::new(3, self.widths[0], window, init)),
            bn1: is_whole.then(|| BatchNorm::new(self.widths[0], init)),
            layer1,
            layer2,
            layer3,
            layer4,
            has_pool: self.has_pool,
            first_trained: trained.first_layer(),
            norms_train: norms == Norms::Train,
        };
        resnet.frozen_below()
    }

    /// The blocks of a layer.
    fn layer(&self, layer: usize, init: &mut Init) -> Vec<Block> {
        let block = |index| {
            let first = index == 0;
            let d_input = if first {
                self.d_output(layer - 1)
            } else {
                self.d_output(layer)
            };
            let stride = if first { self.strides[layer - 1] } else { 1 };
            Block::new(self.block, [d_input, self.widths[layer]], stride, init)
        };
        (0..self.blocks[layer - 1]).map(block).collect()
    }
}

/// A convolution without bias.
#[derive(Module, Debug)]
pub struct Convolution {
    /// `[C_output, C_input, size, size]`
    weight: Param<Tensor<4>>,
    stride: usize,
    padding: usize,
}

impl Convolution {
    /// torchvision's first values: He's normal, by the outputs.
    fn new(d_input: usize, d_output: usize, window: Window, init: &mut Init) -> Self {
        let Window {
            size,
            stride,
            padding,
        } = window;
        let deviation = (2.0 / (d_output * size * size) as f32).sqrt();
        let weight = init.normal([d_output, d_input, size, size], deviation);
        Self {
            weight,
            stride,
            padding,
        }
    }

    /// # Shapes
    /// - `x`: `[N, H, W, C_input]`
    /// - output: `[N, H', W', C_output]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let size = weight.dims()[2];
        let weight = if x.is_autodiff() {
            weight
        } else {
            weight.without_autodiff()
        };
        let window = Window {
            size,
            stride: self.stride,
            padding: self.padding,
        };
        convolution(x, weight, window)
    }
}

/// Convolutions beside a shortcut.
#[derive(Module, Debug)]
pub struct Block {
    conv1: Convolution,
    bn1: BatchNorm,
    conv2: Convolution,
    bn2: BatchNorm,
    conv3: Option<Convolution>,
    bn3: Option<BatchNorm>,
    /// The shortcut, where sizes change.
    downsample: Option<(Convolution, BatchNorm)>,
}

impl Block {
    fn new(kind: BlockKind, [d_input, width]: [usize; 2], stride: usize, init: &mut Init) -> Self {
        let point = |stride| Window {
            size: 1,
            stride,
            padding: 0,
        };
        let three = |stride| Window {
            size: 3,
            stride,
            padding: 1,
        };
        let (first, second, d_output) = match kind {
            BlockKind::Basic => (three(stride), three(1), width),
            BlockKind::Bottleneck => (point(1), three(stride), 4 * width),
        };
        let is_bottleneck = kind == BlockKind::Bottleneck;
        let conv1 = Convolution::new(d_input, width, first, init);
        let conv2 = Convolution::new(width, width, second, init);
        let conv3 = is_bottleneck.then(|| Convolution::new(width, d_output, point(1), init));
        let downsample = (stride != 1 || d_input != d_output).then(|| {
            let shortcut = Convolution::new(d_input, d_output, point(stride), init);
            (shortcut, BatchNorm::new(d_output, init))
        });
        Self {
            conv1,
            bn1: BatchNorm::new(width, init),
            conv2,
            bn2: BatchNorm::new(width, init),
            conv3,
            bn3: is_bottleneck.then(|| BatchNorm::new(d_output, init)),
            downsample,
        }
    }

    fn with_frozen_norms(self) -> Self {
        Self {
            bn1: self.bn1.no_grad(),
            bn2: self.bn2.no_grad(),
            bn3: self.bn3.map(Module::no_grad),
            downsample: self
                .downsample
                .map(|(convolution, norm)| (convolution, norm.no_grad())),
            ..self
        }
    }

    /// # Shapes
    /// - `x`: `[N, H, W, C_input]`
    /// - output: `[N, H', W', C_output]`
    fn forward(&self, x: Tensor<4>, norms_train: bool) -> Tensor<4> {
        let norm = |norm: &BatchNorm, x, then| normalise(norm, x, then, norms_train);
        let shortcut = match &self.downsample {
            Some((convolution, of)) => norm(of, convolution.forward(x.clone()), Then::Nothing),
            None => x.clone(),
        };
        let y = norm(&self.bn1, self.conv1.forward(x), Then::Relu);
        let y = self.conv2.forward(y);
        let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) else {
            return norm(&self.bn2, y, Then::AddRelu(shortcut));
        };
        let y = norm(&self.bn2, y, Then::Relu);
        norm(bn3, conv3.forward(y), Then::AddRelu(shortcut))
    }
}

/// What follows a batch norm.
#[allow(clippy::large_enum_variant, reason = "one lives for a call")]
enum Then {
    Nothing,
    Relu,
    AddRelu(Tensor<4>),
}

/// A batch norm and what follows it; by its running statistics unless it is trained.
fn normalise(norm: &BatchNorm, x: Tensor<4>, then: Then, trains: bool) -> Tensor<4> {
    let (residual, is_relu) = match then {
        Then::Nothing => (None, false),
        Then::Relu => (None, true),
        Then::AddRelu(residual) => (Some(residual), true),
    };
    if !(trains && x.is_autodiff()) {
        return channel_affine(x, norm.affine(), residual, is_relu);
    }
    let shape = x.dims();
    let y = norm
        .forward(x.reshape([-1, shape[3] as i32]))
        .reshape(shape);
    let y = match residual {
        Some(residual) => y + residual,
        None => y,
    };
    if is_relu { relu(y) } else { y }
}

/// A ResNet without its classification layer, or the fourth layer of one.
#[derive(Module, Debug)]
pub struct Resnet {
    conv1: Option<Convolution>,
    bn1: Option<BatchNorm>,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    has_pool: bool,
    first_trained: usize,
    norms_train: bool,
}

impl Resnet {
    /// Pooled features of pixels, or of maps where it has but the fourth layer.
    ///
    /// # Shapes
    /// - `x`: `[N, H, W, 3]`, or `[N, H, W, C]`
    /// - output: `[N, D]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let (Some(conv1), Some(bn1)) = (&self.conv1, &self.bn1) else {
            return self.layers(x, 4);
        };
        let x = self.entering(x, 0);
        let x = normalise(bn1, conv1.forward(x), Then::Relu, self.trains_norms(0));
        let x = if self.has_pool { max_pool(x) } else { x };
        self.layers(x, 1)
    }

    /// The layers from one on, and the mean of each channel.
    fn layers(&self, mut x: Tensor<4>, first: usize) -> Tensor<2> {
        let layers = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        for (index, layer) in (1..).zip(layers).skip(first - 1) {
            x = self.entering(x, index);
            for block in layer {
                x = block.forward(x, self.trains_norms(index));
            }
        }
        let [pictures, height, width, channels] = x.dims();
        let places = x.reshape([pictures, height * width, channels]);
        places.mean_dim(1).squeeze_dim(1)
    }

    /// What a layer reads: on the autodiff device from the first trained layer on, so that nothing is kept before it.
    fn entering(&self, x: Tensor<4>, layer: usize) -> Tensor<4> {
        if layer == self.first_trained && self.is_training() {
            return if x.is_autodiff() { x } else { x.autodiff() };
        }
        match layer < self.first_trained && x.is_autodiff() {
            true => x.without_autodiff(),
            false => x,
        }
    }

    /// With no gradients where nothing is trained: below the first trained layer, and in norms that are frozen.
    fn frozen_below(mut self) -> Self {
        let (first, frozen_norms) = (self.first_trained, !self.norms_train);
        if first > 0 {
            self.conv1 = self.conv1.map(Module::no_grad);
        }
        if first > 0 || frozen_norms {
            self.bn1 = self.bn1.map(Module::no_grad);
        }
        let layers = [
            &mut self.layer1,
            &mut self.layer2,
            &mut self.layer3,
            &mut self.layer4,
        ];
        for (index, layer) in (1..).zip(layers) {
            let blocks = std::mem::take(layer).into_iter();
            *layer = match (index < first, frozen_norms) {
                (true, _) => blocks.map(Module::no_grad).collect(),
                (false, true) => blocks.map(Block::with_frozen_norms).collect(),
                (false, false) => blocks.collect(),
            };
        }
        self
    }

    /// Whether its weights lie on an autodiff device.
    fn is_training(&self) -> bool {
        let last = self.layer4.last();
        last.is_some_and(|block| block.conv1.weight.val().is_autodiff())
    }

    fn trains_norms(&self, layer: usize) -> bool {
        self.norms_train && layer >= self.first_trained
    }
}
