//! Running text, each token on a background coloured by its value: loss, a feature's activation.
//!
//! *How to read it*: `·` is a space, `↵` a line end; a grey token has no finite value. Text without a background is a
//! label. *When it misleads*: a long token looks stronger than a short one of the same value.

use serde::{Deserialize, Serialize};

use super::{numbers as into_numbers, strings};
use crate::{
    Result,
    plot::{
        PlotKind, check,
        colour::{Colour, ColourScale, Scale},
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
    /// Labels of passages: the index of the passage's first token, and what is written before it on a new line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(usize, String)>,
}

/// A piece of text in its place.
struct Piece {
    text: String,
    area: Area,
    /// The value of a token; a label has none.
    value: Option<f64>,
}

impl ColouredTokens {
    /// Tokens with one value each.
    pub fn new(
        tokens: impl IntoIterator<Item = impl ToString>,
        values: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        Self { tokens: strings(tokens), values: into_numbers(values), ..Self::default() }
    }

    /// Adds a passage of more tokens, on a new line after its label.
    #[must_use]
    pub fn passage(
        mut self,
        label: impl Into<String>,
        tokens: impl IntoIterator<Item = impl ToString>,
        values: impl IntoIterator<Item = impl Into<f64>>,
    ) -> Self {
        self.labels.push((self.tokens.len(), label.into()));
        self.tokens.extend(strings(tokens));
        self.values.extend(into_numbers(values));
        self
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

    /// Each label and token in its place relative to the origin, wrapped at the width and after line ends.
    fn pieces(&self) -> Vec<Piece> {
        let (mut pieces, mut at) = (Vec::with_capacity(self.tokens.len()), (0.0, 0.0));
        let mut labels = self.labels.iter().peekable();
        for (index, (token, value)) in self.tokens.iter().zip(&self.values).enumerate() {
            while let Some((_, label)) = labels.next_if(|(first, _)| *first <= index) {
                if at.0 > 0.0 {
                    at = (0.0, at.1 + PITCH);
                }
                pieces.push(Self::piece(label, None, &mut at));
            }
            pieces.push(Self::piece(&text::visible(token), Some(*value), &mut at));
            if token.contains('\n') {
                at = (0.0, at.1 + PITCH);
            }
        }
        pieces
    }

    /// A piece at the next place of its line, or on the next line if it does not fit.
    fn piece(text: &str, value: Option<f64>, at: &mut (f64, f64)) -> Piece {
        let text = text::shorten(text, SIZE, WIDE - 8.0);
        let w = text::width(&text, SIZE) + 4.0;
        if at.0 + w > WIDE {
            *at = (0.0, at.1 + PITCH);
        }
        let area = Area { x: at.0, y: at.1, w, h: HIGH };
        at.0 += w + 1.0;
        Piece { text, area, value }
    }

    /// The size of all pieces together.
    fn extent(pieces: &[Piece]) -> (f64, f64) {
        let wide = pieces.iter().map(|piece| piece.area.right()).fold(0.0, f64::max);
        (wide, pieces.last().map_or(0.0, |piece| piece.area.bottom()))
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
        let (wide, high) = Self::extent(&self.pieces());
        (wide + self.bar().width(), high.max(self.bar().least_height()))
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (bar, pieces) = (self.bar(), self.pieces());
        for Piece { text, area: place, value } in &pieces {
            let cell = Area { x: area.x + place.x, y: area.y + place.y, ..*place };
            let colour = value.map(|value| bar.scale.colour(value));
            if let Some(colour) = colour {
                scene.fill(cell, colour);
            }
            let ink = colour.map_or(Colour::INK, Colour::ink_on);
            scene.text(text, (cell.x + 2.0, cell.y + HIGH / 2.0), SIZE, Align::Start, ink);
        }
        let (wide, high) = Self::extent(&pieces);
        bar.draw(scene, Area { x: area.x, y: area.y, w: wide, h: high });
    }

    fn table(&self) -> Table {
        let of = |pos: usize| self.labels.iter().rev().find(|(first, _)| *first <= pos).map(|(_, label)| label.clone());
        let header = ["pos", "token", "value", "passage"];
        let mut table = Table::new(if self.labels.is_empty() { &header[..3] } else { &header });
        for (pos, (token, value)) in self.tokens.iter().zip(&self.values).enumerate() {
            let mut row = vec![pos.to_string(), token.clone(), numbers::exact(*value)];
            if !self.labels.is_empty() {
                row.push(of(pos).unwrap_or_default());
            }
            table.rows.push(row);
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
        let tops: Vec<f64> = plot.pieces().iter().map(|piece| piece.area.y).collect();
        assert_eq!(tops, [0.0, 0.0, PITCH]);
        let long = ColouredTokens::new(vec![" token"; 100], vec![0.5; 100]);
        assert!(long.pieces().iter().all(|piece| piece.area.right() <= WIDE));
    }

    #[test]
    fn the_table_keeps_tokens_as_they_are() {
        let plot = ColouredTokens::new([" John", "\n"], [0.5f32, f32::INFINITY]);
        assert_eq!(plot.table().to_csv(), "pos,token,value\n0,\" John\",0.5\n1,\"\n\",inf\n");
    }

    #[test]
    fn a_label_starts_a_line_and_has_no_value() {
        let plot = ColouredTokens::default().passage("first:", ["a", "b"], [1.0, 2.0]).passage("second:", ["c"], [3.0]);
        let pieces: Vec<(String, f64, Option<f64>)> =
            plot.pieces().into_iter().map(|piece| (piece.text, piece.area.y, piece.value)).collect();
        let expected = [
            ("first:", 0.0, None),
            ("a", 0.0, Some(1.0)),
            ("b", 0.0, Some(2.0)),
            ("second:", PITCH, None),
            ("c", PITCH, Some(3.0)),
        ];
        assert_eq!(pieces, expected.map(|(text, y, value)| (text.to_owned(), y, value)));
        assert!(plot.bar().missing.is_none());
        let csv = plot.table().to_csv();
        assert_eq!(csv, "pos,token,value,passage\n0,a,1,first:\n1,b,2,first:\n2,c,3,second:\n");
    }

    #[test]
    fn a_missing_value_is_an_error() {
        assert_eq!(
            ColouredTokens::new(["a", "b"], [1.0]).validate().unwrap_err().to_string(),
            "tokens: `values` should have 2 entries, has 1"
        );
    }
}
