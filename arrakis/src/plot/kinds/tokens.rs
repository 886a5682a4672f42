//! Running text, each token on a background coloured by its value: loss, a feature's activation.
//!
//! *How to read it*: `·` is a space, `↵` a line end; a grey token has no finite value. *When it
//! misleads*: a long token looks stronger than a short one of the same value.

use serde::{Deserialize, Serialize};

use super::{numbers as into_numbers, strings};
use crate::{
    Result,
    plot::{
        PlotKind, check,
        colour::{ColourScale, Scale},
        colour_bar::{self, ColourBar},
        numbers,
        scene::{Align, Area, Scene},
        table::Table,
        text,
    },
};

const SIZE: f64 = 13.0;
const WIDE: f64 = 620.0;
const HIGH: f64 = 21.0;
const PITCH: f64 = 25.0;

/// Tokens and their values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColouredTokens {
    /// The title above the panel; may be empty.
    pub title: String,
    /// `[pos]`
    pub tokens: Vec<String>,
    /// `[pos]`
    #[serde(with = "numbers")]
    pub values: Vec<f64>,
    /// What the values are, with their units.
    pub units: String,
    /// The family of colours.
    pub scale: Scale,
    /// Replaces the range of the data.
    pub limits: Option<[f64; 2]>,
}

impl ColouredTokens {
    /// Tokens with one value each.
    pub fn new(
        tokens: impl IntoIterator<Item = impl ToString>,
        values: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        Self { tokens: strings(tokens), values: into_numbers(values), ..Self::default() }
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Sets what the values are, with their units.
    #[must_use]
    pub fn units(self, units: impl Into<String>) -> Self {
        Self { units: units.into(), ..self }
    }

    /// Red to blue with zero in the middle, even if the data has one sign.
    #[must_use]
    pub fn diverging(self) -> Self {
        Self { scale: Scale::Diverging, ..self }
    }

    /// Sets the values of the first and the last colour.
    #[must_use]
    pub fn limits(self, low: f64, high: f64) -> Self {
        Self { limits: Some([low, high]), ..self }
    }

    fn bar(&self) -> ColourBar<'_> {
        let scale = ColourScale::fit(self.scale, self.limits, &self.values);
        ColourBar { scale, units: &self.units, missing: colour_bar::missing(&self.values) }
    }

    /// Each token's text and box, relative to the origin, wrapped at the width and after line ends.
    fn boxes(&self) -> Vec<(String, Area)> {
        let (mut x, mut y) = (0.0, 0.0);
        let mut boxes = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            let shown = text::shorten(&text::visible(token), SIZE, WIDE - 8.0);
            let w = text::width(&shown, SIZE) + 4.0;
            if x + w > WIDE {
                (x, y) = (0.0, y + PITCH);
            }
            boxes.push((shown, Area { x, y, w, h: HIGH }));
            x += w + 1.0;
            if token.contains('\n') {
                (x, y) = (0.0, y + PITCH);
            }
        }
        boxes
    }
}

impl PlotKind for ColouredTokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        check::length("tokens", "`values`", self.tokens.len(), self.values.len())?;
        check::some_finite("tokens", &self.values)?;
        check::limits("tokens", self.limits)
    }

    fn size(&self) -> (f64, f64) {
        let boxes = self.boxes();
        let wide = boxes.iter().map(|(_, area)| area.right()).fold(0.0, f64::max);
        let high = boxes.last().map_or(0.0, |(_, area)| area.bottom());
        (wide + self.bar().width(), high.max(self.bar().least_height()))
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (bar, boxes) = (self.bar(), self.boxes());
        let wide = boxes.iter().map(|(_, area)| area.right()).fold(0.0, f64::max);
        let high = boxes.last().map_or(0.0, |(_, area)| area.bottom());
        for ((shown, place), value) in boxes.iter().zip(&self.values) {
            let cell = Area { x: area.x + place.x, y: area.y + place.y, ..*place };
            let colour = bar.scale.colour(*value);
            scene.fill(cell, colour);
            let at = (cell.x + 2.0, cell.y + HIGH / 2.0);
            scene.text(shown, at, SIZE, Align::Start, colour.ink_on());
        }
        bar.draw(scene, Area { x: area.x, y: area.y, w: wide, h: high });
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["pos", "token", "value"]);
        for (pos, (token, value)) in self.tokens.iter().zip(&self.values).enumerate() {
            table.rows.push(vec![pos.to_string(), token.clone(), numbers::exact(*value)]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for ColouredTokens {
        fn examples(values: &[f64]) -> Vec<Self> {
            vec![Self::new(values, values.to_vec())]
        }
    }

    #[test]
    fn text_wraps_at_the_width_and_after_line_ends() {
        let plot = ColouredTokens::new(["a", "\n", "b"], [1.0, 2.0, 3.0]);
        let tops: Vec<f64> = plot.boxes().iter().map(|(_, area)| area.y).collect();
        assert_eq!(tops, [0.0, 0.0, PITCH]);
        let long = ColouredTokens::new(vec![" token"; 100], vec![0.5; 100]);
        assert!(long.boxes().iter().all(|(_, area)| area.right() <= WIDE));
    }

    #[test]
    fn the_table_keeps_tokens_as_they_are() {
        let plot = ColouredTokens::new([" John", "\n"], [0.5f32, f32::INFINITY]);
        assert_eq!(plot.table().to_csv(), "pos,token,value\n0,\" John\",0.5\n1,\"\n\",inf\n");
    }

    #[test]
    fn a_missing_value_is_an_error() {
        assert_eq!(
            ColouredTokens::new(["a", "b"], [1.0]).validate().unwrap_err().to_string(),
            "tokens: `values` should have 2 entries, has 1"
        );
    }
}
