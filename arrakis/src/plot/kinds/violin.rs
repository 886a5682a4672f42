//! Distributions next to each other, as violins or box plots. The caption says which, and of how many values.
//!
//! *How to read it*: the width of a violin is the density of its values (each violin is scaled to the
//! same maximum width); the thick bar spans the quartiles, the white dot is the median. *When it
//! misleads*: with few values the density mostly shows the bandwidth, so fewer than five are points.

use serde::{Deserialize, Serialize};

use super::numbers as into_numbers;
use crate::{
    Result,
    plot::{
        PlotKind,
        axis::{self, Axis, Frame},
        check,
        colour::{self, Colour},
        distribution::Sorted,
        labels::Labels,
        numbers,
        scene::{Area, LINE_PITCH, Scene},
        table::Table,
        text,
    },
};

const HIGH: f64 = 320.0;
const CAPTION: f64 = 10.0;
/// Groups with fewer values are drawn as points.
const FEW: usize = 5;

/// How distributions are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Gaussian kernel density with Silverman's bandwidth, cut at the smallest and largest value.
    #[default]
    Violin,
    /// Quartiles; whiskers to the furthest value within 1.5 IQR (Tukey 1977); points for values further out.
    Box,
}

/// One named sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub label: String,
    /// In any order; non-finite values are left out and counted in the caption.
    #[serde(with = "numbers")]
    pub values: Vec<f64>,
}

/// Samples next to each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Violin {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What the groups are, such as `layer`.
    pub label_axis: String,
    /// What the values are, with their units.
    pub value_axis: String,
    /// In drawing order.
    pub groups: Vec<Group>,
    /// Violins or boxes.
    pub shape: Shape,
}

impl Violin {
    /// Axes with no groups yet.
    pub fn new(label_axis: impl Into<String>, value_axis: impl Into<String>) -> Self {
        Self { label_axis: label_axis.into(), value_axis: value_axis.into(), ..Self::default() }
    }

    /// Adds a sample.
    #[must_use]
    pub fn group(mut self, label: impl std::fmt::Display, values: impl IntoIterator<Item = impl Into<f64>>) -> Self {
        self.groups.push(Group { label: label.to_string(), values: into_numbers(values) });
        self
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Draws box plots instead of violins.
    #[must_use]
    pub fn boxes(self) -> Self {
        Self { shape: Shape::Box, ..self }
    }

    fn samples(&self) -> Vec<Sorted> {
        self.groups.iter().map(|group| Sorted::of(&group.values)).collect()
    }

    fn axis(&self) -> Axis {
        Axis::over(&self.value_axis, self.groups.iter().flat_map(|group| group.values.iter().copied()))
    }

    fn pitch(&self) -> f64 {
        (700.0 / self.groups.len().max(1) as f64).clamp(10.0, 84.0)
    }

    fn labels(&self) -> Labels {
        let labels: Vec<String> = self.groups.iter().map(|group| group.label.clone()).collect();
        Labels::columns(&labels, self.pitch())
    }

    /// What is drawn, of how many values, and how many are left out.
    fn caption(&self) -> String {
        let samples = self.samples();
        let counts = samples.iter().map(|sample| sample.values.len());
        let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
        let n = if least == most {
            format!("n\u{a0}=\u{a0}{most} each")
        } else {
            format!("n\u{a0}=\u{a0}{least} to {most}")
        };
        let what = match self.shape {
            Shape::Violin => {
                "violins: Gaussian kernel density (Silverman bandwidth) within the range of the data; \
                 bar: quartiles; dot: median"
            }
            Shape::Box => "boxes: quartiles and median; whiskers: furthest value within 1.5 IQR; points: values beyond",
        };
        let few = if least < FEW && self.shape == Shape::Violin { "; fewer than 5 values: points" } else { "" };
        let left_out: usize = samples.iter().map(|sample| sample.left_out).sum();
        let left_out =
            if left_out == 0 { String::new() } else { format!("; {left_out}\u{a0}not\u{a0}finite, left\u{a0}out") };
        format!("{what}{few}; {n}{left_out}")
    }

    fn caption_lines(&self, room: f64) -> Vec<String> {
        text::wrap(&self.caption(), CAPTION, room)
    }

    fn width(&self) -> f64 {
        let (left, _) = axis::margins(&self.axis(), HIGH);
        (left + self.pitch() * self.groups.len() as f64 + 12.0).max(300.0)
    }
}

/// Where one distribution is drawn: its frame, its middle, its maximum half width, its colour.
struct Stand<'a> {
    frame: &'a Frame,
    middle: f64,
    half: f64,
    colour: Colour,
}

