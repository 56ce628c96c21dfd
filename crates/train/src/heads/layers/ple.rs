//! Progressive layered extraction for one modality with two tasks, unimodal (A) and cross-modal (B), and shared experts
//! (S).
//!
//! Tang et al. 2020, <https://doi.org/10.1145/3383313.3412236>; the topology is EasyRec's, with a shared stream between
//! levels (difference 7: sizes as released).

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::expert::Experts;
use super::gate::Gate;
use super::init::Init;

/// 3: which experts are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Trained {
    /// All of them.
    All,
    /// Those of group B only, with gate B and the shared gate.
    Released,
}

/// The three streams between levels; the last level ends the shared one.
#[derive(Clone, Debug)]
pub struct Streams {
    /// A.  `[B, D]`
    pub unimodal: Tensor<2>,
    /// S.  `[B, D]`
    pub shared: Option<Tensor<2>>,
    /// B.  `[B, D]`
    pub cross_modal: Tensor<2>,
}

impl Streams {
    /// Before the first level all are the same.
    fn of(x: Tensor<2>) -> Self {
        Self {
            unimodal: x.clone(),
            shared: Some(x.clone()),
            cross_modal: x,
        }
    }
}

/// What a gate gives to the experts that it weighs.
#[derive(Clone, Debug)]
pub struct GateShares {
    /// Its path among the weights.
    pub gate: String,
    /// The groups that it weighs, in their order, with their numbers of experts.
    pub groups: Vec<(&'static str, usize)>,
    /// `[B, G]`
    pub shares: Tensor<2>,
}

/// One level: three groups of experts and their gates.
#[derive(Module, Debug)]
pub struct PleLevel {
    unimodal: Experts,
    shared: Experts,
    cross_modal: Experts,
    unimodal_gate: Gate,
    cross_modal_gate: Gate,
    shared_gate: Option<Gate>,
}

impl PleLevel {
    /// `experts`: of each task, and shared.
    pub fn new(d: usize, experts: [usize; 2], last: bool, init: &mut Init) -> Self {
        let [task, shared] = experts;
        Self {
            unimodal: Experts::new(task, d, init),
            shared: Experts::new(shared, d, init),
            cross_modal: Experts::new(task, d, init),
            unimodal_gate: Gate::new(d, task + shared, init),
            cross_modal_gate: Gate::new(d, task + shared, init),
            shared_gate: (!last).then(|| Gate::new(d, 2 * task + shared, init)),
        }
    }

    /// Difference 3: in the released code the groups A and S and gate A are in no module's list of weights and keep
    /// their first values.
    fn freeze_as_released(self) -> Self {
        Self {
            unimodal: self.unimodal.no_grad(),
            shared: self.shared.no_grad(),
            unimodal_gate: self.unimodal_gate.no_grad(),
            ..self
        }
    }

    /// What the gates of the level at `path` give to its experts.
    fn gates(&self, path: &str, x: &Streams) -> Vec<GateShares> {
        let a = ("unimodal", self.unimodal.count());
        let s = ("shared", self.shared.count());
        let b = ("cross_modal", self.cross_modal.count());
        let shares = |name: &str, gate: &Gate, selector: &Tensor<2>, groups| GateShares {
            gate: format!("{path}.{name}"),
            groups,
            shares: gate.shares(selector.clone()),
        };
        let (own_a, own_b) = (&self.unimodal_gate, &self.cross_modal_gate);
        let mut gates = vec![
            shares("unimodal_gate", own_a, &x.unimodal, vec![a, s]),
            shares("cross_modal_gate", own_b, &x.cross_modal, vec![b, s]),
        ];
        if let (Some(gate), Some(stream)) = (&self.shared_gate, &x.shared) {
            gates.push(shares("shared_gate", gate, stream, vec![a, s, b]));
        }
        gates
    }

    /// A gate's selector is its own stream; task gates weigh `[own | shared]`, the shared gate `[A | S | B]`.
    ///
    /// # Panics
    /// Without a shared stream: only the last level ends it.
    pub fn forward(&self, x: Streams) -> Streams {
        let x_shared = x
            .shared
            .expect("only the last level ends the shared stream");
        let a = self.unimodal.forward(x.unimodal.clone()); // [E, B, D]
        let s = self.shared.forward(x_shared.clone());
        let b = self.cross_modal.forward(x.cross_modal.clone());
        let shared = self
            .shared_gate
            .as_ref()
            .map(|gate| gate.forward(x_shared, vec![a.clone(), s.clone(), b.clone()]));
        Streams {
            unimodal: self.unimodal_gate.forward(x.unimodal, vec![a, s.clone()]),
            shared,
            cross_modal: self.cross_modal_gate.forward(x.cross_modal, vec![b, s]),
        }
    }
}

/// Levels one after the other.
#[derive(Module, Debug)]
pub struct Ple {
    levels: Vec<PleLevel>,
}

impl Ple {
    /// `experts`: of each task, and shared.
    pub fn new(
        d: usize,
        experts: [usize; 2],
        levels: usize,
        trained: Trained,
        init: &mut Init,
    ) -> Self {
        let level = |index| {
            let level = PleLevel::new(d, experts, index + 1 == levels, init);
            match trained {
                Trained::All => level,
                Trained::Released => level.freeze_as_released(),
            }
        };
        Self {
            levels: (0..levels).map(level).collect(),
        }
    }

    /// # Shapes
    /// - `x`: `[B, D]`
    /// - output: unimodal and cross-modal, `[B, D]` each
    pub fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let mut streams = Streams::of(x);
        for level in &self.levels {
            streams = level.forward(streams);
        }
        (streams.unimodal, streams.cross_modal)
    }

    /// [`Ple::forward`], and into `gates` what the gates of all levels give to their experts; `path` is that of this
    /// network among the weights.
    pub fn forward_with_gates(
        &self,
        x: Tensor<2>,
        path: &str,
        gates: &mut Vec<GateShares>,
    ) -> (Tensor<2>, Tensor<2>) {
        let mut streams = Streams::of(x);
        for (index, level) in self.levels.iter().enumerate() {
            gates.extend(level.gates(&format!("{path}.levels.{index}"), &streams));
            streams = level.forward(streams);
        }
        (streams.unimodal, streams.cross_modal)
    }
}
