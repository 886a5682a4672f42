//! Series of numbers over a numeric axis: norms by layer, loss by step, probability by position.
//!
//! *How to read it*: `x` is numeric, so layer 10 comes after layer 9. A gap is a non-finite value.
//! *When it misleads*: on a logarithmic axis equal heights are equal ratios. Where a pixel has more points than one, it shows the
//! span from the lowest to the highest, so a rare outlier looks like a frequent one.

use serde::{Deserialize, Serialize};

use super::numbers as into_numbers;
use crate::{
    Error, Result,
    plot::{
        PlotKind,
        axis::{self, Axis, Frame},
        check,
        colour::{self, Colour},
        columns, numbers,
        scene::{Align, Area, LINE_PITCH, Scene},
        table::Table,
        terminal, text,
    },
};

const PLOT: (f64, f64) = (560.0, 320.0);
const LEGEND: f64 = 11.0;
const NOTE: f64 = 10.5;
const LEGEND_LIMIT: usize = 24;

/// One named line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// In increasing order.
    #[serde(with = "numbers")]
    pub x: Vec<f64>,
    /// As long as `x`; a gap if not finite.
    #[serde(with = "numbers")]
    pub y: Vec<f64>,
    /// The lower edge of a band around the line, such as a confidence interval.
    #[serde(with = "numbers")]
    pub low: Option<Vec<f64>>,
    /// The upper edge of the band.
    #[serde(with = "numbers")]
    pub high: Option<Vec<f64>>,
}

impl Series {
    /// A line through `(x, y)`.
    pub fn new(
        name: impl Into<String>,
        x: impl IntoIterator<Item = impl Into<f64>>,
        y: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        Self { name: name.into(), x: into_numbers(x), y: into_numbers(y), low: None, high: None }
    }

    /// A line over 0, 1, 2 ...: one value per layer or per position.
    pub fn by_index(name: impl Into<String>, y: impl IntoIterator<Item = impl Into<f64>>) -> Self {
        let y = into_numbers(y);
        Self { name: name.into(), x: (0..y.len()).map(|index| index as f64).collect(), y, low: None, high: None }
    }

    /// A band from `low` to `high` around the line.
    #[must_use]
    pub fn band(
        self,
        low: impl IntoIterator<Item = impl Into<f64>>,
        high: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        Self { low: Some(into_numbers(low)), high: Some(into_numbers(high)), ..self }
    }

    fn check(&self) -> Result<()> {
        let part = |what: &str| format!("{what} of series `{}`", self.name);
        check::length("line", part("`y`"), self.x.len(), self.y.len())?;
        check::all_finite("line", &part("`x`"), &self.x)?;
        check::length("line", part("`low`"), self.x.len(), self.low.as_ref().map_or(self.x.len(), Vec::len))?;
        check::length("line", part("`high`"), self.x.len(), self.high.as_ref().map_or(self.x.len(), Vec::len))?;
        if self.low.is_some() != self.high.is_some() {
            let problem = format!("series `{}` has one edge of a band: give `low` and `high`, or neither", self.name);
            return Err(Error::FigureValue { kind: "line", problem });
        }
        if self.x.is_sorted() {
            return Ok(());
        }
        let problem = format!("{} does not rise: sort the points by it", part("`x`"));
        Err(Error::FigureValue { kind: "line", problem })
    }

    /// Every `y` value drawn, the band's included.
    fn heights(&self) -> impl Iterator<Item = f64> {
        let band = self.low.iter().chain(&self.high).flatten();
        self.y.iter().chain(band).copied()
    }

    /// Runs of neighbouring points that are all finite.
    fn runs(&self) -> Vec<Vec<usize>> {
        runs(&(0..self.y.len()).collect::<Vec<_>>(), |index| self.y[index].is_finite())
    }
}

/// Splits `indices` at those that are not `whole` into runs of neighbours.
fn runs(indices: &[usize], whole: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let runs = indices.chunk_by(|a, b| whole(*a) == whole(*b));
    runs.filter(|run| whole(run[0])).map(<[usize]>::to_vec).collect()
}

/// Lines over a shared pair of axes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What `x` is, such as `layer`.
    pub x_axis: String,
    /// What `y` is, with its units.
    pub y_axis: String,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
    /// Whether the `y` axis is logarithmic; all values must then be positive.
    pub log_y: bool,
}

impl Line {
    /// Axes with no lines yet.
    pub fn new(x_axis: impl Into<String>, y_axis: impl Into<String>) -> Self {
        Self { x_axis: x_axis.into(), y_axis: y_axis.into(), ..Self::default() }
    }

    /// Adds a line.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Makes `y` logarithmic.
    #[must_use]
    pub fn log_y(self) -> Self {
        Self { log_y: true, ..self }
    }

