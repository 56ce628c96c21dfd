//! AdamW as `torch.optim.AdamW`: decoupled decay of every weight, ε beside the corrected root; a weight without a
//! gradient is left alone.
//!
//! On the processor one fused pass over weight, gradient and moments instead of a dozen: a uniquely owned tensor
//! becomes its values and back without a copy.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use rayon::prelude::*;

use crate::weights::Stored;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Values that one thread updates at a time.
const CHUNK: usize = 1 << 15;

/// The optimiser and its state.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// The first one is of all weights that are in no other.
    groups: Vec<Group>,
    is_host: bool,
    moments: BTreeMap<String, Moments>,
}

/// Weights below one place of the module tree, with rates of their own.
#[derive(Clone, Debug)]
struct Group {
    place: &'static str,
    learning_rate: f64,
    weight_decay: f64,
}

/// Running means of a weight's gradient and of its square.
#[derive(Clone, Debug)]
struct Moments {
    steps: u64,
    values: MomentValues,
}

#[derive(Clone, Debug)]
enum MomentValues {
    Host([Vec<f32>; 2]),
    Device(Box<[Tensor<1>; 2]>),
}

/// [`Moments`] of one weight as a checkpoint keeps them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SavedMoments {
    pub steps: u64,
    pub values: [Vec<f32>; 2],
}

impl AdamW {
    /// Without state; `is_host` says whether tensors lie in the memory of this process.
    pub fn new(learning_rate: f64, weight_decay: f64, is_host: bool) -> Self {
        let all = Group {
            place: "",
            learning_rate,
            weight_decay,
        };
        Self {
            groups: vec![all],
            is_host,
            moments: BTreeMap::new(),
        }
    }

    /// With rates of their own for the weights below a place in the module tree, such as `backbone`.
    pub fn with_group(
        mut self,
        place: &'static str,
        learning_rate: f64,
        weight_decay: f64,
    ) -> Self {
        self.groups.push(Group {
            place,
            learning_rate,
            weight_decay,
        });
        self
    }

