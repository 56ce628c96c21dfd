//! Which posts of a batch have which modality (difference 14): a branch runs over the posts that have what it reads,
//! and is absent elsewhere.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// What one post has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Modalities {
    /// A text that is not empty.
    pub text: bool,
    /// A picture that can be used.
    pub image: bool,
}

impl Modalities {
    /// Both.
    pub const BOTH: Self = Self {
        text: true,
        image: true,
    };
}

/// The posts of a batch where not all have both; features then have a row for each post that has their modality, and no
/// row for the others.
#[derive(Clone, Debug)]
pub struct ModalityMask {
    posts: usize,
    text: Vec<usize>,
    image: Vec<usize>,
    device: Device,
}

/// The posts that a branch runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    Text,
    Image,
    Cross,
}

impl ModalityMask {
    /// `None` where every post has both.
    pub fn new(modalities: &[Modalities], device: &Device) -> Option<Self> {
        let rows = |is_there: fn(&Modalities) -> bool| -> Vec<usize> {
            let rows = modalities
                .iter()
                .enumerate()
                .filter(|(_, modalities)| is_there(modalities));
            rows.map(|(row, _)| row).collect()
        };
        modalities
            .iter()
            .any(|modalities| *modalities != Modalities::BOTH)
            .then(|| Self {
                posts: modalities.len(),
                text: rows(|modalities| modalities.text),
                image: rows(|modalities| modalities.image),
                device: device.clone(),
            })
    }

    /// The posts of a branch, by their row in the batch.
    pub(super) fn rows(&self, branch: Branch) -> Vec<usize> {
        match branch {
            Branch::Text => self.text.clone(),
            Branch::Image => self.image.clone(),
            Branch::Cross => {
                let has_both = |row: &&usize| self.image.binary_search(row).is_ok();
                self.text.iter().filter(has_both).copied().collect()
            }
        }
    }

    /// The rows of a modality's features that belong to posts with both.
    pub(super) fn of_both(&self, x: Tensor<2>, branch: Branch) -> Tensor<2> {
        let own = self.rows(branch);
        let both = self.rows(Branch::Cross);
        let place = |row: &usize| own.binary_search(row).expect("who has both has either");
        x.select(0, self.indices(both.iter().map(place)))
    }

    /// From the rows of a branch to the rows of the batch, zero where the branch is absent.
    ///
    /// # Shapes
    /// - `x`: `[posts of the branch, width]`; `None` where there are none
    /// - output: `[B, width]`
    pub(super) fn spread(&self, x: Option<Tensor<2>>, branch: Branch, width: usize) -> Tensor<2> {
        let Some(x) = x else {
            return Tensor::zeros([self.posts, width], &self.device);
        };
        let (rows, absent) = (self.rows(branch), x.dims()[0]);
        let place = |row: usize| rows.binary_search(&row).unwrap_or(absent);
        let with_zero = Tensor::cat(vec![x, Tensor::zeros([1, width], &self.device)], 0);
        with_zero.select(0, self.indices((0..self.posts).map(place)))
    }

    /// 1 where a branch is there, 0 where it is absent.  `[B, M]`
    pub(super) fn of_branches(&self, branches: &[Branch]) -> Tensor<2> {
        let rows: Vec<_> = branches.iter().map(|&branch| self.rows(branch)).collect();
        let is_there = |row: usize, rows: &Vec<usize>| f32::from(rows.binary_search(&row).is_ok());
        let of_post = |row| rows.iter().map(move |rows| is_there(row, rows));
        let mask: Vec<f32> = (0..self.posts).flat_map(of_post).collect();
        let shape = [self.posts, branches.len()];
        Tensor::from_data(TensorData::new(mask, shape), &self.device)
    }

    fn indices(&self, rows: impl Iterator<Item = usize>) -> Tensor<1, Int> {
        let rows: Vec<i64> = rows.map(|row| row as i64).collect();
        let length = rows.len();
        Tensor::from_data(TensorData::new(rows, [length]), &self.device)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn numbers(x: Tensor<2>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn rows_go_to_their_posts_and_absent_ones_are_zero() {
        let device = Device::flex();
        let modalities = [(true, false), (true, true), (false, true), (true, true)];
        let modalities = modalities.map(|(text, image)| Modalities { text, image });
        let mask = ModalityMask::new(&modalities, &device).unwrap();
        let image = Tensor::<2>::from_floats([[1.0], [2.0], [3.0]], &device); // posts 1, 2, 3
        let spread = mask.spread(Some(image.clone()), Branch::Image, 1);
        assert_eq!(numbers(spread), [0.0, 1.0, 2.0, 3.0]);
        let both = mask.of_both(image, Branch::Image); // posts 1, 3
        assert_eq!(numbers(both.clone()), [1.0, 3.0]);
        let spread = mask.spread(Some(both), Branch::Cross, 1);
        assert_eq!(numbers(spread), [0.0, 1.0, 0.0, 3.0]);
        let branches = mask.of_branches(&[Branch::Text, Branch::Cross]);
        assert_eq!(numbers(branches), [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(numbers(mask.spread(None, Branch::Text, 1)), [0.0; 4]);
        assert!(ModalityMask::new(&[Modalities::BOTH; 2], &device).is_none());
    }
}
