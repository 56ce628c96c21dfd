//! Charts with two axes, drawn by the crate `kuva`.

use kuva::plot::line::LineStyle;
use kuva::plot::scatter::MarkerShape;
use kuva::plot::{BandPlot, LinePlot, ScatterPlot};
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::theme::Theme;

use super::colour::{SERIES, series};
use super::legend::{Key, ROW, Sample, legend};
use super::svg::{framed, shortened};

/// Width that fits a telephone without becoming too small to read.
const WIDTH: f64 = 420.0;

/// Without the legend below it.
const HEIGHT: f64 = 280.0;

/// From where to where an axis goes.
type Range = (f64, f64);

/// A chart.
pub struct Chart {
    id: String,
    title: String,
    description: String,
    labels: (String, String),
    x: Option<Range>,
    y: Option<Range>,
    x_step: Option<f64>,
    plots: Vec<Plot>,
    keys: Vec<Key>,
}

impl Chart {
    /// An empty chart; `labels` are those of the axes.
    pub fn new(id: &str, title: &str, description: &str, labels: (&str, &str)) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            labels: (labels.0.to_owned(), labels.1.to_owned()),
            x: None,
            y: None,
            x_step: None,
            plots: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Axes that do not follow the data.
    pub fn ranges(mut self, x: impl Into<Option<Range>>, y: impl Into<Option<Range>>) -> Self {
        (self.x, self.y) = (x.into(), y.into());
        self
    }

    /// Ticks at whole numbers alone, some ten of them at most.
    pub fn whole_numbers(mut self) -> Self {
        let (low, high) = self.x.unwrap_or_default();
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
        let is_wide_enough = |step: &f64| (high - low) / step <= 10.5;
        self.x_step = Some(steps.into_iter().find(is_wide_enough).unwrap_or(1000.0));
        self
    }

    /// A line; series beyond the colours are told apart by their dashes too.
    pub fn line(mut self, name: &str, index: usize, points: &[(f64, f64)]) -> Self {
        let styles = [LineStyle::Solid, LineStyle::Dashed, LineStyle::Dotted];
        let style = styles[(index / SERIES).min(2)].clone();
        let line = LinePlot::new()
            .with_data(points.iter().copied())
            .with_color(series(index))
            .with_stroke_width(2.0)
            .with_line_style(style);
        self.plots.push(line.into());
        self.key(name, Sample::Line(index));
        self
    }

    /// A thin dashed line to compare with.
    pub fn reference(mut self, name: &str, points: &[(f64, f64)]) -> Self {
        let line = LinePlot::new()
            .with_data(points.iter().copied())
            .with_color("var(--rule)")
            .with_stroke_width(1.2)
            .with_dashed();
        self.plots.push(line.into());
        self.key(name, Sample::Reference);
        self
    }

    /// Points, each with what is shown when the pointer rests on it.
    pub fn points(mut self, index: usize, points: &[(f64, f64, String)]) -> Self {
        let shapes = [
            MarkerShape::Circle,
            MarkerShape::Square,
            MarkerShape::Triangle,
            MarkerShape::Diamond,
            MarkerShape::Plus,
            MarkerShape::TriangleDown,
        ];
        let plot = ScatterPlot::new()
            .with_data(points.iter().map(|(x, y, _)| (*x, *y)))
            .with_color(series(index))
            .with_marker(shapes[index % SERIES])
            .with_size(3.2)
            .with_tooltips()
            .with_tooltip_labels(points.iter().map(|(.., label)| label.clone()));
        self.plots.push(plot.into());
        self
    }

    fn key(&mut self, name: &str, sample: Sample) {
        self.keys.push(Key {
            name: name.to_owned(),
            sample,
        });
    }

    /// An interval at each x.
    pub fn band(mut self, index: usize, points: &[(f64, f64, f64)]) -> Self {
        let column = |of: fn(&(f64, f64, f64)) -> f64| points.iter().map(of).collect::<Vec<_>>();
        let (x, low, high) = (column(|p| p.0), column(|p| p.1), column(|p| p.2));
        let band = BandPlot::new(x, low, high)
            .with_color(series(index))
            .with_opacity(0.18);
        self.plots.push(band.into());
        self
    }

    /// The drawing.
    pub fn svg(self) -> String {
        let mut layout = Layout::auto_from_plots(&self.plots)
            .with_x_label(self.labels.0)
            .with_y_label(self.labels.1)
            .with_theme(theme())
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_label_size(12)
            .with_tick_size(11)
            .with_body_size(12);
        if let Some((low, high)) = self.x {
            layout = layout.with_x_axis_min(low).with_x_axis_max(high);
        }
        if let Some((low, high)) = self.y {
            layout = layout.with_y_axis_min(low).with_y_axis_max(high);
        }
        if let Some(step) = self.x_step {
            layout = layout
                .with_x_tick_step(step)
                .with_x_tick_format(TickFormat::Integer);
        }
        let svg = kuva::render_to_svg(self.plots, layout);
        let ((width, height), contents) = opened(&svg);
        let contents = with_own_clips(&contents, &self.id);
        let contents = shortened(&contents) + &legend(&self.keys, height);
        let size = (width, height + ROW * self.keys.len() as f64 + 4.0);
        framed(&self.id, size, (&self.title, &self.description), &contents)
    }
}

/// Size and contents of a drawing of `kuva`, without its style for pointers, which would hold for the whole page.
fn opened(svg: &str) -> ((f64, f64), String) {
    let (root, contents) = svg.split_once('>').unwrap_or_default();
    let attribute = |name: &str| {
        let (_, rest) = root.split_once(&format!(" {name}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    let size = (
        attribute("width").unwrap_or(WIDTH),
        attribute("height").unwrap_or(HEIGHT),
    );
    let mut contents = contents.trim_end().trim_end_matches("</svg>").to_owned();
    if let (Some(start), Some(end)) = (contents.find("<style>"), contents.find("</style>")) {
        contents.replace_range(start..end + "</style>".len(), "");
    }
    if let (Some(start), Some(end)) = (contents.find("<!--"), contents.find("-->")) {
        contents.replace_range(start..end + "-->".len(), "");
    }
    (size, contents)
}

/// Clips under the drawing's name and in its own order: `kuva` counts them over all drawings of the process, so that
/// the same figure would never be the same file.
fn with_own_clips(contents: &str, id: &str) -> String {
    let mut parts = contents.split("kuva-clip-");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut clips: Vec<&str> = Vec::new();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit());
        let (clip, rest) = part.split_at(end.unwrap_or(part.len()));
        let place = clips.iter().position(|other| *other == clip);
        let place = place.unwrap_or_else(|| {
            clips.push(clip);
            clips.len() - 1
        });
        text += &format!("{id}-clip-{place}{rest}");
    }
    text
}

fn theme() -> Theme {
    let colour = |name: &str| format!("var(--{name})");
    Theme {
        background: "none".to_owned(),
        axis_color: colour("rule"),
        grid_color: colour("grid"),
        tick_color: colour("rule"),
        text_color: colour("ink"),
        legend_bg: "none".to_owned(),
        legend_border: "none".to_owned(),
        ..Theme::light()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_the_same_however_many_were_drawn_before() {
        let chart = || {
            let chart = Chart::new("a", "title", "description", ("x", "y"));
            chart.line("one", 0, &[(0.0, 0.0), (1.0, 1.0)]).svg()
        };
        assert_eq!(chart(), chart());
    }
}
