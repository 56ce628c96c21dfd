//! The colours of page and figures: variables of CSS, light and dark.
//!
//! Series after Okabe and Ito (2008), who chose them so that colour-blind people can tell them apart; here darker on
//! light and lighter on dark ground, so that
//! each has a contrast of at least 3 with it. Steps of the matrices: one hue, by lightness alone.

use std::fmt::Write as _;

/// Name, on light ground, on dark ground.
const COLOURS: [(&str, &str, &str); 34] = [
    ("paper", "#ffffff", "#14181d"),
    ("card", "#f5f7f9", "#1c2229"),
    ("ink", "#1b2026", "#e8ebee"),
    ("soft", "#59626c", "#a6b0ba"),
    ("rule", "#8a939c", "#7d8790"),
    ("grid", "#e3e7eb", "#2c343c"),
    ("line", "#d5dae0", "#343d46"),
    ("accent", "#005f99", "#6cb8ef"),
    ("good", "#00694c", "#4fd0a5"),
    ("bad", "#a8320b", "#ff9a73"),
    ("warn-ground", "#fff6e0", "#2d2614"),
    ("warn-line", "#c98a00", "#c99a2e"),
    ("s0", "#0072b2", "#56b4e9"),
    ("s1", "#c04f00", "#ff9d5c"),
    ("s2", "#00805d", "#2fc79b"),
    ("s3", "#b0528a", "#e59cc6"),
    ("s4", "#8a6d00", "#e6c229"),
    ("s5", "#5a5f66", "#b9c0c7"),
    ("m0", "#f2f7fb", "#18222b"),
    ("m1", "#dceaf5", "#1b3143"),
    ("m2", "#bfd9ee", "#1e425e"),
    ("m3", "#97c3e4", "#215579"),
    ("m4", "#69a8d6", "#266b98"),
    ("m5", "#3d8bc4", "#3484b8"),
    ("m6", "#206fac", "#529fd1"),
    ("m7", "#0f538c", "#80bce5"),
    ("m0-ink", "#1b2026", "#e8ebee"),
    ("m1-ink", "#1b2026", "#e8ebee"),
    ("m2-ink", "#1b2026", "#e8ebee"),
    ("m3-ink", "#1b2026", "#e8ebee"),
    ("m4-ink", "#101418", "#ffffff"),
    ("m5-ink", "#101418", "#0b0f13"),
    ("m6-ink", "#ffffff", "#0b0f13"),
    ("m7-ink", "#ffffff", "#0b0f13"),
];

/// How many series have a colour of their own.
pub(super) const SERIES: usize = 6;

/// Steps of a matrix.
pub(super) const STEPS: usize = 8;

/// The variables for the page.
pub fn style_sheet() -> String {
    let variables = |dark: bool| {
        let mut text = String::new();
        for (name, on_light, on_dark) in COLOURS {
            let colour = if dark { on_dark } else { on_light };
            let _ = write!(text, "--{name}:{colour};");
        }
        text
    };
    let (light, dark) = (variables(false), variables(true));
    format!(
        ":root{{color-scheme:light dark;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
}

/// A drawing whose colours are those on light ground, for files that no page surrounds.
pub fn in_light(svg: &str) -> String {
    let mut svg = svg.to_owned();
    for (name, light, _) in COLOURS {
        svg = svg.replace(&format!("var(--{name})"), light);
    }
    svg
}

/// The colour of a series.
pub(super) fn series(index: usize) -> String {
    format!("var(--s{})", index % SERIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours after WCAG 2.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = u8::from_str_radix(&colour[at..at + 2], 16).map_or(0.0, f64::from);
                match value / 255.0 {
                    value if value <= 0.04045 => value / 12.92,
                    value => ((value + 0.055) / 1.055).powf(2.4),
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    fn colour(name: &str) -> [&'static str; 2] {
        let found = COLOURS.iter().find(|(known, ..)| *known == name);
        found.map_or(["#000000"; 2], |(_, light, dark)| [light, dark])
    }

    #[test]
    fn text_and_lines_stand_out_from_their_ground() {
        for theme in [0, 1] {
            for ground in ["paper", "card", "warn-ground"].map(|name| colour(name)[theme]) {
                for (name, least) in [
                    ("ink", 7.0),
                    ("soft", 4.5),
                    ("accent", 4.5),
                    ("bad", 4.5),
                    ("good", 4.5),
                ] {
                    let found = contrast(colour(name)[theme], ground);
                    assert!(found >= least, "{name} on {ground}: {found:.2}");
                }
            }
            for series in 0..SERIES {
                let found = contrast(colour(&format!("s{series}"))[theme], colour("paper")[theme]);
                assert!(found >= 3.0, "series {series}: {found:.2}");
            }
            for step in 0..STEPS {
                let ink = colour(&format!("m{step}-ink"))[theme];
                let found = contrast(ink, colour(&format!("m{step}"))[theme]);
                assert!(found >= 4.5, "step {step}: {found:.2}");
            }
        }
    }

    #[test]
    fn a_file_of_its_own_has_no_variables_left() {
        let svg = format!("<path stroke=\"{}\" fill=\"var(--m3-ink)\"/>", series(7));
        assert_eq!(
            in_light(&svg),
            "<path stroke=\"#c04f00\" fill=\"#1b2026\"/>"
        );
    }
}
