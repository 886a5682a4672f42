//! Numeric axes: their range, their ticks, and the frame they draw around a plot.

use super::{
    colour::Colour,
    scene::{Align, Area, Scene},
    text,
};

pub(super) const TICK_SIZE: f64 = 11.0;
pub(super) const NAME_SIZE: f64 = 12.0;

/// One numeric axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) name: String,
    /// In the units of the data; where `log`, the decimal logarithm of the data.
    pub(super) low: f64,
    pub(super) high: f64,
    /// The smallest and largest value, without the padding at the ends.
    data: (f64, f64),
    log: bool,
    integer: bool,
}

impl Axis {
    /// An axis over all finite `values`, with some padding at both ends.
    pub(super) fn over(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Rounding error is not a range, and a denormal spread is too small to divide by.
        let spread = high - low > (high.abs().max(low.abs()) * 1e-9).max(f64::MIN_POSITIVE * 1e6);
        let room = if spread { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.5 };
        let integer = finite.iter().all(|v| v.fract() == 0.0);
        Self { name: name.to_owned(), low: low - room, high: high + room, data: (low, high), log: false, integer }
    }

    /// The same axis, starting at zero if `always`, or if the data has one sign and starts near zero.
    pub(super) fn with_zero(mut self, always: bool) -> Self {
        let (low, high) = self.data;
        if low >= 0.0 && (always || low < high * 0.4) {
            self.low = 0.0;
        } else if high <= 0.0 && (always || high > low * 0.4) {
            self.high = 0.0;
        }
        self
    }

    /// A logarithmic axis over positive values.
    pub(super) fn logarithmic(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let axis = Self::over(name, values.into_iter().map(f64::log10));
        Self { log: true, integer: false, ..axis }
    }

    /// The position of `value` on the axis: 0 at the low end, 1 at the high end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
    }

    /// Values for at most about `count` ticks, each with its text.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            return self.log_ticks(count);
        }
        let range = if self.integer { self.low.ceil()..self.high.floor() } else { self.low..self.high };
        let mut values = nice(range.start, range.end, count);
        if self.integer {
            values.retain(|v| v.fract() == 0.0);
        }
        let step = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        values.into_iter().map(|value| (value, tick(value, step))).collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let powers = self.low.floor() as i32..=self.high.ceil() as i32;
        let digits: &[f64] = if self.high - self.low < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all = powers.flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
        let inside: Vec<f64> = all.filter(|v| (0.0..=1.0).contains(&self.at(*v))).collect();
        let every = inside.len().div_ceil(count.max(1)).max(1);
        inside.into_iter().step_by(every).map(|v| (v, text::short(v))).collect()
    }
}

/// Multiples of 1, 2 or 5 times a power of ten inside a range: as many as fit, up to about `count`.
pub(super) fn nice(low: f64, high: f64, count: usize) -> Vec<f64> {
    let least = (high - low) / count.max(1) as f64;
    if !(least > 0.0 && least.is_normal()) {
        return vec![low];
    }
    let power = 10f64.powi(least.log10().floor() as i32);
    let step =
        [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| *step >= least).unwrap_or(10.0 * power);
    // Counts a last tick that rounding pushes slightly outside the range.
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    (0..=(last - first) as usize).map(|index| (first + index as f64) * step + 0.0).collect()
}

/// A tick's text, with no more decimals than the step between ticks needs.
pub(super) fn tick(value: f64, step: f64) -> String {
    if !step.is_finite() || value.abs() >= 1e5 || step < 1e-4 {
        return text::short(value);
    }
    let decimals = (0..5).find(|d| (step * 10f64.powi(*d)).fract().min(1.0 - (step * 10f64.powi(*d)).fract()) < 1e-6);
    let decimals = decimals.unwrap_or(5) as usize;
    format!("{value:.decimals$}")
}

/// A plot area with a numeric `x` and a numeric `y` axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) plot: Area,
}

/// Space around a plot area for ticks and axis names: left and bottom.
pub(super) fn margins(y: &Axis, height: f64) -> (f64, f64) {
    let ticks = y.ticks(y_ticks(height));
    (text::widest(ticks.iter().map(|(_, text)| text), TICK_SIZE) + 30.0, 44.0)
}