    fn axes(&self) -> (Axis, Axis) {
        let x = Axis::over(&self.x_axis, self.series.iter().flat_map(|series| series.x.iter().copied()));
        let heights = self.series.iter().flat_map(Series::heights);
        let y = if self.log_y {
            Axis::logarithmic(&self.y_axis, heights)
        } else {
            Axis::over(&self.y_axis, heights).with_zero(false)
        };
        (x, y)
    }

    fn frame(&self, area: Area) -> Frame {
        let (x, y) = self.axes();
        let (left, _) = axis::margins(&y, PLOT.1);
        Frame { x, y, plot: Area { x: area.x + left, y: area.y + 6.0, w: PLOT.0, h: PLOT.1 } }
    }

    /// How many gaps there are; empty if there are none.
    fn note(&self) -> String {
        let missing = self.series.iter().flat_map(Series::heights).filter(|value| !value.is_finite()).count();
        if missing == 0 { String::new() } else { format!("gaps: {missing} not finite") }
    }

    fn legend_width(&self) -> f64 {
        if self.series.len() < 2 {
            return 14.0;
        }
        44.0 + text::widest(self.series.iter().map(|series| &series.name), LEGEND).min(180.0)
    }

    fn draw_series(&self, scene: &mut Scene, frame: &Frame, index: usize) {
        let (series, colour) = (&self.series[index], colour::series(index, self.series.len()));
        for run in series.runs() {
            if let (Some(low), Some(high)) = (&series.low, &series.high) {
                for run in runs(&run, |i| low[i].is_finite() && high[i].is_finite()) {
                    draw_band(scene, frame, (&series.x, low, high), &run, colour);
                }
            }
            let points: Vec<_> = run.iter().map(|i| frame.at(series.x[*i], series.y[*i])).collect();
            if series.x.len() <= 60 || run.len() == 1 {
                for point in &points {
                    scene.circle(*point, 2.6, colour);
                }
            }
            scene.path(columns::seen(&points), colour, 1.6);
        }
    }

    fn draw_legend(&self, scene: &mut Scene, plot: Area) {
        if self.series.len() < 2 {
            return;
        }
        let x = plot.right() + 14.0;
        for (index, series) in self.series.iter().enumerate().take(LEGEND_LIMIT) {
            let y = plot.y + 6.0 + index as f64 * 16.0;
            let last = index + 1 == LEGEND_LIMIT && self.series.len() > LEGEND_LIMIT;
            let more = format!("and {} more", self.series.len() - index);
            let name = if last { &more } else { &series.name };
            let colour = colour::series(index, self.series.len());
            scene.path(vec![(x, y), (x + 18.0, y)], colour, 2.4);
            scene.text(&text::shorten(name, LEGEND, 180.0), (x + 24.0, y), LEGEND, Align::Start, Colour::INK);
        }
    }
}

fn draw_band(
    scene: &mut Scene,
    frame: &Frame,
    (x, low, high): (&[f64], &[f64], &[f64]),
    run: &[usize],
    colour: Colour,
) {
    let seen = |y: &[f64]| columns::seen(&run.iter().map(|i| frame.at(x[*i], y[*i])).collect::<Vec<_>>());
    let edge: Vec<_> = seen(high).into_iter().chain(seen(low).into_iter().rev()).collect();
    if edge.len() > 2 {
        scene.polygon(edge, colour.alpha(0.18));
    }
}

