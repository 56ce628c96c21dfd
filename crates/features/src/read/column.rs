//! The features of one encoder for some posts, in memory or on the disk.

use std::sync::Arc;

use super::disk_rows::DiskRows;
use crate::Error;
use crate::table::Values;

/// Where the values of a column are.
#[derive(Clone, Debug)]
pub enum ColumnValues {
    /// In memory.
    Memory(Values),
    /// On the disk, read row by row.
    Disk(Arc<DiskRows>),
}

impl PartialEq for ColumnValues {
    /// Values on the disk are equal only to themselves.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(a), Self::Memory(b)) => a == b,
            (Self::Disk(a), Self::Disk(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl ColumnValues {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(values) => values.len(),
            Self::Disk(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The features of one encoder for some posts.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Shape of one row.
    pub shape: Vec<usize>,
    /// Distinct rows.
    pub values: ColumnValues,
    /// Each post's row among them; [`Column::NONE`] where the post has no usable picture.
    pub row: Vec<u32>,
    /// Of a ragged encoder where the values of each distinct row begin, and the last one's end; else empty.
    pub starts: Vec<usize>,
}

impl Column {
    /// Stands for "no row".
    pub const NONE: u32 = u32::MAX;

    /// Values in a row; of a ragged one the most.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Values in a post's row; of a fixed width also where it has none.
    pub fn width_of(&self, post: usize) -> usize {
        match (self.starts.as_slice(), self.row_of(post)) {
            ([], _) => self.width(),
            (starts, Some(row)) => starts[row + 1] - starts[row],
            (_, None) => 0,
        }
    }

    /// How many distinct rows there are.
    pub fn rows(&self) -> usize {
        match self.starts.len() {
            0 => self.values.len() / self.width(),
            starts => starts - 1,
        }
    }

    /// Whether its rows are read from the disk when they are asked for.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.values, ColumnValues::Disk(_))
    }

    /// The row of a post, if it has one.
    pub fn row_of(&self, post: usize) -> Option<usize> {
        let row = self.row[post];
        (row != Self::NONE).then_some(row as usize)
    }

    /// Copies a post's values, or zeros where it has none; says whether it has. Only reading from the disk can fail.
    ///
    /// # Panics
    /// When `out` is not [`Column::width_of`] the post long.
    pub fn read_row(&self, post: usize, out: &mut [f32]) -> Result<bool, Error> {
        assert_eq!(out.len(), self.width_of(post), "a row has another width");
        match (self.row_of(post), &self.values) {
            (Some(row), ColumnValues::Disk(rows)) => rows.read(row, out)?,
            (Some(row), ColumnValues::Memory(values)) => {
                let start = self.starts.get(row).copied();
                values.copy_to(start.unwrap_or(row * out.len()), out);
            }
            (None, _) => out.fill(0.0),
        }
        Ok(self.row[post] != Self::NONE)
    }

    /// As [`Column::read_row`], of values in memory.
    ///
    /// # Panics
    /// When `out` is not [`Column::width_of`] the post long, or the values are on the disk and cannot be read.
    pub fn copy_row(&self, post: usize, out: &mut [f32]) -> bool {
        self.read_row(post, out)
            .expect("values in memory can be read")
    }
}
