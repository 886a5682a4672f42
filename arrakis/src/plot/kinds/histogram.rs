//! How often values occur, with reference lines: a null distribution and what was observed.
//!
//! *How to read it*: a bar counts the values from its left edge up to, not including, its right edge
//! (the last bar includes both). *When it misleads*: a different number of bins can show a different shape.

use serde::{Deserialize, Serialize};

use super::numbers as into_numbers;
use crate::{
    Error, Result,
    plot::{
        PlotKind,
        axis::{self, Axis, Frame},
        check,
        colour::{self, Colour},
        distribution::Sorted,
        numbers,
        scene::{Align, Area, Scene},
        table::Table,
        text,
    },
};

const PLOT: (f64, f64) = (520.0, 280.0);
const NOTE: f64 = 10.5;
const MOST_BINS: usize = 1000;

/// A vertical line to compare the distribution with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// What the line is, such as `observed`.
    pub label: String,
    /// Its position on the value axis.
    #[serde(with = "numbers")]
    pub x: f64,
}

/// A histogram: values and how they are counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What the values are, with their units.
    pub value_axis: String,
    /// In any order; non-finite values are left out and counted in the note.
    #[serde(with = "numbers")]
    pub values: Vec<f64>,
    /// The number of bins of equal width; `None` for Freedman and Diaconis's rule.
    pub bins: Option<usize>,
    /// Vertical lines to compare with.
    pub references: Vec<Reference>,
}

impl Histogram {
    /// A histogram of `values`.
    pub fn new(value_axis: impl Into<String>, values: impl IntoIterator<Item = impl Into<f64>>) -> Self {
        Self { value_axis: value_axis.into(), values: into_numbers(values), ..Self::default() }
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Sets the number of bins, from 1 to 1000.
    #[must_use]
    pub fn bins(self, bins: usize) -> Self {
        Self { bins: Some(bins), ..self }
    }

    /// Adds a vertical line at `x`.
    #[must_use]
    pub fn reference(mut self, label: impl Into<String>, x: impl Into<f64>) -> Self {
        self.references.push(Reference { label: label.into(), x: x.into() });
        self
    }

    /// Bin edges, and the number of values in each bin. The data must be valid.
    fn counted(&self) -> (Vec<f64>, Vec<usize>) {
        let sorted = Sorted::of(&self.values);
        let edges = sorted.bin_edges(self.bins);
        let counts = sorted.counts(&edges);
        (edges, counts)
    }

    fn axes(&self) -> (Axis, Axis) {
        let (edges, counts) = self.counted();
        let xs = edges.into_iter().chain(self.references.iter().map(|line| line.x));
        let x = Axis::over(&self.value_axis, xs);
        (x, Axis::over("count", counts.into_iter().map(|n| n as f64)).with_zero(true))
    }

    fn note(&self) -> String {
        let sorted = Sorted::of(&self.values);
        let bins = self.counted().1.len();
        let left_out = match sorted.left_out {
            0 => String::new(),
            count => format!("; {count} not finite, left out"),
        };
        format!("n = {}, {bins} bins{left_out}", sorted.values.len())
    }

    fn draw_references(&self, scene: &mut Scene, frame: &Frame) {
        for (index, line) in self.references.iter().enumerate() {
            let x = frame.at(line.x, 0.0).0;
            let colour = colour::series(index + 1, (self.references.len() + 1).min(8));
            scene.dashed((x, frame.plot.y), (x, frame.plot.bottom()), colour, 1.6);
            let label = text::shorten(&format!("{} = {}", line.label, text::short(line.x)), NOTE, 200.0);
            let right = x + 6.0 + text::width(&label, NOTE) <= frame.plot.right();
            let (x, align) = if right { (x + 5.0, Align::Start) } else { (x - 5.0, Align::End) };
            scene.text(&label, (x, frame.plot.y + 8.0 + index as f64 * 15.0), NOTE, align, Colour::INK);
        }
    }
}

impl PlotKind for Histogram {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        check::some_finite("histogram", &self.values)?;
        check::all_finite("histogram", "`references`", self.references.iter().map(|line| &line.x))?;
        match self.bins {
            Some(bins) if bins == 0 || bins > MOST_BINS => {
                let problem = format!("{bins} bins: give a number from 1 to {MOST_BINS}");
                Err(Error::FigureValue { kind: "histogram", problem })
            }
            _ => Ok(()),
        }
    }

    fn size(&self) -> (f64, f64) {
        let (left, bottom) = axis::margins(&self.axes().1, PLOT.1);
        (left + PLOT.0 + 14.0, 22.0 + PLOT.1 + bottom)
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (x, y) = self.axes();
        let (left, _) = axis::margins(&y, PLOT.1);
        let frame = Frame { x, y, plot: Area { x: area.x + left, y: area.y + 22.0, w: PLOT.0, h: PLOT.1 } };
        frame.draw(scene);
        let (edges, counts) = self.counted();
        for (pair, count) in edges.windows(2).zip(counts) {
            let (from, top) = frame.at(pair[0], count as f64);
            let to = frame.at(pair[1], 0.0).0;
            // A gap between bars, unless they are too thin.
            let seam = if to - from > 4.0 { 0.5 } else { 0.0 };
            let bar = Area { x: from, y: top, w: to - from - seam, h: frame.plot.bottom() - top };
            scene.fill(bar, colour::series(0, 1).alpha(0.8));
        }
        self.draw_references(scene, &frame);
        scene.text(&self.note(), (frame.plot.right(), area.y + 10.0), NOTE, Align::End, Colour::FAINT);
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["value"]);
        table.rows = self.values.iter().map(|value| vec![numbers::exact(*value)]).collect();
        table
    }

    fn to_terminal(&self) -> String {
        let (edges, counts) = self.counted();
        let names = edges.iter().map(|edge| text::short(*edge));
        let bars = super::Bars::new(names.zip(counts.iter().map(|count| *count as f64)));
        bars.to_terminal() + &self.note() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Histogram {
        fn examples(values: &[f64]) -> Vec<Self> {
            vec![Self::new("", values.to_vec())]
        }
    }

    #[test]
    fn counts_by_hand() {
        let plot = Histogram::new("effect (nats)", [0.0, 0.1, 0.9, 1.0, f64::NAN]).bins(2);
        assert_eq!(plot.counted(), (vec![0.0, 0.5, 1.0], vec![2, 2]));
        assert_eq!(plot.note(), "n = 4, 2 bins; 1 not finite, left out");
    }

    #[test]
    fn the_axis_reaches_the_reference_line() {
        let plot = Histogram::new("t", [0.0, 1.0]).reference("observed", 7.5);
        let (x, y) = plot.axes();
        assert!(x.high > 7.5 && y.low == 0.0);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            Histogram::new("t", [1.0]).bins(0).validate().unwrap_err().to_string(),
            "histogram: 0 bins: give a number from 1 to 1000"
        );
        assert_eq!(
            Histogram::new("t", [1.0]).reference("observed", f64::NAN).validate().unwrap_err().to_string(),
            "histogram: entry 0 of `references` is NaN: leave it out, or give a finite number"
        );
    }
}