impl Stand<'_> {
    fn draw(&self, scene: &mut Scene, sample: &Sorted, shape: Shape) {
        match shape {
            _ if sample.values.is_empty() => {}
            Shape::Violin if sample.values.len() < FEW => self.points(scene, &sample.values),
            Shape::Violin => self.violin(scene, sample),
            Shape::Box => self.boxed(scene, sample),
        }
    }

    fn points(&self, scene: &mut Scene, values: &[f64]) {
        for value in values {
            scene.circle((self.middle, self.frame.y_at(*value)), 2.6, self.colour);
        }
    }

    fn violin(&self, scene: &mut Scene, sample: &Sorted) {
        let bandwidth = sample.bandwidth();
        let (low, high) = (sample.quantile(0.0), sample.quantile(1.0));
        if bandwidth > 0.0 {
            let heights = (0..=80).map(|step| low + (high - low) * f64::from(step) / 80.0);
            let outline: Vec<_> = heights.map(|v| (self.frame.y_at(v), sample.density(v, bandwidth))).collect();
            let greatest = outline.iter().map(|(_, density)| *density).fold(0.0, f64::max);
            let side = |sign: f64| {
                let points = outline.iter().map(move |(y, d)| (self.middle + sign * self.half * d / greatest, *y));
                points.collect::<Vec<_>>()
            };
            let left: Vec<_> = side(-1.0).into_iter().rev().collect();
            scene.polygon([side(1.0), left].concat(), self.colour.alpha(0.55));
        } else {
            self.across(scene, low, self.half, 2.0);
        }
        let (lower, upper) = (self.frame.y_at(sample.quantile(0.25)), self.frame.y_at(sample.quantile(0.75)));
        scene.path(vec![(self.middle, lower), (self.middle, upper)], Colour::INK, 4.0);
        let median = (self.middle, self.frame.y_at(sample.quantile(0.5)));
        scene.circle(median, 3.4, Colour::INK);
        scene.circle(median, 2.2, Colour::PAPER);
    }

    fn boxed(&self, scene: &mut Scene, sample: &Sorted) {
        let (lower, upper) = (sample.quantile(0.25), sample.quantile(0.75));
        let reach = 1.5 * (upper - lower);
        let within = |value: &&f64| **value >= lower - reach && **value <= upper + reach;
        let low = sample.values.iter().find(within).copied().unwrap_or(lower);
        let high = sample.values.iter().rev().find(within).copied().unwrap_or(upper);
        let (x, y) = (self.middle, |value: f64| self.frame.y_at(value));
        scene.path(vec![(x, y(low)), (x, y(lower))], Colour::INK, 1.0);
        scene.path(vec![(x, y(upper)), (x, y(high))], Colour::INK, 1.0);
        let area = Area { x: x - self.half, y: y(upper), w: self.half * 2.0, h: y(lower) - y(upper) };
        scene.fill(area, self.colour.alpha(0.55));
        scene.outline(area, Colour::INK, 1.0);
        self.across(scene, sample.quantile(0.5), self.half, 2.0);
        self.across(scene, low, self.half * 0.5, 1.0);
        self.across(scene, high, self.half * 0.5, 1.0);
        let beyond: Vec<f64> = sample.values.iter().copied().filter(|v| *v < low || *v > high).collect();
        self.points(scene, &beyond);
    }

    fn across(&self, scene: &mut Scene, value: f64, half: f64, width: f64) {
        let y = self.frame.y_at(value);
        scene.path(vec![(self.middle - half, y), (self.middle + half, y)], Colour::INK, width);
    }
}

