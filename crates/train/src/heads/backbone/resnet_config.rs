//! What a ResNet is like, which of its layers are trained, and what that takes.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

/// Which convolutions a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two of 3 × 3.
    Basic,
    /// 1 × 1, 3 × 3, 1 × 1, the last with four times the channels.
    Bottleneck,
}

/// Sizes of a ResNet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResnetConfig {
    /// Which convolutions a block has.
    pub block: BlockKind,
    /// Blocks of each layer.
    pub blocks: [usize; 4],
    /// Channels of the first convolution, then of each layer's inner convolutions.
    pub widths: [usize; 5],
    /// Stride of each layer's first block.
    pub strides: [usize; 4],
    /// Size, stride and padding of the first convolution.
    pub stem: [usize; 3],
    /// Whether a max pool of 3 × 3, stride 2 follows it.
    pub has_pool: bool,
}

/// What the shapes of weights do not say: strides, the stem's size, stride and padding, and whether a pool follows it.
/// torchvision's by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    stem: [usize; 3],
    pool: bool,
    strides: [usize; 4],
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            stem: [7, 2, 3],
            pool: true,
            strides: [1, 2, 2, 2],
        }
    }
}

impl ResnetConfig {
    /// torchvision's `resnet18`, `34`, `50`, `101` or `152`.
    pub fn of_depth(depth: usize) -> Option<Self> {
        let (block, blocks) = match depth {
            18 => (BlockKind::Basic, [2, 2, 2, 2]),
            34 => (BlockKind::Basic, [3, 4, 6, 3]),
            50 => (BlockKind::Bottleneck, [3, 4, 6, 3]),
            101 => (BlockKind::Bottleneck, [3, 4, 23, 3]),
            152 => (BlockKind::Bottleneck, [3, 8, 36, 3]),
            _ => return None,
        };
        Some(Self {
            block,
            blocks,
            widths: [64, 64, 128, 256, 512],
            strides: [1, 2, 2, 2],
            stem: [7, 2, 3],
            has_pool: true,
        })
    }

    /// Of weights under torchvision's names, by their shapes; `layout` says what shapes do not, where it is not
    /// torchvision's. `Err` names a weight that is missing or of no such network.
    pub fn of_weights<'a>(
        shape: impl Fn(&str) -> Option<&'a [usize]>,
        layout: Option<&Layout>,
    ) -> Result<Self, String> {
        let of = |name: &str| match shape(name) {
            Some(shape @ &[_, _, _, _]) => Ok(shape),
            _ => Err(name.to_owned()),
        };
        let is_there = |name: &str| shape(name).is_some();
        let block = match is_there("layer1.0.conv3.weight") {
            true => BlockKind::Bottleneck,
            false => BlockKind::Basic,
        };
        let (mut blocks, mut widths) = ([0; 4], [of("conv1.weight")?[0]; 5]);
        for layer in 1..=4 {
            let name = |block: usize| format!("layer{layer}.{block}.conv1.weight");
            widths[layer] = of(&name(0))?[0];
            blocks[layer - 1] = (0..).take_while(|&block| is_there(&name(block))).count();
        }
        let layout = layout.copied().unwrap_or_default();
        let size = of("conv1.weight")?[2];
        match size == layout.stem[0] {
            true => Ok(Self {
                block,
                blocks,
                widths,
                strides: layout.strides,
                stem: layout.stem,
                has_pool: layout.pool,
            }),
            false => Err("conv1.weight".to_owned()),
        }
    }

    /// Numbers that a step keeps for one picture until it is differentiated, where the layers from `first` on are
    /// trained on maps or pixels of these sides: of each convolution what it reads, and what its norm makes of it.
    pub fn kept_numbers(&self, first: usize, [mut height, mut width]: [usize; 2]) -> usize {
        let mut shrink = |stride: usize| {
            (height, width) = (height.div_ceil(stride), width.div_ceil(stride));
            height * width
        };
        let mut places = shrink(1);
        let mut kept = 0;
        if first < 4 {
            let stride = self.stem[1] * if self.has_pool { 2 } else { 1 };
            places = shrink(stride);
            let inside = if self.has_pool { 4 } else { 1 }; // before the pool
            kept += usize::from(first == 0) * 3 * inside * places * self.widths[0];
        }
        let layers = if first < 4 { 1..=4 } else { 4..=4 };
        for layer in layers {
            let before = places;
            places = shrink(self.strides[layer - 1]);
            let (inner, outer) = (self.widths[layer], self.d_output(layer));
            let block = match self.block {
                BlockKind::Basic => 4 * places * inner,
                BlockKind::Bottleneck => 4 * places * inner + 2 * places * outer,
            };
            let entry = 2 * before * inner + 2 * places * outer; // larger sides, and the shortcut
            if layer >= first {
                kept += self.blocks[layer - 1] * block + entry;
            }
        }
        kept
    }

    /// Channels that a layer gives, from 1 to 4; 0 is the stem.
    pub fn d_output(&self, layer: usize) -> usize {
        match (layer, self.block) {
            (0, _) | (_, BlockKind::Basic) => self.widths[layer],
            (_, BlockKind::Bottleneck) => 4 * self.widths[layer],
        }
    }
}

/// From where on a ResNet is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// Its fourth layer.
    Layer4,
    /// Its third and fourth layer.
    Layer3,
    /// All of it.
    All,
}

/// What a ResNet is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Pixels, `[N, H, W, 3]`.
    Pixels,
    /// What its third layer gave, `[N, H, W, C]`.
    Map,
}

impl Trained {
    /// What is read: of the layers before the trained ones only the third one's map is worth keeping.
    pub fn reads(self) -> Reads {
        match self {
            Self::Layer4 => Reads::Map,
            Self::Layer3 | Self::All => Reads::Pixels,
        }
    }

    /// Whether a network of which these are trained has this weight; the classification layer `fc` is the head's.
    pub fn has(self, name: &str) -> bool {
        match self.reads() {
            Reads::Pixels => !name.starts_with("fc."),
            Reads::Map => name.starts_with("layer4."),
        }
    }

    /// The first layer that is trained; 0 is the stem.
    pub fn first_layer(self) -> usize {
        match self {
            Self::Layer4 => 4,
            Self::Layer3 => 3,
            Self::All => 0,
        }
    }
}

/// What batch norms do while they are trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Norms {
    /// They normalise by their running statistics, and nothing of them changes.
    #[default]
    Frozen,
    /// They normalise by the batch, as the authors' do; scale and shift are trained.
    Train,
}