    /// For the steps from now on, of the weights that are in no group.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.groups[0].learning_rate = learning_rate;
    }

    /// The same of those below a place that has a group.
    pub fn set_group_rate(&mut self, place: &str, learning_rate: f64) {
        let groups = self.groups.iter_mut().filter(|group| group.place == place);
        groups.for_each(|group| group.learning_rate = learning_rate);
    }

    /// One step along `gradients`.
    pub fn step<M: Module>(&mut self, module: M, gradients: &mut [Gradients]) -> M {
        module.map(&mut Step {
            path: Vec::new(),
            optimizer: self,
            gradients,
        })
    }

    /// The state of each weight that has one: its path in the module tree, steps, both moments.
    pub(crate) fn state(&self) -> impl Iterator<Item = (&str, u64, [Stored<'_>; 2])> {
        self.moments.iter().map(|(path, moments)| {
            let values = match &moments.values {
                MomentValues::Host(values) => values.each_ref().map(|values| Stored::row(values)),
                MomentValues::Device(tensors) => <[_; 2]>::clone(tensors).map(Stored::of),
            };
            (path.as_str(), moments.steps, values)
        })
    }

    /// With a state that [`AdamW::state`] gave.
    pub(crate) fn with_state(
        mut self,
        state: BTreeMap<String, SavedMoments>,
        device: &burn::tensor::Device,
    ) -> Self {
        let device = device.clone().without_autodiff(); // as the gradients are
        let restore = |(path, saved): (String, SavedMoments)| {
            let values = match self.is_host {
                true => MomentValues::Host(saved.values),
                false => {
                    let tensor = |values: Vec<f32>| {
                        let length = values.len();
                        Tensor::from_data(TensorData::new(values, [length]), &device)
                    };
                    MomentValues::Device(saved.values.map(tensor).into())
                }
            };
            let steps = saved.steps;
            (path, Moments { steps, values })
        };
        self.moments = state.into_iter().map(restore).collect();
        self
    }

    /// The group of a weight.
    fn group(&self, path: &str) -> &Group {
        let is_below = |group: &&Group| {
            let rest = path.strip_prefix(group.place);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let named = self.groups[1..].iter().find(is_below);
        named.unwrap_or(&self.groups[0])
    }

    fn rates(&self, path: &str, steps: u64) -> StepFactors {
        let Group {
            learning_rate,
            weight_decay,
            ..
        } = *self.group(path);
        let power = i32::try_from(steps).unwrap_or(i32::MAX);
        StepFactors {
            keep: 1.0 - learning_rate * weight_decay,
            step: learning_rate / (1.0 - BETA_1.powi(power)),
            root: (1.0 - BETA_2.powi(power)).sqrt(),
        }
    }
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct StepFactors {
    keep: f64,
    step: f64,
    root: f64,
}

impl StepFactors {
    fn update_host(self, weight: &mut [f32], gradient: &[f32], moments: &mut [Vec<f32>; 2]) {
        let [first, second] = moments;
        let chunks = weight.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let moments = (first.par_chunks_mut(CHUNK)).zip(second.par_chunks_mut(CHUNK));
        chunks
            .zip(moments)
            .for_each(|((weight, gradient), (first, second))| {
                self.update_chunk(Chunk {
                    weight,
                    gradient,
                    first,
                    second,
                });
            });
    }

    /// With the widest registers that the processor has.
    fn update_chunk(self, chunk: Chunk) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has what the function needs.
                return unsafe { self.update_avx512(chunk) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: as above.
                return unsafe { self.update_avx2(chunk) };
            }
        }
        self.update_values(chunk);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn update_avx512(self, chunk: Chunk) {
        self.update_values(chunk);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn update_avx2(self, chunk: Chunk) {
        self.update_values(chunk);
    }

    /// In the order of PyTorch's operations, but that √v is multiplied where PyTorch divides it: root and quotient are
    /// what takes long here, longer than the memory.
    #[inline(always)] // into each of the above, to be compiled for its registers
    fn update_values(self, chunk: Chunk) {
        let (keep, step, root) = (self.keep as f32, self.step as f32, self.root.recip() as f32);
        let (rest_1, beta_2, rest_2) =
            ((1.0 - BETA_1) as f32, BETA_2 as f32, (1.0 - BETA_2) as f32);
        let moments = chunk.first.iter_mut().zip(chunk.second);
        for ((w, &g), (m, v)) in chunk.weight.iter_mut().zip(chunk.gradient).zip(moments) {
            *m += (g - *m) * rest_1;
            *v = *v * beta_2 + g * g * rest_2;
            *w = *w * keep - step * *m / (v.sqrt() * root + EPSILON as f32);
        }
    }

    fn update_device(
        self,
        weight: Tensor<1>,
        gradient: Tensor<1>,
        [first, second]: [Tensor<1>; 2],
    ) -> (Tensor<1>, [Tensor<1>; 2]) {
        let first = first.clone() + (gradient.clone() - first) * (1.0 - BETA_1);
        let second = second * BETA_2 + gradient.square() * (1.0 - BETA_2);
        let root = second.clone().sqrt() / self.root + EPSILON;
        let weight = weight * self.keep - first.clone() / root * self.step;
        (weight, [first, second])
    }
}

/// A part of a weight, of its gradient and of its moments.
struct Chunk<'a> {
    weight: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

struct Step<'a> {
    path: Vec<String>,
    optimizer: &'a mut AdamW,
    gradients: &'a mut [Gradients],
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let weight = param.val();
        if !weight.is_require_grad() {
            return param;
        }
        // a weight that is used on both sides of a cut has a part of its gradient in each container
        let parts = self.gradients.iter_mut();
        let parts = parts.filter_map(|gradients| weight.grad_remove(gradients));
        let Some(gradient) = parts.reduce(|sum, part| sum + part) else {
            return param;
        };
        drop(weight);
        param.map(|weight| self.update(weight, gradient))
    }
}

impl Step<'_> {
    fn update<const D: usize>(&mut self, weight: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let (device, shape, path) = (weight.device(), weight.dims(), self.path.join("."));
        let mut moments = match self.optimizer.moments.remove(&path) {
            Some(moments) => moments,
            None => Moments::new(&gradient, self.optimizer.is_host),
        };
        moments.steps += 1;
        let rates = self.optimizer.rates(&path, moments.steps);
        let weight = weight.inner();
        let weight = match moments.values {
            MomentValues::Host(mut values) => {
                let weight = weight.into_data().try_into_vec::<f32>();
                let mut weight = weight.expect("all weights are 32-bit floats");
                let gradient = gradient.into_data(); // read where it lies: taking it out would copy
                let gradient = gradient.as_slice().expect("all weights are 32-bit floats");
                rates.update_host(&mut weight, gradient, &mut values);
                moments.values = MomentValues::Host(values);
                Tensor::from_data(TensorData::new(weight, shape), &device)
            }
            MomentValues::Device(values) => {
                let (weight, gradient) = (weight.reshape([-1]), gradient.reshape([-1]));
                let (weight, values) = rates.update_device(weight, gradient, *values);
                moments.values = MomentValues::Device(values.into());
                Tensor::from_inner(weight.reshape(shape))
            }
        };
        self.optimizer.moments.insert(path, moments);
        weight.require_grad()
    }
}

