//! Tables for a terminal, without lines: columns two spaces apart, each as wide as what stands in it.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};

/// A column: its title, which may have a line above it, and the side at which its cells stand.
pub(crate) struct Column {
    title: String,
    side: CellAlignment,
    is_apart: bool,
}

/// A column of names.
pub(crate) fn left(title: impl Into<String>) -> Column {
    Column {
        title: title.into(),
        side: CellAlignment::Left,
        is_apart: false,
    }
}

/// A column of numbers.
pub(crate) fn right(title: impl Into<String>) -> Column {
    Column {
        side: CellAlignment::Right,
        ..left(title)
    }
}

impl Column {
    /// With one more space before it, since another group of columns begins.
    pub(crate) fn apart(self) -> Self {
        Self {
            is_apart: true,
            ..self
        }
    }
}

/// The lines of a table; each ends where its last cell does.
pub(crate) fn table(columns: Vec<Column>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let is_high = columns.iter().any(|column| column.title.contains('\n'));
    let title = |column: &Column| match is_high && !column.title.contains('\n') {
        true => format!("\n{}", column.title),
        false => column.title.clone(),
    };
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|column| Cell::new(title(column))));
    table.add_rows(rows);
    for (shown, column) in table.column_iter_mut().zip(&columns) {
        shown.set_padding((u16::from(column.is_apart), 2));
        shown.set_cell_alignment(column.side);
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_and_titles_stand_above_them() {
        let columns = vec![left("name"), right("n"), right("fake\nF1").apart()];
        let rows = [["a", "12345", "0.5"], ["图片 long", "7", "-"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        insta::assert_snapshot!(table(columns, rows), @r"
                           fake
        name           n     F1
        a          12345    0.5
        图片 long      7      -
        ");
    }
}
