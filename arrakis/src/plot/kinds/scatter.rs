//! Pairs of numbers as points, on request with their correlation and the line `y = x`.
//!
//! *How to read it*: `r` is Pearson's, over the points with two finite values. *When it misleads*: one
//! outlier can create or hide a correlation, so look at the points first.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    hypothesis::stats,
    plot::{
        PlotKind,
        axis::{self, Axis, Frame},
        check,
        colour::{self, Colour},
        numbers,
        scene::{Align, Area, Scene},
        table::Table,
        text,
    },
};

const SIDE: f64 = 380.0;
const NOTE: f64 = 10.5;

/// One point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// Its `x` value.
    #[serde(with = "numbers")]
    pub x: f64,
    /// Its `y` value.
    #[serde(with = "numbers")]
    pub y: f64,
    /// Its label, written if there is room.
    pub label: Option<String>,
}

/// A scatter plot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scatter {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What `x` is, with its units.
    pub x_axis: String,
    /// What `y` is, with its units.
    pub y_axis: String,
    /// Points with a non-finite value are left out and counted.
    pub points: Vec<Point>,
    /// Whether to draw `y = x`, on two equal axes.
    pub identity: bool,
    /// Whether to write Pearson's `r` and the number of points.
    pub correlation: bool,
}

impl Scatter {
    /// A scatter plot of points `(x, y)`.
    pub fn new(
        x_axis: impl Into<String>,
        y_axis: impl Into<String>,
        points: impl IntoIterator<Item = (impl Into<f64>, impl Into<f64>)>,
    ) -> Self {
        let points = points.into_iter().map(|(x, y)| Point { x: x.into(), y: y.into(), label: None }).collect();
        Self { x_axis: x_axis.into(), y_axis: y_axis.into(), points, ..Self::default() }
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Names the points, one label each; an empty label is not drawn.
    ///
    /// # Errors
    ///
    /// `FigureShape` if there are not as many labels as points.
    pub fn labels(mut self, labels: impl IntoIterator<Item = impl ToString>) -> Result<Self> {
        let labels = super::strings(labels);
        check::length("scatter", "`labels`", self.points.len(), labels.len())?;
        for (point, label) in self.points.iter_mut().zip(labels) {
            point.label = (!label.is_empty()).then_some(label);
        }
        Ok(self)
    }

    /// Draws the line `y = x`.
    #[must_use]
    pub fn identity(self) -> Self {
        Self { identity: true, ..self }
    }

    /// Writes Pearson's `r`.
    #[must_use]
    pub fn correlation(self) -> Self {
        Self { correlation: true, ..self }
    }

    /// Pearson's `r` of the finite points; `None` for fewer than two, or if `x` or `y` is constant.
    pub fn pearson(&self) -> Option<f64> {
        let (xs, ys): (Vec<f64>, Vec<f64>) = self.finite().map(|point| (point.x, point.y)).unzip();
        // Every error of `pearson` means that the correlation is not defined.
        stats::pearson(&xs, &ys).ok()
    }

    fn finite(&self) -> impl Iterator<Item = &Point> + Clone {
        self.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
    }

    fn axes(&self) -> (Axis, Axis) {
        let (xs, ys) = (self.finite().map(|p| p.x), self.finite().map(|p| p.y));
        if self.identity {
            let both = |name: &str| Axis::over(name, xs.clone().chain(ys.clone()));
            return (both(&self.x_axis), both(&self.y_axis));
        }
        (Axis::over(&self.x_axis, xs), Axis::over(&self.y_axis, ys))
    }

    fn note(&self) -> String {
        let n = self.finite().count();
        let mut parts = Vec::new();
        if self.correlation {
            let r = self.pearson().map_or_else(|| "r undefined".to_owned(), |r| format!("r = {r:.3}"));
            parts.push(format!("{r}, n = {n}"));
        }
        if self.identity {
            parts.push("dashed: y = x".to_owned());
        }
        if n < self.points.len() {
            parts.push(format!("{} not finite, left out", self.points.len() - n));
        }
        parts.join("; ")
    }

    /// Draws labels to the right of their points, or to the left at the edge. A label that would overlap
    /// an earlier one is left out (the table has it).
    fn draw_labels(&self, scene: &mut Scene, frame: &Frame) {
        let mut taken: Vec<Area> = Vec::new();
        for point in self.finite() {
            let Some(label) = &point.label else { continue };
            let label = text::shorten(&text::visible(label), 9.0, 120.0);
            let ((x, y), wide) = (frame.at(point.x, point.y), text::width(&label, 9.0));
            let inside = x + 6.0 + wide <= frame.plot.right();
            let left = if inside { x + 6.0 } else { x - 6.0 - wide };
            let area = Area { x: left, y: y - 6.0, w: wide, h: 12.0 };
            let hit = |other: &Area| {
                area.x < other.right() && other.x < area.right() && area.y < other.bottom() && other.y < area.bottom()
            };
            if !taken.iter().any(hit) {
                scene.text(&label, (left, y), 9.0, Align::Start, Colour::INK);
                taken.push(area);
            }
        }
    }
}

impl PlotKind for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        if self.points.len() > check::MAX_CELLS {
            let problem = format!("{} points are too many to draw: take a sample of them", self.points.len());
            return Err(Error::FigureValue { kind: "scatter", problem });
        }
        // The sum is finite only if both coordinates are.
        let sums: Vec<f64> = self.points.iter().map(|point| point.x / 2.0 + point.y / 2.0).collect();
        check::some_finite("scatter", &sums)?;
        check::drawable("scatter", self.points.iter().flat_map(|point| [&point.x, &point.y]))
    }

    fn size(&self) -> (f64, f64) {
        let (left, bottom) = axis::margins(&self.axes().1, SIDE);
        (left + SIDE + 14.0, 22.0 + SIDE + bottom)
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (x, y) = self.axes();
        let (left, _) = axis::margins(&y, SIDE);
        let frame = Frame { x, y, plot: Area { x: area.x + left, y: area.y + 22.0, w: SIDE, h: SIDE } };
        frame.draw(scene);
        if self.identity {
            let (from, to) = (frame.at(frame.x.low, frame.x.low), frame.at(frame.x.high, frame.x.high));
            scene.dashed(from, to, Colour::FAINT, 1.0);
        }
        let many = self.points.len() > 300;
        let (radius, alpha) = if many { (2.0, 0.45) } else { (3.2, 0.8) };
        for point in self.finite() {
            scene.circle(frame.at(point.x, point.y), radius, colour::series(0, 1).alpha(alpha));
        }
        self.draw_labels(scene, &frame);
        scene.text(&self.note(), (frame.plot.right(), area.y + 10.0), NOTE, Align::End, Colour::FAINT);
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["label", "x", "y"]);
        for point in &self.points {
            let label = point.label.clone().unwrap_or_default();
            table.rows.push(vec![label, numbers::exact(point.x), numbers::exact(point.y)]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Scatter {
        fn examples(values: &[f64]) -> Vec<Self> {
            vec![Self::new("", "", values.iter().map(|value| (*value, -value))).identity().correlation()]
        }
    }

    #[test]
    fn pearson_by_hand() {
        // Deviations (-1, 0, 1) and (-1, 1, 0): r = 1 / (sqrt 2 sqrt 2).
        let cloud = Scatter::new("x", "y", [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (f64::NAN, 9.0)]).correlation();
        assert!((cloud.pearson().unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(cloud.note(), "r = 0.500, n = 3; 1 not finite, left out");
        let flat = Scatter::new("x", "y", [(1.0, 1.0), (2.0, 1.0)]).correlation();
        assert_eq!(flat.note(), "r undefined, n = 2");
        let rounding = Scatter::new("x", "y", [(0.1, 1.0), (0.1, 2.0), (0.1, 3.0)]).correlation();
        assert_eq!(rounding.note(), "r undefined, n = 3");
    }

    #[test]
    fn the_identity_needs_equal_axes() {
        let (x, y) = Scatter::new("x", "y", [(0.0, 5.0), (1.0, 7.0)]).identity().axes();
        assert_eq!((x.low, x.high), (y.low, y.high));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            Scatter::new("x", "y", [(f64::NAN, 1.0)]).validate().unwrap_err().to_string(),
            "nothing to draw in the scatter: all its values are NaN or infinite; widen the selection it was made from"
        );
        assert_eq!(
            Scatter::new("x", "y", [(0.0, 1.0)]).labels(["a", "b"]).unwrap_err().to_string(),
            "scatter: `labels` should have 1 entries, has 2"
        );
    }
}