impl Moments {
    fn new<const D: usize>(gradient: &Tensor<D>, is_host: bool) -> Self {
        let length = gradient.dims().iter().product();
        let zeros = || Tensor::zeros([length], &gradient.device());
        Self {
            steps: 0,
            values: match is_host {
                true => MomentValues::Host([vec![0.0; length], vec![0.0; length]]),
                false => MomentValues::Device([zeros(), zeros()].into()),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::heads::Init;
    use burn::nn::Linear;
    use burn::tensor::Device;

    /// Weight and bias of a 1 × 1 layer after `steps` steps on its output for the input 2.
    fn trained(steps: usize, is_host: bool) -> [f32; 2] {
        let device = Device::flex().autodiff();
        let mut linear: Linear = Init::new(5, &device).linear(1, 1);
        let mut optimizer = AdamW::new(0.1, 0.5, is_host);
        for _ in 0..steps {
            let output = linear.forward(Tensor::<2>::from_floats([[2.0]], &device));
            linear = optimizer.step(linear, &mut [output.square().sum().backward()]);
        }
        let bias = linear.bias.unwrap().val();
        [linear.weight.val().into_scalar(), bias.into_scalar()]
    }

    #[test]
    fn the_first_step_is_the_learning_rate_after_decay() {
        let (before, after) = (trained(0, true), trained(1, true));
        for (before, after) in before.iter().zip(after) {
            let step = after - before * (1.0 - 0.1 * 0.5);
            assert!((step.abs() - 0.1).abs() < 1e-5, "{before} {after}");
        }
    }

    fn saved(optimizer: &AdamW) -> BTreeMap<String, SavedMoments> {
        let read = |(path, steps, moments): (&str, u64, [Stored; 2])| {
            let values = moments.map(|moment| moment.weight().values);
            (path.to_owned(), SavedMoments { steps, values })
        };
        optimizer.state().map(read).collect()
    }

    #[test]
    fn both_paths_go_on_from_a_saved_state() {
        let device = Device::flex().autodiff();
        for is_host in [true, false] {
            let start = AdamW::new(0.1, 0.5, is_host);
            let (mut linear, mut optimizer) = (Init::new(5, &device).linear(1, 1), start.clone());
            for _ in 0..4 {
                let output = linear.forward(Tensor::<2>::from_floats([[2.0]], &device));
                linear = optimizer.step(linear, &mut [output.square().sum().backward()]);
                optimizer = start.clone().with_state(saved(&optimizer), &device);
            }
            let weight: f32 = linear.weight.val().into_scalar();
            assert_eq!(weight, trained(4, is_host)[0]);
        }
    }

    #[test]
    fn a_gradient_in_several_containers_is_their_sum() {
        let device = Device::flex().autodiff();
        let loss = |linear: &Linear, factor: f64| {
            let output = linear.forward(Tensor::<2>::from_floats([[2.0]], &device));
            (output.square() * factor).sum()
        };
        let stepped = |parts: &[f64]| {
            let linear: Linear = Init::new(5, &device).linear(1, 1);
            let mut gradients: Vec<_> = parts
                .iter()
                .map(|&part| loss(&linear, part).backward())
                .collect();
            crate::optim::clip(&linear, &mut gradients, 0.5);
            let mut optimizer = AdamW::new(0.1, 0.5, true);
            // the second moment of a first step says what the gradient was
            optimizer.step(linear, &mut gradients);
            saved(&optimizer)["weight"].values.clone()
        };
        let (whole, parts) = (stepped(&[1.0]), stepped(&[0.75, 0.25]));
        for (whole, part) in whole.concat().iter().zip(parts.concat()) {
            assert!((whole - part).abs() < 1e-6, "{whole} {part}");
        }
    }

    #[test]
    fn a_group_has_rates_of_its_own() {
        let device = Device::flex().autodiff();
        let pair = || {
            let linear = |seed| -> Linear { Init::new(seed, &device).linear(1, 1) };
            (linear(5), linear(6))
        };
        let stepped = |mut optimizer: AdamW| {
            let (a, b) = pair();
            let x = Tensor::<2>::from_floats([[2.0]], &device);
            let loss = (a.forward(x.clone()) + b.forward(x)).square().sum();
            let (a, b) = optimizer.step((a, b), &mut [loss.backward()]);
            [a, b].map(|linear| -> f32 { linear.weight.val().into_scalar() })
        };
        let of = |optimizer: AdamW| stepped(optimizer);
        let (fast, slow) = (AdamW::new(0.1, 0.5, true), AdamW::new(0.01, 0.0, true));
        let both = AdamW::new(0.1, 0.5, true).with_group("1", 1.0, 0.0);
        let both = {
            let mut both = both;
            both.set_group_rate("1", 0.01);
            of(both)
        };
        assert_eq!(both, [of(fast)[0], of(slow)[1]]);
    }

    #[test]
    fn both_paths_agree() {
        for (host, device) in trained(5, true).iter().zip(trained(5, false)) {
            assert!((host - device).abs() < 1e-6, "{host} {device}");
        }
    }
}
