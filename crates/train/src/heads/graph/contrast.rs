//! How far queries are told from what is remembered of other posts.
//!
//! 64 posts that are compared with 1,500 others each read 96,000 rows of a bank: nothing is copied of them, and a row's
//! part in the derivative is added up where its product was formed, while it is in the cache.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::flex::{Plain, is_flex, plain, tensor, tracked, values};
use super::lanes::total;

/// What each query is compared with.
pub(crate) struct Compared<'a> {
    /// All rows, one after the other, each as long as a query.
    pub bank: &'a [f32],
    /// Numbers of rows for each query: first its own, then as many others everywhere.
    pub rows: &'a [Vec<usize>],
    /// τ
    pub temperature: f32,
}

/// What scores e^(q·Q/τ) become probabilities with, and what they are told from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Against {
    /// Z
    pub scale: f32,
    /// κ
    pub kappa: f32,
}

impl Compared<'_> {
    /// The mean of all scores.
    pub fn mean_score(&self, query: Tensor<2>) -> f32 {
        if !is_flex(&query.device()) {
            return self.scores(query).mean().into_scalar();
        }
        let query = plain(if query.is_autodiff() {
            query.inner()
        } else {
            query
        });
        let width = query.shape()[1];
        let queries = values(&query).par_chunks_exact(width).zip(self.rows);
        let of_query = |(query, rows): (&[f32], &Vec<usize>)| -> f64 {
            let score = |&row: &usize| f64::from(dot(query, self.row(row, width)));
            let scores = rows.iter().map(score);
            scores
                .map(|dot| (dot / f64::from(self.temperature)).exp())
                .sum()
        };
        let sums: Vec<_> = queries.map(of_query).collect(); // added up in order
        let count = self.rows.iter().map(Vec::len).sum::<usize>();
        (sums.iter().sum::<f64>() / count as f64) as f32
    }

    /// The mean over queries of −log(P₀/(P₀ + κ)) − Σ_j log(κ/(P_j + κ)), P a score over Z.
    ///
    /// # Shapes
    /// - `query`: `[B, D]`
    /// - output: `[1]`
    pub fn contrast(&self, query: Tensor<2>, against: Against) -> Tensor<1> {
        if !is_flex(&query.device()) {
            return self.by_burn(query, against);
        }
        if !query.is_autodiff() {
            return Tensor::from_primitive::<Flex>(self.loss(&plain(query), against).1);
        }
        let (query, node) = tracked(query);
        let (gradient, loss) = self.loss(&query, against);
        let prepared = Step.prepare::<NoCheckpointing>([node]).compute_bound();
        let loss = match prepared.stateful() {
            OpsKind::Tracked(step) => step.finish(gradient, loss),
            OpsKind::UnTracked(step) => step.finish(loss),
        };
        Tensor::from_primitive::<Autodiff<Flex>>(loss)
    }

    /// e^(q·Q/τ).  `[B, 1 + others]`
    fn scores(&self, query: Tensor<2>) -> Tensor<2> {
        let [posts, width] = query.dims();
        let rows = self.rows.iter().flatten();
        let rows = rows.flat_map(|&row| self.row(row, width).iter().copied());
        let shape = [posts, self.rows[0].len(), width];
        let data = TensorData::new(rows.collect::<Vec<_>>(), shape);
        let bank = Tensor::<3>::from_data(data, &query.device());
        let products: Tensor<2> = bank.matmul(query.unsqueeze_dim::<3>(2)).squeeze_dim(2);
        (products / self.temperature).exp()
    }

    fn by_burn(&self, query: Tensor<2>, Against { scale, kappa }: Against) -> Tensor<1> {
        let p = self.scores(query) / scale;
        let [posts, compared] = p.dims();
        let own = p.clone().narrow(1, 0, 1);
        let own = (own.clone() / (own + kappa)).log().sum();
        let others = p.narrow(1, 1, compared - 1);
        let others = ((others + kappa).recip() * kappa).log().sum();
        (own + others).neg() / posts as f64
    }

    /// The gradient of the query, and the loss.
    fn loss(&self, query: &Plain, against: Against) -> (Plain, Plain) {
        let [posts, width] = query.shape().dims();
        let mut gradient = vec![0.0; posts * width];
        let queries = (gradient.par_chunks_exact_mut(width))
            .zip(values(query).par_chunks_exact(width))
            .zip(self.rows);
        let of_query = |((gradient, query), rows): ((&mut [f32], &[f32]), &Vec<usize>)| {
            let loss = self.of_query((gradient, query), rows, against);
            let share = 1.0 / (self.temperature * posts as f32);
            gradient.iter_mut().for_each(|value| *value *= share);
            loss
        };
        let losses: Vec<f64> = queries.map(of_query).collect(); // added up in order
        let loss = losses.iter().sum::<f64>() / posts as f64;
        (
            tensor(gradient, [posts, width]),
            tensor(vec![loss as f32], [1]),
        )
    }

    /// Adds what each row has to do with the gradient; the loss of this query.
    fn of_query(
        &self,
        (gradient, query): (&mut [f32], &[f32]),
        rows: &[usize],
        Against { scale, kappa }: Against,
    ) -> f64 {
        let mut loss = 0.0;
        for (index, &row) in rows.iter().enumerate() {
            let row = self.row(row, query.len());
            let exponent = dot(query, row) / self.temperature;
            let p = exponent.exp() / scale;
            let is_own = index == 0;
            // −log(P/(P + κ)) and −log(κ/(P + κ)), and their derivatives by the exponent
            let (told, share) = if is_own { (p, -kappa) } else { (kappa, p) };
            loss += f64::from((p + kappa).ln()) - f64::from(told.ln());
            let share = share / (p + kappa);
            add_scaled(gradient, row, share);
        }
        loss
    }

    fn row(&self, row: usize, width: usize) -> &[f32] {
        &self.bank[row * width..][..width]
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    widest!(dot_by_lanes(a, b))
}

