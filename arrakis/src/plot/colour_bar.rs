//! The bar next to a coloured plot. It shows which colour stands for which value, and the units.

use super::{
    axis::{self, NAME_SIZE, TICK_SIZE},
    colour::{Colour, ColourScale},
    scene::{Align, Area, LINE_PITCH, Scene},
    text,
};

const THICK: f64 = 14.0;
const STEPS: usize = 96;
/// Below this height its ticks would overlap.
const LEAST_HEIGHT: f64 = 96.0;
/// A unit name is broken into lines of at most this width, and shortened after [`MOST_LINES`].
const LONGEST_LINE: f64 = 240.0;
const MOST_LINES: usize = 3;
const GREATEST_HEIGHT: f64 = 300.0;
/// The distance between two lines of the name.
const LINE: f64 = NAME_SIZE * LINE_PITCH;

/// A colour bar: its scale and its labels.
pub(super) struct ColourBar<'a> {
    pub(super) scale: ColourScale,
    pub(super) units: &'a str,
    /// What grey stands for: see [`missing`].
    pub(super) missing: Option<&'static str>,
}

/// What the grey key next to the bar names: `NaN`, `inf`, or both; `None` if all `values` are finite.
pub(super) fn missing<'a>(values: impl IntoIterator<Item = &'a f64>) -> Option<&'static str> {
    let hidden: Vec<&f64> = values.into_iter().filter(|value| !value.is_finite()).collect();
    let nans = hidden.iter().filter(|value| value.is_nan()).count();
    match (nans, hidden.len() - nans) {
        (0, 0) => None,
        (_, 0) => Some("NaN"),
        (0, _) => Some("inf"),
        _ => Some("NaN, inf"),
    }
}

impl ColourBar<'_> {
    /// The width it needs to the right of a plot, in pixels.
    pub(super) fn width(&self) -> f64 {
        let ticks = self.ticks(LEAST_HEIGHT);
        let lines = self.name().len() as f64;
        let name = if lines == 0.0 { 0.0 } else { 22.0 + (lines - 1.0) * LINE };
        let key = self.missing.map_or(0.0, |words| text::width(words, TICK_SIZE));
        16.0 + THICK + 8.0 + text::widest(ticks.iter().map(|(_, text)| text), TICK_SIZE).max(28.0).max(key) + name
    }

    /// The height it needs, in pixels from the top of a plot.
    pub(super) fn least_height(&self) -> f64 {
        self.bar_height(0.0) + self.key_height() + 8.0
    }

    /// As high as the plot or as long as its name, up to a limit.
    fn bar_height(&self, plot: f64) -> f64 {
        let name = text::widest(&self.name(), NAME_SIZE);
        (plot - self.key_height()).clamp(LEAST_HEIGHT.max(name), GREATEST_HEIGHT)
    }

    /// The units, line by line. A token in quotes is not broken.
    fn name(&self) -> Vec<String> {
        let units = self.units.replace("\" ", "\"\u{a0}");
        let mut lines = text::wrap(&units, NAME_SIZE, LONGEST_LINE);
        if lines.len() > MOST_LINES {
            let rest = lines.split_off(MOST_LINES - 1).join(" ");
            lines.push(text::shorten(&rest, NAME_SIZE, LONGEST_LINE));
        }
        lines
    }

    fn key_height(&self) -> f64 {
        if self.missing.is_some() { 26.0 } else { 0.0 }
    }

    /// Draws the bar to the right of `plot`.
    pub(super) fn draw(&self, scene: &mut Scene, plot: Area) {
        let high = self.bar_height(plot.h);
        let bar = Area { x: plot.right() + 16.0, y: plot.y, w: THICK, h: high };
        self.gradient(scene, bar);
        for (value, text) in self.ticks(high) {
            let y = bar.bottom() - (value - self.scale.low) / (self.scale.high - self.scale.low) * bar.h;
            scene.path(vec![(bar.right(), y), (bar.right() + 4.0, y)], Colour::INK, 1.0);
            scene.text(&text, (bar.right() + 7.0, y), TICK_SIZE, Align::Start, Colour::INK);
        }
        for (index, line) in self.name().iter().rev().enumerate() {
            let at = (plot.right() + self.width() - 6.0 - index as f64 * LINE, bar.y + bar.h / 2.0);
            scene.turned(line, at, NAME_SIZE, Align::Middle, Colour::INK);
        }
        if let Some(words) = self.missing {
            draw_key(scene, bar, words);
        }
    }

    fn gradient(&self, scene: &mut Scene, bar: Area) {
        let slice = bar.h / STEPS as f64;
        for step in 0..STEPS {
            let part = (step as f64 + 0.5) / STEPS as f64;
            let value = self.scale.high + (self.scale.low - self.scale.high) * part;
            let area = Area { y: bar.y + step as f64 * slice, h: slice, ..bar };
            scene.fill(area, self.scale.colour(value));
        }
    }

    /// Round values; on a diverging scale always including zero.
    fn ticks(&self, height: f64) -> Vec<(f64, String)> {
        let count = (height / 32.0) as usize + 1;
        let mut values = axis::nice(self.scale.low, self.scale.high, count);
        if values.len() < 2 {
            values = vec![self.scale.low, self.scale.high];
        }
        let step = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        values.into_iter().map(|value| (value, axis::tick(value, step))).collect()
    }
}

/// Draws the grey key for cells without a value.
fn draw_key(scene: &mut Scene, bar: Area, words: &str) {
    let swatch = Area { y: bar.bottom() + 12.0, h: THICK, ..bar };
    scene.fill(swatch, Colour::MISSING);
    let at = (swatch.right() + 7.0, swatch.y + THICK / 2.0);
    scene.text(words, at, TICK_SIZE, Align::Start, Colour::INK);
}

#[cfg(test)]
mod tests {
    use super::super::colour::Scale;
    use super::*;

    fn bar(units: &str) -> ColourBar<'_> {
        ColourBar { scale: ColourScale::fit(Scale::Diverging, None, &[-1.0, 1.0]), units, missing: None }
    }

    #[test]
    fn long_units_are_broken_into_lines_and_keep_every_word() {
        let long = bar("change of logit(\" Mary\") - logit(\" John\") (nats)");
        assert_eq!(long.name(), ["change of logit(\"\u{a0}Mary\") - logit(\"\u{a0}John\")", "(nats)"]);
        assert_eq!(long.width(), bar("nats").width() + LINE);
        let most = bar(&"many words ".repeat(100)).name();
        assert_eq!((most.len(), most[2].ends_with('…')), (MOST_LINES, true));
        assert!(bar("").name().is_empty());
    }
}
