//! Labelled bars from zero: direct logit attribution by component, effects by condition.
//!
//! *How to read it*: blue is positive, red negative; a whisker is the error given with the bar; a grey
//! column has no finite value, and an arrow at its end if the value is infinite.
//! *When it misleads*: bars always start at zero, so small differences between large values are hard
//! to see; use a line or a violin for those.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    plot::{
        PlotKind,
        axis::{self, Axis, Frame, NAME_SIZE, TICK_SIZE},
        check, colour,
        colour::Colour,
        labels::Labels,
        numbers,
        scene::{Align, Area, LINE_PITCH, Scene},
        table::Table,
        terminal, text,
    },
};

const HIGH: f64 = 300.0;
const LONG: f64 = 420.0;
const NOTE: f64 = 10.0;
/// The colour of a bar without a finite value.
const MISSING: Colour = Colour(178, 178, 178, 0.4);
/// The length of the arrow of an infinite value.
const ARROW: f64 = 10.0;
/// With more bars than this, their values are not written out.
const WRITTEN: usize = 24;
/// More bars with long labels are drawn upright, and their labels thinned.
const MOST_LYING: usize = 60;

/// One bar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its length; a grey column if not finite.
    #[serde(with = "numbers")]
    pub value: f64,
    /// Half the length of the whisker, such as a standard error. Not negative; no whisker if NaN.
    #[serde(with = "numbers")]
    pub error: Option<f64>,
}

impl Bar {
    /// Half the length of the whisker as drawn.
    fn whisker(&self) -> f64 {
        self.error.filter(|error| error.is_finite()).unwrap_or(0.0)
    }

    /// Where its number is written: past its whisker.
    fn beyond(&self) -> f64 {
        self.value + self.whisker().copysign(self.value)
    }
}

