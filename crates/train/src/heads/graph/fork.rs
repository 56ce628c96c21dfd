//! Branches of a head that need nothing of each other run side by side, forward and backward.
//!
//! Burn walks back through a graph on one thread. So the graph is cut where the branches meet: what lies behind the cut
//! is differentiated first, then each branch from the gradients that came out at its end. The sums are those of the
//! uncut graph, in the same order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Gradients, Tensor};
use rayon::prelude::*;

use super::flex::is_flex;

/// Where a graph is cut: the end of one branch, and the tensors that go on in its place.
#[derive(Clone, Debug)]
pub struct Cut {
    ends: Vec<Tensor<2>>,
    leaves: Vec<Tensor<2>>,
}

/// Threads that are kept awake for a step.
const AWAKE: usize = 8;
/// For so long without work. It has to end: a thread may come to it while it waits for what its own work, further down
/// its stack, has shared out, and the step may wait for that work.
const PATIENCE: Duration = Duration::from_micros(500);

/// Runs a training step among the threads that its operations are shared by. Called from outside, each operation would
/// be handed over and waited for; and a thread that sleeps between two operations wakes too late for small ones.
pub fn among_threads<R: Send>(step: impl FnOnce() -> R + Send) -> R {
    let done = AtomicBool::new(false);
    let is_done = &done;
    rayon::scope(|scope| {
        let own = rayon::current_thread_index();
        // a task for each thread, which no other takes: this one must not wait for itself
        scope.spawn_broadcast(move |_, thread| {
            if thread.index() < AWAKE && Some(thread.index()) != own {
                stay_awake(is_done);
            }
        });
        let _done = Done(is_done);
        step()
    })
}

/// Does what there is to do, until a step is over or there has been nothing for a while.
fn stay_awake(is_done: &AtomicBool) {
    let mut worked = Instant::now();
    while !is_done.load(Ordering::Acquire) && worked.elapsed() < PATIENCE {
        match rayon::yield_now() {
            Some(rayon::Yield::Executed) => worked = Instant::now(),
            _ => std::thread::yield_now(),
        }
    }
}

/// Says that a step is over, also where it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs two branches side by side and cuts their ends off the graph, if there is one. A graphics card has but one
/// queue: there they run one after the other, uncut.
pub(crate) fn fork<const N: usize, const M: usize>(
    device: &Device,
    a: impl FnOnce() -> [Option<Tensor<2>>; N] + Send,
    b: impl FnOnce() -> [Option<Tensor<2>>; M] + Send,
) -> ([Option<Tensor<2>>; N], [Option<Tensor<2>>; M], Vec<Cut>) {
    if !is_flex(device) {
        return (a(), b(), Vec::new());
    }
    let (mut a, mut b) = rayon::join(a, b);
    let cuts = [cut(&mut a), cut(&mut b)];
    (a, b, cuts.into_iter().flatten().collect())
}

/// Puts leaves in the place of a branch's ends.
fn cut(ends: &mut [Option<Tensor<2>>]) -> Option<Cut> {
    let mut cut = Cut {
        ends: Vec::new(),
        leaves: Vec::new(),
    };
    for end in ends.iter_mut().filter_map(Option::as_mut) {
        if end.is_autodiff() && end.is_tracked() {
            let leaf = end.clone().detach().require_grad();
            cut.leaves.push(leaf.clone());
            cut.ends.push(std::mem::replace(end, leaf));
        }
    }
    (!cut.ends.is_empty()).then_some(cut)
}

/// A leaf in the place of a tensor, and where the graph before it was cut off, if there is one.
pub(in crate::heads) fn cut_off(end: Tensor<2>) -> (Tensor<2>, Option<Cut>) {
    let mut ends = [Some(end)];
    let cut = cut(&mut ends);
    let [leaf] = ends;
    (leaf.expect("it was there"), cut)
}

/// Gradients of a loss, of what lies behind the cuts and of each branch.
pub fn backward(loss: &Tensor<1>, cuts: Vec<Cut>) -> Vec<Gradients> {
    let mut last = loss.backward();
    let roots: Vec<_> = cuts
        .into_iter()
        .filter_map(|cut| cut.root(std::slice::from_mut(&mut last)))
        .collect();
    let mut all: Vec<_> = roots.into_par_iter().map(|root| root.backward()).collect();
    all.push(last);
    all
}

/// [`backward`], then of what stands before all branches, where the graph was cut off it.
pub(in crate::heads) fn backward_to_trunk(
    loss: &Tensor<1>,
    (cuts, trunk): (Vec<Cut>, Option<Cut>),
) -> Vec<Gradients> {
    let mut all = backward(loss, cuts);
    let root = trunk.and_then(|trunk| trunk.root(&mut all));
    all.extend(root.map(|root| root.backward()));
    all
}

impl Cut {
    /// Σ end · gradient: its gradients are those of the loss. `None` where the loss does not depend on the branch.
    fn root(self, gradients: &mut [Gradients]) -> Option<Tensor<1>> {
        let pairs = self.ends.into_iter().zip(self.leaves);
        let products = pairs.filter_map(|(end, leaf)| {
            let parts = gradients.iter_mut();
            let parts = parts.filter_map(|gradients| leaf.grad_remove(gradients));
            let gradient = parts.reduce(|sum, part| sum + part)?;
            Some((end * Tensor::from_inner(gradient)).sum())
        });
        products.reduce(|a, b| a + b)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn wait_for(flag: &AtomicBool) {
        while !flag.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }

    /// A step waits for work that another thread took before it was asked to stay awake, and that thread comes to its
    /// task while it waits for a part of this work.
    fn step_that_waits_for_a_thread_that_stays_awake() {
        let [taken, begun, shared, worked] = [const { AtomicBool::new(false) }; 4];
        let step = || {
            begun.store(true, Ordering::Release);
            while !worked.load(Ordering::Acquire) {
                rayon::yield_now(); // here the part is done
            }
        };
        let work = || {
            taken.store(true, Ordering::Release);
            wait_for(&begun);
            let part = || {
                shared.store(true, Ordering::Release);
                thread::sleep(Duration::from_millis(20));
            };
            rayon::join(|| wait_for(&shared), part);
            worked.store(true, Ordering::Release);
        };
        let take_step = || {
            wait_for(&taken);
            among_threads(step);
        };
        rayon::join(take_step, work);
    }

    #[test]
    fn no_step_waits_for_a_thread_that_waits_for_the_step() {
        let (over, is_over) = mpsc::channel();
        thread::spawn(move || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
            (pool.build().unwrap()).install(step_that_waits_for_a_thread_that_stays_awake);
            over.send(()).unwrap();
        });
        let end = is_over.recv_timeout(Duration::from_secs(60));
        assert!(end.is_ok(), "they wait for each other");
    }
}