impl PlotKind for Violin {
    fn name(&self) -> &'static str {
        match self.shape {
            Shape::Violin => "violin",
            Shape::Box => "box plot",
        }
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        check::some_finite(self.name(), self.groups.iter().flat_map(|group| &group.values))
    }

    fn size(&self) -> (f64, f64) {
        let lines = self.caption_lines(self.width()).len() as f64;
        (self.width(), 6.0 + HIGH + self.labels().extent + 38.0 + lines * CAPTION * LINE_PITCH)
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (y, pitch, labels) = (self.axis(), self.pitch(), self.labels());
        let (left, _) = axis::margins(&y, HIGH);
        let plot = Area { x: area.x + left, y: area.y + 6.0, w: pitch * self.groups.len() as f64, h: HIGH };
        let frame = Frame { x: Axis::over(&self.label_axis, [0.0]), y, plot };
        frame.draw_y(scene);
        for (index, sample) in self.samples().iter().enumerate() {
            let middle = plot.x + (index as f64 + 0.5) * pitch;
            let stand = Stand { frame: &frame, middle, half: pitch * 0.38, colour: colour::series(0, 1) };
            stand.draw(scene, sample, self.shape);
        }
        labels.draw_columns(scene, plot.x, plot.bottom() + 7.0);
        let name = plot.bottom() + labels.extent + 22.0;
        frame.name_x(scene, name);
        scene.lines(&self.caption_lines(self.width()), (area.x, name + 20.0), CAPTION, Colour::FAINT);
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["label", "value"]);
        for group in &self.groups {
            let rows = group.values.iter().map(|value| vec![group.label.clone(), numbers::exact(*value)]);
            table.rows.extend(rows);
        }
        table
    }

    fn to_terminal(&self) -> String {
        let left_out = self.samples().iter().any(|sample| sample.left_out > 0);
        let header = ["label", "n", "q1", "median", "q3", "not finite"];
        let mut quartiles = Table::new(if left_out { &header } else { &header[..5] });
        for (group, sample) in self.groups.iter().zip(self.samples()) {
            let at = |part| {
                if sample.values.is_empty() { "-".into() } else { text::short(sample.quantile(part)) }
            };
            let n = sample.values.len().to_string();
            let row = vec![group.label.clone(), n, at(0.25), at(0.5), at(0.75), sample.left_out.to_string()];
            quartiles.rows.push(row);
        }
        crate::plot::terminal::table(&quartiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Violin {
        fn examples(values: &[f64]) -> Vec<Self> {
            let violin = Self::new("", "").group("", values.to_vec());
            vec![violin.clone(), violin.boxes()]
        }
    }

    #[test]
    fn the_caption_says_what_is_drawn_and_what_is_not() {
        let violin = Violin::new("layer", "nats").group(0, [1.0, 2.0, f64::NAN]).group(1, [1.0; 6]);
        assert_eq!(
            violin.caption(),
            "violins: Gaussian kernel density (Silverman bandwidth) within the range of the data; bar: quartiles; \
             dot: median; fewer than 5 values: points; n\u{a0}=\u{a0}2 to 6; 1\u{a0}not\u{a0}finite, left\u{a0}out"
        );
        assert!(violin.boxes().caption().starts_with("boxes: quartiles and median"));
    }

    #[test]
    fn every_value_is_in_the_table() {
        let violin = Violin::new("layer", "nats").group("L0", [1.5, f64::NAN]);
        assert_eq!(violin.table().to_csv(), "label,value\nL0,1.5\nL0,NaN\n");
        assert_eq!(violin.to_terminal(), "label  n  q1   median  q3   not finite\nL0     1  1.5  1.5     1.5  1\n");
    }

    #[test]
    fn no_finite_value_is_an_error() {
        assert_eq!(
            Violin::new("layer", "nats").group(0, [f64::NAN]).boxes().validate().unwrap_err().to_string(),
            "nothing to draw in the box plot: all its values are NaN or infinite; widen the selection it was made from"
        );
    }
}