/// A row of bars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bars {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What the labels are, such as `component`.
    pub label_axis: String,
    /// What the values are, with their units.
    pub value_axis: String,
    /// In drawing order.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// Bars from named values.
    pub fn new(bars: impl IntoIterator<Item = (impl ToString, impl Into<f64>)>) -> Self {
        let named = bars.into_iter().map(|(label, value)| (label.to_string(), value.into()));
        let bars = named.map(|(label, value)| Bar { label, value, error: None }).collect();
        Self { bars, ..Self::default() }
    }

    /// Sets half the length of each bar's whisker; say in the value axis what the whiskers are.
    ///
    /// # Errors
    ///
    /// `FigureShape` if there are not as many errors as bars.
    pub fn errors(mut self, errors: impl IntoIterator<Item = impl Into<f64>>) -> Result<Self> {
        let errors = super::numbers(errors);
        check::length("bar", "`errors`", self.bars.len(), errors.len())?;
        for (bar, error) in self.bars.iter_mut().zip(errors) {
            bar.error = Some(error);
        }
        Ok(self)
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Sets what the labels are, and what the values are with their units.
    #[must_use]
    pub fn axes(self, label_axis: impl Into<String>, value_axis: impl Into<String>) -> Self {
        Self { label_axis: label_axis.into(), value_axis: value_axis.into(), ..self }
    }

    fn axis(&self) -> Axis {
        let ends = self.bars.iter().flat_map(|bar| [bar.value - bar.whisker(), bar.value + bar.whisker()]);
        let mut axis = Axis::over(&self.value_axis, ends);
        // Space for the numbers past the ends.
        let room = (axis.high - axis.low) * 0.06;
        (axis.low, axis.high) = (axis.low - room, axis.high + room);
        axis.with_zero(true)
    }

    /// How many values are missing and how that is drawn; empty if none is.
    fn note(&self) -> String {
        let values = self.bars.iter().filter(|bar| !bar.value.is_finite()).count();
        let errors = self.bars.iter().filter(|bar| bar.error.is_some_and(f64::is_nan)).count();
        let infinite = self.bars.iter().filter(|bar| bar.value.is_infinite()).count();
        let counted = |count: usize, words: &str| (count > 0).then(|| format!("{words}: {count} not finite"));
        let arrows = (infinite > 0).then(|| format!("arrow: {infinite} infinite"));
        [counted(values, "grey"), arrows, counted(errors, "no whisker")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The note in lines, below bars that are `room` pixels wide.
    fn note_lines(&self, room: f64) -> Vec<String> {
        text::wrap(&self.note(), NOTE, room.max(120.0))
    }

    fn labels(&self) -> Vec<String> {
        self.bars.iter().map(|bar| bar.label.clone()).collect()
    }

    fn pitch(&self) -> f64 {
        (640.0 / self.bars.len().max(1) as f64).clamp(4.0, 54.0)
    }

    /// Whether bars are horizontal, because their labels would otherwise have to be turned.
    fn lying(&self) -> bool {
        self.bars.len() <= MOST_LYING && Labels::columns(&self.labels(), self.pitch()).turned
    }

    fn draw_standing(&self, scene: &mut Scene, area: Area) {
        let (labels, pitch, y) = (Labels::columns(&self.labels(), self.pitch()), self.pitch(), self.axis());
        let (left, _) = axis::margins(&y, HIGH);
        let plot = Area { x: area.x + left, y: area.y + 8.0, w: pitch * self.bars.len() as f64, h: HIGH };
        let frame = Frame { x: Axis::over(&self.label_axis, [0.0]), y, plot };
        frame.draw_y(scene);
        let zero = frame.y_at(0.0);
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = plot.x + (index as f64 + 0.5) * pitch;
            let half = pitch * 0.36;
            let end = |value| (middle, frame.y_at(value));
            let area = Area {
                x: middle - half,
                y: zero.min(end(bar.value).1),
                w: half * 2.0,
                h: (zero - end(bar.value).1).abs(),
            };
            if !bar.value.is_finite() {
                scene.fill(Area { x: middle - half, w: half * 2.0, ..plot }, MISSING);
                let (tip, base) = if bar.value > 0.0 { (plot.y, 1.0) } else { (plot.bottom(), -1.0) };
                draw_arrow(
                    scene,
                    bar.value,
                    [(middle, tip), (middle - half, tip + base * ARROW), (middle + half, tip + base * ARROW)],
                );
                if pitch >= 30.0 {
                    let at = (middle, plot.y + plot.h / 2.0);
                    scene.text(&text::short(bar.value), at, 9.0, Align::Middle, Colour::INK);
                }
                continue;
            }
            draw_bar(scene, bar, area, end, half);
            if self.bars.len() <= WRITTEN && pitch >= 30.0 {
                let up = if bar.value < 0.0 { -9.0 } else { 9.0 };
                let at = (middle, end(bar.beyond()).1 - up);
                scene.text(&text::short(bar.value), at, 9.0, Align::Middle, Colour::FAINT);
            }
        }
        labels.draw_columns(scene, plot.x, plot.bottom() + 7.0);
        frame.name_x(scene, plot.bottom() + labels.extent + 24.0);
    }

    fn draw_lying(&self, scene: &mut Scene, area: Area) {
        let (labels, axis) = (Labels::rows(&self.labels(), self.row()), self.axis());
        let left = labels.extent + 7.0 + if self.label_axis.is_empty() { 0.0 } else { 22.0 };
        let plot = Area { x: area.x + left, y: area.y + 4.0, w: LONG, h: self.row() * self.bars.len() as f64 };
        let frame = Frame { x: axis, y: Axis::over(&self.label_axis, [0.0]), plot };
        self.draw_value_ticks(scene, &frame);
        let zero = frame.at(0.0, 0.0).0;
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = plot.y + (index as f64 + 0.5) * self.row();
            let half = self.row() * 0.36;
            let end = |value| (frame.at(value, 0.0).0, middle);
            let x = end(bar.value).0;
            let area = Area { x: zero.min(x), y: middle - half, w: (x - zero).abs(), h: half * 2.0 };
            if !bar.value.is_finite() {
                scene.fill(Area { y: middle - half, h: half * 2.0, ..plot }, MISSING);
                let (tip, base) = if bar.value > 0.0 { (plot.right(), -1.0) } else { (plot.x, 1.0) };
                draw_arrow(
                    scene,
                    bar.value,
                    [(tip, middle), (tip + base * ARROW, middle - half), (tip + base * ARROW, middle + half)],
                );
                let at = (plot.x + plot.w / 2.0, middle);
                scene.text(&text::short(bar.value), at, 9.0, Align::Middle, Colour::INK);
                continue;
            }
            draw_bar(scene, bar, area, end, half);
            let (gap, align) = if bar.value < 0.0 { (-5.0, Align::End) } else { (5.0, Align::Start) };
            let at = (end(bar.beyond()).0 + gap, middle);
            scene.text(&text::short(bar.value), at, 9.0, align, Colour::FAINT);
        }
        labels.draw_rows(scene, plot.x - 7.0, plot.y);
        let name = text::shorten(&self.label_axis, NAME_SIZE, plot.h.max(90.0));
        scene.turned(&name, (area.x + 8.0, plot.y + plot.h / 2.0), NAME_SIZE, Align::Middle, Colour::INK);
    }

    fn size_without_note(&self) -> (f64, f64) {
        if self.lying() {
            let labels = Labels::rows(&self.labels(), self.row());
            let name = if self.label_axis.is_empty() { 0.0 } else { 22.0 };
            return (labels.extent + 7.0 + name + LONG + 12.0, 4.0 + self.row() * self.bars.len() as f64 + 40.0);
        }
        let (left, _) = axis::margins(&self.axis(), HIGH);
        let labels = Labels::columns(&self.labels(), self.pitch());
        (left + self.pitch() * self.bars.len() as f64 + 12.0, 8.0 + HIGH + labels.extent + 32.0)
    }

    fn row(&self) -> f64 {
        if self.bars.len() > 30 { 15.0 } else { 21.0 }
    }

    /// Draws the value axis of horizontal bars.
    fn draw_value_ticks(&self, scene: &mut Scene, frame: &Frame) {
        let (top, bottom) = (frame.plot.y, frame.plot.bottom());
        for (value, text) in frame.x.ticks(8) {
            let x = frame.at(value, 0.0).0;
            let (colour, width) = if value == 0.0 { (Colour::FAINT, 1.0) } else { (Colour::GRID, 0.5) };
            scene.path(vec![(x, top), (x, bottom)], colour, width);
            scene.text(&text, (x, bottom + 12.0), TICK_SIZE, Align::Middle, Colour::INK);
        }
        scene.path(vec![(frame.plot.x, bottom), (frame.plot.right(), bottom)], Colour::INK, 1.0);
        if !self.value_axis.is_empty() {
            frame.name_x(scene, bottom + 32.0);
        }
    }
}