impl PlotKind for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        let points: usize = self.series.iter().map(|series| series.x.len()).sum();
        if points > check::MAX_CELLS {
            let problem = format!("{points} points are more than {}: take every tenth", check::MAX_CELLS);
            return Err(Error::FigureValue { kind: "line", problem });
        }
        self.series.iter().try_for_each(Series::check)?;
        check::some_finite("line", self.series.iter().flat_map(|series| &series.y))?;
        check::drawable("line", &self.series.iter().flat_map(Series::heights).collect::<Vec<_>>())?;
        let low = self.series.iter().flat_map(Series::heights).find(|v| self.log_y && *v <= 0.0);
        low.map_or(Ok(()), |value| {
            let problem = format!("{value} has no place on a logarithmic axis: leave out `log_y`");
            Err(Error::FigureValue { kind: "line", problem })
        })
    }

    fn size(&self) -> (f64, f64) {
        let (left, bottom) = axis::margins(&self.axes().1, PLOT.1);
        let legend = self.series.len().min(LEGEND_LIMIT) as f64 * 16.0;
        let note = if self.note().is_empty() { 0.0 } else { NOTE * LINE_PITCH };
        (left + PLOT.0 + self.legend_width(), 6.0 + (PLOT.1 + bottom).max(legend) + note)
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let frame = self.frame(area);
        frame.draw(scene);
        (0..self.series.len()).for_each(|index| self.draw_series(scene, &frame, index));
        self.draw_legend(scene, frame.plot);
        let (_, bottom) = axis::margins(&frame.y, PLOT.1);
        let at = (frame.plot.right(), frame.plot.bottom() + bottom + NOTE / 2.0);
        if !self.note().is_empty() {
            scene.text(&self.note(), at, NOTE, Align::End, Colour::FAINT);
        }
    }

    fn table(&self) -> Table {
        let band = self.series.iter().any(|series| series.low.is_some() || series.high.is_some());
        let mut table = Table::new(if band { &["series", "x", "y", "low", "high"] } else { &["series", "x", "y"] });
        let edge = |edge: &Option<Vec<f64>>, i: usize| edge.as_ref().map_or(String::new(), |v| numbers::exact(v[i]));
        for series in &self.series {
            for i in 0..series.x.len() {
                let mut row = vec![series.name.clone(), numbers::exact(series.x[i]), numbers::exact(series.y[i])];
                if band {
                    row.extend([edge(&series.low, i), edge(&series.high, i)]);
                }
                table.rows.push(row);
            }
        }
        table
    }

    fn to_terminal(&self) -> String {
        let named: Vec<_> = self.series.iter().map(|series| (&series.name, series.y.as_slice())).collect();
        terminal::lines(&named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Line {
        fn examples(values: &[f64]) -> Vec<Self> {
            let series = Series::by_index("", values.to_vec());
            let band = series.clone().band(values.to_vec(), values.to_vec());
            vec![Self::new("", "").series(series), Self::new("", "").series(band)]
        }
    }

    #[test]
    fn layer_ten_comes_after_layer_nine() {
        let line = Line::new("layer", "norm").series(Series::by_index("resid_post", (0..12).map(f64::from)));
        let frame = line.frame(Area { x: 0.0, y: 0.0, w: 0.0, h: 0.0 });
        assert!(frame.at(10.0, 0.0).0 > frame.at(9.0, 0.0).0);
        assert_eq!(line.table().rows[10], ["resid_post", "10", "10"]);
    }

    #[test]
    fn a_nan_breaks_the_line() {
        let series = Series::by_index("a", [1.0, f64::NAN, 2.0, 3.0]);
        assert_eq!(series.runs(), [vec![0], vec![2, 3]]);
        assert!(Line::new("x", "y").series(series).validate().is_ok());
    }

    #[test]
    fn a_band_has_a_gap_where_an_edge_is_not_finite() {
        let n = f64::NAN;
        let series = Series::by_index("a", [1.0; 6]).band([0.0, 0.0, n, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0, 2.0, n]);
        let line = Line::new("x", "y").series(series);
        let mut scene = Scene::default();
        line.draw(&mut scene, Area { x: 0.0, y: 0.0, w: 0.0, h: 0.0 });
        let bands = scene.marks.iter().filter(|mark| matches!(mark, crate::plot::Mark::Polygon(..)));
        assert_eq!(bands.count(), 2, "from 0 to 1, and from 3 to 4");
        assert_eq!(line.note(), "gaps: 2 not finite");
    }

    #[test]
    fn a_hundred_thousand_points_are_no_more_marks_than_pixels_can_show() {
        let noise = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 16);
        let series =
            Series::by_index("loss", (0..100_000).map(noise)).band(vec![0.0; 100_000], (0..100_000).map(noise));
        let line = Line::new("step", "nats").series(series);
        let mut scene = Scene::default();
        line.draw(&mut scene, Area { x: 0.0, y: 0.0, w: 0.0, h: 0.0 });
        let points: usize = scene.marks.iter().map(|mark| mark.corners().len()).sum();
        assert!(points < 3 * 4 * 1121 + 200, "{points} points");
        assert_eq!(line.table().rows.len(), 100_000, "the table has every number");
    }

    #[test]
    fn mistakes_are_named() {
        let message = |line: Line| line.validate().unwrap_err().to_string();
        let line = || Line::new("x", "y");
        assert_eq!(
            message(line().series(Series::new("a", [1.0, 2.0], [1.0]))),
            "line: `y` of series `a` should have 2 entries, has 1"
        );
        assert_eq!(
            message(line().series(Series::new("a", [2.0, 1.0], [1.0, 1.0]))),
            "line: `x` of series `a` does not rise: sort the points by it"
        );
        assert_eq!(
            message(line().series(Series::by_index("a", [0.0, 1.0])).log_y()),
            "line: 0 has no place on a logarithmic axis: leave out `log_y`"
        );
        let half = Series { low: Some(vec![0.0]), ..Series::by_index("a", [0.0]) };
        assert_eq!(
            message(line().series(half)),
            "line: series `a` has one edge of a band: give `low` and `high`, or neither"
        );
        assert_eq!(
            message(line()),
            "nothing to draw in the line: it has no values; widen the selection it was made from"
        );
    }
}