fn y_ticks(height: f64) -> usize {
    (height / 45.0) as usize + 1
}

impl Frame {
    /// A data point in pixels.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.plot.x + self.x.at(x) * self.plot.w, self.y_at(y))
    }

    /// A `y` value of the data in pixels.
    pub(super) fn y_at(&self, y: f64) -> f64 {
        self.plot.bottom() - self.y.at(y) * self.plot.h
    }

    /// Draws the grid, ticks and axis names; zero lines are darker.
    pub(super) fn draw(&self, scene: &mut Scene) {
        let (top, bottom) = (self.plot.y, self.plot.bottom());
        for (value, text) in self.x.ticks((self.plot.w / 40.0) as usize) {
            let x = self.at(value, 0.0).0;
            scene.path(vec![(x, top), (x, bottom)], Colour::GRID, 0.5);
            scene.path(vec![(x, bottom), (x, bottom + 4.0)], Colour::INK, 1.0);
            scene.text(&text, (x, bottom + 12.0), TICK_SIZE, Align::Middle, Colour::INK);
        }
        self.draw_y(scene);
        self.name_x(scene, bottom + 32.0);
    }

    /// The `y` half of `draw`, for plots with categories on the `x` axis.
    pub(super) fn draw_y(&self, scene: &mut Scene) {
        let Area { x: left, y: top, .. } = self.plot;
        let (right, bottom) = (self.plot.right(), self.plot.bottom());
        let ticks = self.y.ticks(y_ticks(self.plot.h));
        for (value, text) in &ticks {
            let y = self.y_at(*value);
            let zero = *value == 0.0 && !self.y.log;
            let (colour, width) = if zero { (Colour::FAINT, 1.0) } else { (Colour::GRID, 0.5) };
            scene.path(vec![(left, y), (right, y)], colour, width);
            scene.text(text, (left - 7.0, y), TICK_SIZE, Align::End, Colour::INK);
        }
        scene.path(vec![(left, top), (left, bottom)], Colour::INK, 1.0);
        scene.path(vec![(left, bottom), (right, bottom)], Colour::INK, 1.0);
        let (widest, _) = margins(&self.y, self.plot.h);
        let name = text::shorten(&self.y.name, NAME_SIZE, self.plot.h + 40.0);
        scene.turned(&name, (left - widest + 7.0, top + self.plot.h / 2.0), NAME_SIZE, Align::Middle, Colour::INK);
    }

    /// Draws the name of the `x` axis, its middle at height `y`.
    pub(super) fn name_x(&self, scene: &mut Scene, y: f64) {
        let name = text::shorten(&self.x.name, NAME_SIZE, self.plot.w + 40.0);
        scene.text(&name, (self.plot.x + self.plot.w / 2.0, y), NAME_SIZE, Align::Middle, Colour::INK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::over("nats", [0.0, 0.73]);
        let ticks = axis.ticks(8);
        assert!(ticks.len() >= 4 && ticks.len() <= 9, "{ticks:?}");
        assert!(ticks.iter().any(|(value, text)| *value == 0.0 && text.starts_with('0')), "{ticks:?}");
        assert!(ticks.iter().all(|(value, _)| (0.0..=1.0).contains(&axis.at(*value))));
    }

    #[test]
    fn layers_get_whole_numbers() {
        let axis = Axis::over("layer", (0..12).map(f64::from));
        let texts: Vec<String> = axis.ticks(14).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
    }

    #[test]
    fn a_constant_still_has_a_range() {
        let axis = Axis::over("norm", [3.0, 3.0]);
        assert!(axis.low < 3.0 && axis.high > 3.0 && (axis.at(3.0) - 0.5).abs() < 1e-9);
        let zero = Axis::over("norm", [0.0]);
        assert!(zero.low < 0.0 && zero.high > 0.0);
    }

    #[test]
    fn a_log_axis_ticks_at_powers_of_ten() {
        let axis = Axis::logarithmic("norm", [1.0, 10_000.0]);
        let texts: Vec<String> = axis.ticks(8).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["1", "10", "100", "1000", "10000"]);
    }
}
