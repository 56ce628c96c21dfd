//! What a post was given and what it is: the one that figures are computed of.

/// One post's logits and class, 1 for fake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Before the softmax: real, fake.
    pub logits: [f32; 2],
    /// What the post is.
    pub label: usize,
}

impl Scored {
    /// Probability of fake.
    pub fn p_fake(&self) -> f64 {
        p_fake(self.logits)
    }

    /// −log of the probability of what the post is, without overflow.
    pub(super) fn loss(&self) -> f64 {
        let other = f64::from(self.logits[1 - self.label]);
        let margin = f64::from(self.logits[self.label]) - other;
        (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
    }
}

/// Softmax of the two logits, second value.
pub fn p_fake(logits: [f32; 2]) -> f64 {
    1.0 / (1.0 + (f64::from(logits[0]) - f64::from(logits[1])).exp())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Posts of these logits of fake, 0 of real, and these labels.
    pub(crate) fn scored(posts: &[(f32, usize)]) -> Vec<Scored> {
        let scored = |&(logit, label): &(f32, usize)| Scored {
            logits: [0.0, logit],
            label,
        };
        posts.iter().map(scored).collect()
    }
}
