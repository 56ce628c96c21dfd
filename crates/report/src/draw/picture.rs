//! Figures as PNG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::colour::in_light;
use crate::Error;

/// Pixels for each unit of the drawing, so that a figure of the page fills a column in print.
const SCALE: f32 = 3.0;

/// A figure of the page as the bytes of a PNG, on white.
pub fn png(id: &str, svg: &str) -> Result<Vec<u8>, Error> {
    let problem = |problem: String| Error::Picture {
        id: id.to_owned(),
        problem,
    };
    let mut options = Options::default();
    options.fontdb_mut().load_system_fonts();
    if options.fontdb.is_empty() {
        let what = "the system has no font; install one (Debian, Ubuntu: fonts-dejavu-core)";
        return Err(problem(what.to_owned()));
    }
    let tree = Tree::from_str(&in_light(svg), &options);
    let tree = tree.map_err(|error| problem(format!("{error}")))?;
    let size = tree.size();
    let pixels = |length: f32| (length * SCALE).ceil() as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| problem("it has no size".to_owned()))?;
    pixmap.fill(resvg::tiny_skia::Color::WHITE);
    let scale = Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, scale, &mut pixmap.as_mut());
    pixmap
        .encode_png()
        .map_err(|error| problem(format!("{error}")))
}
