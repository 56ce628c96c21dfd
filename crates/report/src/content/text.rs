//! Tables as text: Markdown, CSV, LaTeX.

use super::{Cell, Report, Table};

/// How tables are written to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown.
    Md,
    /// CSV, a title line before each table.
    Csv,
    /// All of `report.json`.
    Json,
    /// A document's body; needs the packages `booktabs` and `graphicx`.
    Latex,
}

/// All tables of the report as text.
pub fn write_tables(report: &Report, format: Format) -> String {
    match format {
        Format::Json => serde_json::to_string_pretty(report).expect("plain values") + "\n",
        Format::Md => joined(report, markdown),
        Format::Csv => joined(report, csv),
        Format::Latex => joined(report, latex),
    }
}

fn joined(report: &Report, write: fn(&Table) -> String) -> String {
    report.tables().map(write).collect::<Vec<_>>().join("\n")
}

/// Heads with their groups: `fake F1`.
fn heads(table: &Table) -> Vec<String> {
    let head = |column: &super::Column| match &column.group {
        Some(group) => format!("{group} {}", column.name),
        None => column.name.clone(),
    };
    table.columns.iter().map(head).collect()
}

fn markdown(table: &Table) -> String {
    let escaped = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('|', "\\|");
        text.replace(['\n', '\r'], " ").replace('<', "&lt;")
    };
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("### {}\n\n", escaped(&table.title));
    text += &line(heads(table).iter().map(|head| escaped(head)).collect());
    let rules = (table.columns.iter()).map(|column| if column.numeric { "---:" } else { "---" });
    text += &line(rules.map(str::to_owned).collect());
    for row in &table.rows {
        let cell = |cell: &Cell| match cell.best {
            true => format!("**{}**", escaped(&cell.text)),
            false => escaped(&cell.text),
        };
        text += &line(row.iter().map(cell).collect());
    }
    for note in &table.notes {
        text += &format!("\n{}\n", escaped(note));
    }
    text
}

/// RFC 4180; figures with all their digits, and their standard deviation in a column of its own.
fn csv(table: &Table) -> String {
    let has_sd = |column: usize| {
        let mut rows = table.rows.iter();
        rows.any(|row| row[column].spread.is_some_and(|spread| spread.sd.is_some()))
    };
    let with_sd: Vec<_> = (0..table.columns.len()).map(has_sd).collect();
    let mut text = quoted(&format!("# {}", table.title)) + "\n";
    let mut line = Vec::new();
    for (head, &sd) in heads(table).iter().zip(&with_sd) {
        line.push(quoted(head));
        if sd {
            line.push(quoted(&format!("{head} sd")));
        }
    }
    text += &(line.join(",") + "\n");
    for row in &table.rows {
        let mut line = Vec::new();
        for (cell, &sd) in row.iter().zip(&with_sd) {
            line.push(match cell.value {
                Some(value) => value.to_string(),
                None => quoted(&cell.text),
            });
            if sd {
                let sd = cell.spread.and_then(|spread| spread.sd);
                line.push(sd.map(|sd| sd.to_string()).unwrap_or_default());
            }
        }
        text += &(line.join(",") + "\n");
    }
    text
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Makes a table that is wider than the page's text as wide as that.
const FIT: &str = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{";

fn latex(table: &Table) -> String {
    let align = |column: &super::Column| if column.numeric { 'r' } else { 'l' };
    let spec: String = table.columns.iter().map(align).collect();
    let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
    let mut text = format!(
        "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\label{{tab:{}}}\n{FIT}\\begin{{tabular}}{{{spec}}}\n\\toprule\n",
        in_latex(&table.title),
        table.id
    );
    if table.has_groups() {
        let group = |(name, n): (String, usize)| match name.as_str() {
            "" => String::new(),
            name => format!("\\multicolumn{{{n}}}{{c}}{{{}}}", in_latex(name)),
        };
        text += &line(table.groups().into_iter().map(group).collect());
    }
    let names = table.columns.iter().map(|column| in_latex(&column.name));
    text += &line(names.collect());
    text += "\\midrule\n";
    for row in &table.rows {
        let cell = |cell: &Cell| match cell.best {
            true => format!("\\textbf{{{}}}", in_latex(&cell.text)),
            false => in_latex(&cell.text),
        };
        text += &line(row.iter().map(cell).collect());
    }
    text += "\\bottomrule\n\\end{tabular}}\n";
    for note in &table.notes {
        text += &format!("\n{{\\footnotesize {}\\par}}\n", in_latex(note));
    }
    text + "\\end{table}\n"
}

/// Text with LaTeX's own characters made harmless.
fn in_latex(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '±' => escaped += "$\\pm$",
            '–' => escaped += "--",
            '−' => escaped += "$-$",
            '×' => escaped += "$\\times$",
            '≤' => escaped += "$\\leq$",
            '…' => escaped += "\\ldots{}",
            '`' => escaped += "\\textasciigrave{}",
            '<' => escaped += "\\textless{}",
            '>' => escaped += "\\textgreater{}",
            '"' => escaped += "''", // \textquotedbl needs another encoding of fonts than LaTeX begins with
            '\n' | '\r' => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Block, Section};

    fn report() -> Report {
        let mut table = Table::new("t", "A & B", &["method", "#fake|P", "#fake|F1", "#real|P"]);
        let spread = Cell::spread(&[0.5, 0.75]);
        table.rows.push(vec![
            Cell::text("w/o P | <script>"),
            spread,
            Cell::share(0.25),
            Cell::share(None),
        ]);
        table.rows.push(vec![
            Cell::text("50 %, \"x\""),
            Cell::share(0.5),
            Cell::share(0.75),
            Cell::share(1.0),
        ]);
        table.mark_best(2);
        Report {
            version: "0".to_owned(),
            title: "t".to_owned(),
            sections: vec![Section {
                id: "s".to_owned(),
                title: "s".to_owned(),
                blocks: vec![Block::Table(table)],
            }],
        }
    }

    #[test]
    fn markdown_keeps_bars_and_tags_out_of_the_layout() {
        let expected = "### A & B\n\n\
            | method | fake P | fake F1 | real P |\n| --- | ---: | ---: | ---: |\n\
            | w/o P \\| &lt;script> | 0.625 ± 0.177 | 0.250 | – |\n\
            | 50 %, \"x\" | 0.500 | **0.750** | 1.000 |\n";
        assert_eq!(write_tables(&report(), Format::Md), expected);
    }

    #[test]
    fn csv_has_all_digits_and_the_deviation_apart() {
        let expected = "# A & B\nmethod,fake P,fake P sd,fake F1,real P\n\
            w/o P | <script>,0.625,0.1767766952966369,0.25,–\n\
            \"50 %, \"\"x\"\"\",0.5,,0.75,1\n";
        assert_eq!(write_tables(&report(), Format::Csv), expected);
    }

    #[test]
    fn latex_spans_groups_and_escapes_its_own_characters() {
        let text = write_tables(&report(), Format::Latex);
        assert!(text.contains("\\caption{A \\& B}"), "{text}");
        assert!(
            text.contains(" & \\multicolumn{2}{c}{fake} & \\multicolumn{1}{c}{real} \\\\"),
            "{text}"
        );
        assert!(text.contains("50 \\%, ''x"), "{text}");
        assert!(text.contains("0.625 $\\pm$ 0.177"), "{text}");
    }
}
