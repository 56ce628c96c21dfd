//! An experiment: TOML, then settings and axes as they are typed (`+key=value`, `*key=values`), zero bytes between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::{pieces, write};
use mmfnd_train::Config;
use mmfnd_train::grid::Grid;

/// Larger grids only take longer.
const MOST: usize = 64;

/// How many points these axes have, as far as commas and ranges say.
fn points(axes: &[String]) -> usize {
    let values = |axis: &String| match axis.split_once("..") {
        Some((first, last)) => {
            let digits = |text: &str| {
                text.chars()
                    .filter(char::is_ascii_digit)
                    .collect::<String>()
            };
            let number = |text: &str| digits(text).parse::<usize>().unwrap_or(0);
            number(last).max(number(first.rsplit('=').next().unwrap_or_default())) + 1
        }
        None => axis.matches(',').count() + 1,
    };
    axes.iter().map(values).fold(1, usize::saturating_mul)
}

fuzz_target!(|data: &[u8]| {
    let mut pieces = pieces(data);
    let toml = pieces.next().unwrap_or_default();
    let (mut settings, mut axes) = (Vec::new(), Vec::new());
    for piece in pieces {
        let Ok(text) = str::from_utf8(piece) else {
            return;
        };
        match (text.strip_prefix('+'), text.strip_prefix('*')) {
            (Some(setting), _) => settings.push(setting.to_owned()),
            (_, Some(axis)) => axes.push(axis.to_owned()),
            _ => {}
        }
    }
    let file = write("experiment.toml", toml);
    if let Ok(config) = Config::read(Some(&file), &settings) {
        let again = Config::parse(&config.to_toml(), "again").expect("what is written is read");
        assert_eq!(again.difference(&config), None);
    }
    if points(&axes) <= MOST {
        let _ = Grid::read(Some(&file), &settings, &axes);
    }
});
