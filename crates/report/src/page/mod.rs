//! Comes in: a report. Goes out: one HTML file with its style, its script and its figures, which asks nothing of any
//! network.

use askama::Template;

use crate::content::{Block, Report};
use crate::draw::style_sheet;

/// Escapes by default; figures alone go in as they are, since they are drawn here.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    report: &'a Report,
    colours: &'a str,
    style: &'static str,
    script: &'static str,
}

/// The page.
pub fn page(report: &Report) -> String {
    let page = Page {
        report,
        colours: &style_sheet(),
        style: include_str!("../../templates/page.css"),
        script: include_str!("../../templates/page.js"),
    };
    page.render().expect("a template without fallible filters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Card, Cell, Section, Table};

    #[test]
    fn a_post_that_is_a_script_is_text() {
        let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'";
        let mut table = Table::new("t", hostile, &["a"]);
        table.rows.push(vec![Cell::text(hostile)]);
        let card = Card {
            rule: "surest wrong".to_owned(),
            post_id: hostile.to_owned(),
            text: hostile.to_owned(),
            ocr_text: Some(hostile.to_owned()),
            picture: Some(crate::content::Picture {
                path: hostile.to_owned(),
                small: None,
            }),
            label: hostile.to_owned(),
            is_right: false,
            bars: vec![("p_fake".to_owned(), 0.5)],
        };
        let blocks = vec![
            Block::Part(hostile.to_owned()),
            Block::Text(hostile.to_owned()),
            Block::Warnings(vec![hostile.to_owned()]),
            Block::Table(table),
            Block::Cards(vec![card]),
        ];
        let report = |blocks| Report {
            version: "0".to_owned(),
            title: hostile.to_owned(),
            sections: vec![Section {
                id: "answer".to_owned(),
                title: hostile.to_owned(),
                blocks,
            }],
        };
        let html = page(&report(blocks));
        let opened = |html: &str, tag: &str| html.matches(tag).count();
        assert_eq!(
            opened(&html, "<script"),
            opened(&page(&report(Vec::new())), "<script")
        );
        assert_eq!(opened(&html, "<script"), 1, "ours alone");
        assert_eq!(opened(&html, "<img"), 0);
        assert!(
            !html.contains("http://") && !html.contains("https://"),
            "asks a network"
        );
    }
}