/// Draws the head of an arrow at the end of an infinite value's column.
fn draw_arrow(scene: &mut Scene, value: f64, corners: [(f64, f64); 3]) {
    if value.is_infinite() {
        scene.polygon(corners.to_vec(), colour::signed(value));
    }
}

/// Draws a bar and its whisker; `end` gives the point of a value.
fn draw_bar(scene: &mut Scene, bar: &Bar, area: Area, end: impl Fn(f64) -> (f64, f64), half: f64) {
    scene.fill(area, colour::signed(bar.value));
    let Some(error) = bar.error.filter(|error| *error > 0.0) else {
        return;
    };
    let (from, to) = (end(bar.value - error), end(bar.value + error));
    scene.path(vec![from, to], Colour::INK, 1.0);
    let cap = (half * 0.4).min(5.0);
    let across = if from.0 == to.0 { (cap, 0.0) } else { (0.0, cap) };
    for (x, y) in [from, to] {
        scene.path(vec![(x - across.0, y - across.1), (x + across.0, y + across.1)], Colour::INK, 1.0);
    }
}

impl PlotKind for Bars {
    fn name(&self) -> &'static str {
        "bar"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        let values: Vec<f64> = self.bars.iter().map(|bar| bar.value).collect();
        check::some_finite("bar", &values)?;
        check::drawable("bar", self.bars.iter().filter_map(|bar| bar.error.as_ref()))?;
        let bad = |bar: &&Bar| bar.error.is_some_and(|error| error < 0.0 || error.is_infinite());
        self.bars.iter().find(bad).map_or(Ok(()), |bar| {
            let error = bar.error.unwrap_or_default();
            let problem = format!("the error of `{}` is {error}: give zero or a positive number", bar.label);
            Err(Error::FigureValue { kind: "bar", problem })
        })
    }

    fn size(&self) -> (f64, f64) {
        let (wide, high) = self.size_without_note();
        (wide, high + self.note_lines(wide).len() as f64 * NOTE * LINE_PITCH)
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        if self.lying() {
            self.draw_lying(scene, area);
        } else {
            self.draw_standing(scene, area);
        }
        let (wide, high) = self.size_without_note();
        scene.lines(&self.note_lines(wide), (area.x, area.y + high + NOTE / 2.0), NOTE, Colour::FAINT);
    }

    fn table(&self) -> Table {
        let whiskers = self.bars.iter().any(|bar| bar.error.is_some());
        let mut table = Table::new(if whiskers { &["label", "value", "error"] } else { &["label", "value"] });
        for bar in &self.bars {
            let mut row = vec![bar.label.clone(), numbers::exact(bar.value)];
            if whiskers {
                row.push(bar.error.map_or(String::new(), numbers::exact));
            }
            table.rows.push(row);
        }
        table
    }

    fn to_terminal(&self) -> String {
        let named: Vec<_> = self.bars.iter().map(|bar| (bar.label.clone(), bar.value)).collect();
        terminal::bars(&named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Mark;
    use crate::plot::kind::Example;

    impl Example for Bars {
        fn examples(values: &[f64]) -> Vec<Self> {
            let named = |label: &str| Self::new(values.iter().map(|value| (label.to_owned(), *value)));
            vec![named(""), named("a long label that lies"), named("").errors(vec![f64::NAN; values.len()]).unwrap()]
        }
    }

    #[test]
    fn the_axis_includes_zero_and_the_whiskers() {
        let bars = Bars::new([("a", 2.0), ("b", -1.0)]).errors([0.5, 1.0]).unwrap();
        let axis = bars.axis();
        assert!(axis.low < -2.0 && axis.high > 2.5);
        assert_eq!(Bars::new([("a", 5.0), ("b", 6.0)]).axis().low, 0.0);
        assert_eq!(bars.table().to_csv(), "label,value,error\na,2,0.5\nb,-1,1\n");
    }

    #[test]
    fn a_bar_whose_error_is_not_a_number_stays_on_the_axis() {
        let bars = Bars::new([("a", 5.0), ("b", 0.1)]).errors([f64::NAN, 0.01]).unwrap();
        assert!(bars.axis().high > 5.0);
        assert_eq!(bars.note(), "no whisker: 1 not finite");
    }

    #[test]
    fn a_value_that_is_not_finite_is_a_grey_column_with_an_arrow_if_it_is_infinite() {
        let values = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for label in ["a", "a long label that lies"] {
            // Also where a bar is a few pixels wide.
            for copies in [1, 40] {
                let bars = Bars::new(values.repeat(copies).into_iter().map(|value| (label, value)));
                let mut scene = Scene::default();
                bars.draw(&mut scene, Area { x: 0.0, y: 0.0, w: 0.0, h: 0.0 });
                let count = |wanted: &dyn Fn(&Mark) -> bool| scene.marks.iter().filter(|mark| wanted(mark)).count();
                assert_eq!(count(&|mark| matches!(mark, Mark::Fill(_, MISSING))), 3 * copies);
                for sign in [1.0, -1.0] {
                    let arrow =
                        |mark: &Mark| matches!(mark, Mark::Polygon(_, colour) if *colour == colour::signed(sign));
                    assert_eq!(count(&arrow), copies);
                }
                assert_eq!(bars.note(), format!("grey: {} not finite; arrow: {} infinite", 3 * copies, 2 * copies));
            }
        }
    }

    #[test]
    fn long_labels_make_the_bars_horizontal() {
        let short = Bars::new((0..12).map(|layer| (format!("L{layer}"), 1.0)));
        let long = Bars::new((0..12).map(|layer| (format!("{layer}_attn_out"), 1.0)));
        assert!(!short.lying() && long.lying());
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            Bars::new([("a", f64::NAN)]).validate().unwrap_err().to_string(),
            "nothing to draw in the bar: all its values are NaN or infinite; widen the selection it was made from"
        );
        assert_eq!(
            Bars::new([("a", 1.0)]).errors([1.0, 2.0]).unwrap_err().to_string(),
            "bar: `errors` should have 1 entries, has 2"
        );
        assert_eq!(
            Bars::new([("a", 1.0)]).errors([-1.0]).unwrap().validate().unwrap_err().to_string(),
            "bar: the error of `a` is -1: give zero or a positive number"
        );
    }
}