#[inline(always)]
fn dot_by_lanes(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let mut sums = [0.0; 32];
    for (a, b) in a.iter().zip(b) {
        for k in 0..32 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    total(sums) + rest
}

/// `target += factor x`
fn add_scaled(target: &mut [f32], x: &[f32], factor: f32) {
    widest!(super::lanes::add_scaled(target, x, factor));
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    /// Of the query, for a gradient of 1.
    type State = Plain;

    fn backward(self, ops: Ops<Plain, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let factor = values(&gradient)[0];
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let of_query = values(&ops.state).iter().map(|value| value * factor);
            let of_query = tensor(of_query.collect(), ops.state.shape());
            gradients.register::<Flex>(parent.id, of_query);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn our_sums_and_derivatives_are_burns() {
        let device = Device::flex().autodiff();
        let value = |i: usize| (0.7 * (i as f32 + 0.3) * 12.9898).sin();
        let (posts, width, held) = (3, 37, 11);
        let bank: Vec<f32> = (0..held * width).map(|i| 0.3 * value(i)).collect();
        let rows = [vec![0, 4, 7, 9], vec![3, 1, 10, 2], vec![5, 6, 8, 0]];
        let compared = Compared {
            bank: &bank,
            rows: &rows,
            temperature: 0.5,
        };
        let query: Vec<_> = (0..posts * width).map(|i| 0.3 * value(i + 900)).collect();
        let query = Tensor::<2>::from_data(TensorData::new(query, [posts, width]), &device);
        let query = query.require_grad();
        let mean: f32 = compared.scores(query.clone()).mean().into_scalar();
        assert!((compared.mean_score(query.clone()) / mean - 1.0).abs() < 1e-5);
        let against = Against {
            scale: 11.0 * mean,
            kappa: 0.3,
        };
        let of = |loss: Tensor<1>| -> Vec<f32> {
            let gradients = (loss.clone() * 3.0).backward();
            let gradient = query.grad(&gradients).unwrap();
            let mut found: Vec<f32> = loss.into_data().try_into_vec().unwrap();
            found.extend(gradient.into_data().try_into_vec::<f32>().unwrap());
            found
        };
        let ours = of(compared.contrast(query.clone(), against));
        let burns = of(compared.by_burn(query.clone(), against));
        for (ours, burns) in ours.iter().zip(burns) {
            assert!((ours - burns).abs() <= 1e-5, "{ours} {burns}");
        }
    }
}
