//! Step 1: one vector per post from the `[CLS]` states of all layers of BERT.
//!
//! Difference 4: the paper says "attention-based post-processing"; the released code sums over the batch, so that
//! predictions depend on batch mates.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::init::Init;

/// 4: what becomes of BERT's layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Pooling {
    /// A weight a layer, the same for all posts.
    Softmax,
    /// Attention by a learned query, post by post.
    Query,
    /// The last layer.
    Last,
    /// As released: a post's vector depends on the other posts of the batch.
    Released,
}

/// Weighs the layers.
#[derive(Module, Debug)]
pub struct LayerPool {
    weight: Option<Param<Tensor<1>>>,
    query: Option<Param<Tensor<1>>>,
    #[module(skip)]
    pooling: Pooling,
}

impl LayerPool {
    /// For `layers` states of `d` features.
    pub fn new(pooling: Pooling, layers: usize, d: usize, init: &mut Init) -> Self {
        let weight = match pooling {
            Pooling::Softmax => Some(init.constant([layers], 0.0)),
            Pooling::Released => Some(init.uniform([layers], 0.0, 1.0)),
            Pooling::Query | Pooling::Last => None,
        };
        let query = matches!(pooling, Pooling::Query).then(|| init.constant([d], 0.0));
        Self {
            weight,
            query,
            pooling,
        }
    }

    /// # Shapes
    /// - `layers`: `[B, L, D]`
    /// - output: `[B, D]`
    pub fn forward(&self, layers: Tensor<3>) -> Tensor<2> {
        let [b, l, _] = layers.dims();
        if self.pooling == Pooling::Last {
            return layers.narrow(1, l - 1, 1).squeeze_dim(1);
        }
        let weight = match self.pooling {
            Pooling::Query => softmax(self.scores(layers.clone()), 1), // [B, L]
            _ => softmax(self.logits(layers.clone()), 0).unsqueeze(),  // [1, L]
        };
        let rows = weight.dims()[0];
        let weight = weight.reshape([rows, 1, l]).expand([b, 1, l]);
        weight.matmul(layers).squeeze_dim(1)
    }

    /// How well each layer of each post answers the query, scaled as in dot-product attention.
    fn scores(&self, layers: Tensor<3>) -> Tensor<2> {
        let [b, _, d] = layers.dims();
        let query = self.query.as_ref().expect("made with pooling `query`");
        let query = query.val().reshape([1, d, 1]).expand([b, d, 1]);
        layers.matmul(query).squeeze_dim::<2>(2) / (d as f64).sqrt()
    }

    /// One number a layer.
    fn logits(&self, layers: Tensor<3>) -> Tensor<1> {
        let weight = self.weight.as_ref().expect("made with a weight a layer");
        match self.pooling {
            Pooling::Released => weight.val() * layers.sum_dim(2).sum_dim(0).reshape([-1]),
            _ => weight.val(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn pooled(pooling: Pooling) -> Vec<f32> {
        let device = Device::flex();
        let pool = LayerPool::new(pooling, 2, 2, &mut Init::new(0, &device));
        let layers = Tensor::<3>::from_floats([[[1.0, 2.0], [3.0, 4.0]]], &device);
        pool.forward(layers).into_data().try_into_vec().unwrap()
    }

    #[test]
    fn weights_start_as_the_mean_of_the_layers() {
        assert_eq!(pooled(Pooling::Softmax), [2.0, 3.0]);
        assert_eq!(pooled(Pooling::Query), [2.0, 3.0]);
    }

    #[test]
    fn last_is_the_last_layer() {
        assert_eq!(pooled(Pooling::Last), [3.0, 4.0]);
    }
}
