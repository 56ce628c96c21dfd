//! Features that lie on a card for as long as a training lasts: a step names the rows that it takes, and nothing but
//! their numbers crosses over.

use burn::tensor::{Device, Int, Tensor, TensorData};
use mmfnd_features::{Column, ColumnValues};

use super::columns::Each;
use crate::device::{Device as Kind, FeatureRoom};

/// Values that are handed over at a time, so that features never lie in this process's memory twice.
const BLOCK: usize = 1 << 24;

/// Distinct rows of each column, `[rows, width]`, in the order of [`COLUMNS`](super::COLUMNS); none of columns that
/// stay where they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct CardFeatures(Each<Option<Tensor<2>>>);

impl CardFeatures {
    /// Copies columns to a card. One that stays on the disk had no room in this process's memory either and is not
    /// copied; on the processor none is.
    pub fn new(columns: Each<Option<&Column>>, kind: Kind, device: &Device) -> Self {
        let room = kind.feature_room(device);
        room.map_or_else(Self::default, |room| Self::within(room, columns, device))
    }

    /// The smaller ones first, for as long as there is room.
    fn within(room: FeatureRoom, columns: Each<Option<&Column>>, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let (mut found, mut left) = (Self::default(), room.all);
        let mut smallest_first: Vec<_> = (0..columns.len()).collect();
        smallest_first.sort_by_key(|&index| columns[index].map_or(0, bytes));
        for index in smallest_first {
            let in_memory = columns[index].filter(|column| !column.is_on_disk());
            let fitting = in_memory.filter(|column| bytes(column) <= left.min(room.one));
            if let Some(column) = fitting {
                left -= bytes(column);
                found.0[index] = Some(copied(column, &device));
            }
        }
        found
    }

    /// Bytes that they take there.
    pub fn bytes(&self) -> u64 {
        let values = self.0.iter().flatten().map(Tensor::dims);
        values.map(|[rows, width]| 4 * (rows * width) as u64).sum()
    }

    /// But for one column.
    pub fn without(mut self, index: usize) -> Self {
        self.0[index] = None;
        self
    }

    /// Whether a column lies there.
    pub fn has(&self, index: usize) -> bool {
        self.0[index].is_some()
    }

    /// The rows of a column that batches of posts take, one batch behind the other; none where the column is not there.
    ///
    /// # Panics
    /// When a post has no row.
    pub fn rows<'a>(
        &self,
        index: usize,
        column: Option<&Column>,
        posts: impl Iterator<Item = &'a usize>,
    ) -> Option<CardRows> {
        let (values, column) = (self.0[index].clone()?, column?);
        let row = |&post: &usize| {
            column
                .row_of(post)
                .expect("only posts with the modality are asked for") as i64
        };
        let rows: Vec<_> = posts.map(row).collect();
        if rows.is_empty() {
            return None;
        }
        let length = rows.len();
        Some(CardRows {
            rows: Tensor::from_data(TensorData::new(rows, [length]), &values.device()),
            values,
            taken: 0,
        })
    }
}

/// The rows that batches take from a column on a card.
#[derive(Debug)]
pub(crate) struct CardRows {
    values: Tensor<2>,
    rows: Tensor<1, Int>,
    taken: usize,
}

impl CardRows {
    /// Those of the next batch.  `[count, width]`
    pub fn next(&mut self, count: usize) -> Tensor<2> {
        let rows = self.rows.clone().narrow(0, self.taken, count);
        self.taken += count;
        self.values.clone().select(0, rows)
    }
}

/// As 32-bit floats, whatever the store holds.
fn bytes(column: &Column) -> u64 {
    4 * column.values.len() as u64
}

fn copied(column: &Column, device: &Device) -> Tensor<2> {
    let (rows, width) = (column.rows(), column.width());
    let block = (BLOCK / width).max(1);
    let ColumnValues::Memory(values) = &column.values else {
        unreachable!("columns on the disk stay there");
    };
    let mut copied = Tensor::zeros([rows, width], device);
    for start in (0..rows).step_by(block) {
        let count = block.min(rows - start);
        let mut part = vec![0.0; count * width];
        values.copy_to(start * width, &mut part);
        let part = Tensor::from_data(TensorData::new(part, [count, width]), device);
        copied = copied.slice_assign([start..start + count, 0..width], part);
    }
    copied
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use mmfnd_features::Values;

    /// Five posts over three rows of `width` values.
    fn column(width: usize) -> Column {
        let values = (0..3 * width).map(|i| i as f32).collect();
        Column {
            shape: vec![width],
            values: ColumnValues::Memory(Values::F32(values)),
            row: vec![2, 0, Column::NONE, 0, 1],
            starts: Vec::new(),
        }
    }

    const ENDLESS: FeatureRoom = FeatureRoom {
        all: u64::MAX,
        one: u64::MAX,
    };

    /// The first columns; none of the others.
    fn of(first: [Option<&Column>; 4]) -> Each<Option<&Column>> {
        let mut columns = Each::default();
        columns[..4].copy_from_slice(&first);
        columns
    }

    #[test]
    fn batches_are_the_rows_of_their_posts() {
        let column = column(2);
        for kind in [crate::Device::Flex, crate::Device::Ndarray] {
            let device = kind.open().unwrap();
            let card =
                CardFeatures::within(ENDLESS, of([None, Some(&column), None, None]), &device);
            let mut rows = card.rows(1, Some(&column), [0, 4, 1, 3, 0].iter()).unwrap();
            let mut next =
                |count| -> Vec<f32> { rows.next(count).into_data().try_into_vec().unwrap() };
            assert_eq!(next(3), [4.0, 5.0, 2.0, 3.0, 0.0, 1.0]);
            assert_eq!(next(2), [0.0, 1.0, 4.0, 5.0]);
            assert!(card.rows(0, None, [0].iter()).is_none());
        }
    }

    #[test]
    fn columns_larger_than_a_block_arrive_whole() {
        let width = BLOCK / 2 + 1; // a row in each block
        let column = column(width);
        let copied = copied(&column, &Device::flex());
        let values: Vec<f32> = copied.into_data().try_into_vec().unwrap();
        assert_eq!(column.values, ColumnValues::Memory(Values::F32(values)));
    }

    #[test]
    fn the_smaller_columns_go_first_while_there_is_room() {
        let (small, middle, large) = (column(2), column(3), column(4)); // of 24, 36 and 48 bytes
        let columns = of([Some(&large), Some(&small), None, Some(&middle)]);
        let there = |all, one| {
            let card = CardFeatures::within(FeatureRoom { all, one }, columns, &Device::flex());
            ([0, 1, 2, 3].map(|index| card.has(index)), card.bytes())
        };
        assert_eq!(there(107, 107), ([false, true, false, true], 60));
        assert_eq!(there(108, 47), ([false, true, false, true], 60));
        assert_eq!(there(108, 48), ([true, true, false, true], 108));
        assert_eq!(there(0, 48), ([false; 4], 0));
    }
}
