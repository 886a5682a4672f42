//! A figure: a title, its panels in a grid, and the record it belongs to.

use serde::{Deserialize, Serialize};

use super::{
    Panel,
    colour::Colour,
    glyphs,
    kinds::builders,
    pack::Packing,
    scene::{Align, Area, LINE_PITCH, Mark, Scene},
    text,
};
use crate::{Error, Result};

const MARGIN: f64 = 18.0;
const TITLE: f64 = 16.0;
const SUBTITLE: f64 = 11.5;
const PANEL_TITLE: f64 = 13.0;
const PANEL_TITLE_ROOM: f64 = 24.0;
const RECORD: f64 = 8.5;
/// What a figure says of characters that no embedded font has.
const CODES: &str = "In a PNG, a box with a number is a character that its fonts lack, by its code point. SVG and HTML have the \
                     character itself.";
/// Titles are not wrapped into a column narrower than this.
const LEAST_WIDTH: f64 = 340.0;
/// Painting takes 48 bytes per pixel of the scene.
const MOST_PIXELS: f64 = 8e6;

/// A title and panels: the data from which every output is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What the figure shows, in a few words.
    pub title: String,
    /// How it was measured: the model, the number of prompts, what the mean is over.
    #[serde(default)]
    pub subtitle: Option<String>,
    /// The id of the experiment record, in small print at the bottom.
    #[serde(default)]
    pub record: Option<String>,
    /// The number of panels in a row; `None` packs them by their sizes.
    #[serde(default)]
    pub columns: Option<usize>,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
}

impl Figure {
    /// A figure without panels.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the subtitle: how the figure was measured.
    #[must_use]
    pub fn subtitle(self, subtitle: impl Into<String>) -> Self {
        Self { subtitle: Some(subtitle.into()), ..self }
    }

    /// Sets the id of the experiment record that this figure belongs to.
    #[must_use]
    pub fn record(self, id: impl Into<String>) -> Self {
        Self { record: Some(id.into()), ..self }
    }

    /// Sets the number of panels in a row, at least one.
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// Adds a panel of any kind.
    #[must_use]
    pub fn with(mut self, panel: impl Into<Panel>) -> Self {
        self.push(panel);
        self
    }

    /// Adds a panel of any kind.
    pub fn push(&mut self, panel: impl Into<Panel>) {
        self.panels.push(panel.into());
    }

    builders! {}

    /// Checks that every panel can be drawn.
    ///
    /// # Errors
    ///
    /// `EmptyFigure` without panels; otherwise the first panel's own error; `FigureValue` if the panels
    /// together are too large to paint.
    pub fn validate(&self) -> Result<()> {
        if self.panels.is_empty() {
            return Err(Error::EmptyFigure { kind: "figure", problem: "it has no panels".into() });
        }
        self.panels.iter().try_for_each(|panel| panel.plot().validate())?;
        let Packing { width: wide, height: high, .. } = self.packing();
        if wide * high <= MOST_PIXELS {
            return Ok(());
        }
        let problem = format!("{wide:.0} x {high:.0} pixels are too many: select fewer panels, rows, bars or tokens");
        Err(Error::FigureValue { kind: "figure", problem })
    }

    /// The figure in pixels, with its width and height. The figure must be valid.
    pub(super) fn scene(&self) -> (Scene, (f64, f64)) {
        let packing = self.packing();
        let wide = packing.width.max(LEAST_WIDTH);
        let mut scene = Scene::default();
        let below = self.draw_head(&mut scene, wide);
        for (panel, place) in self.panels.iter().zip(&packing.places) {
            draw_panel(&mut scene, panel, Area { x: place.x + MARGIN, y: place.y + below, ..*place });
        }
        let bottom = draw_codes(&mut scene, wide, below + packing.height);
        let bottom = self.draw_foot(&mut scene, wide, bottom);
        (scene, (wide + 2.0 * MARGIN, bottom + MARGIN))
    }

    fn packing(&self) -> Packing {
        let size = |panel: &Panel| {
            let (wide, high) = panel.plot().size();
            let title = if panel.plot().title().is_empty() { 0.0 } else { PANEL_TITLE_ROOM };
            (wide, high + title)
        };
        Packing::of(&self.panels.iter().map(size).collect::<Vec<_>>(), self.columns)
    }

    /// Draws title and subtitle; returns the `y` at which the panels begin.
    fn draw_head(&self, scene: &mut Scene, room: f64) -> f64 {
        let mut y = MARGIN + TITLE * 0.5;
        y = scene.lines(&text::wrap(&self.title, TITLE, room), (MARGIN, y), TITLE, Colour::INK);
        let subtitle = text::wrap(self.subtitle.as_deref().unwrap_or_default(), SUBTITLE, room);
        y = scene.lines(&subtitle, (MARGIN, y), SUBTITLE, Colour::FAINT);
        y + 6.0
    }

    /// Draws the record's id; returns the `y` at which the figure ends.
    fn draw_foot(&self, scene: &mut Scene, room: f64, y: f64) -> f64 {
        let Some(record) = &self.record else { return y };
        let line = text::shorten(&format!("record {record}"), RECORD, room);
        let at = (MARGIN + room, y + 16.0);
        scene.text(&line, at, RECORD, Align::End, Colour::FAINT);
        y + 16.0 + RECORD * LINE_PITCH / 2.0
    }
}

/// Says what boxes with a code point are, if the PNG has some; returns the `y` at which the figure ends.
fn draw_codes(scene: &mut Scene, room: f64, y: f64) -> f64 {
    let has_code = |mark: &Mark| matches!(mark, Mark::Text(label) if glyphs::has_code(&label.text));
    if !scene.marks.iter().any(has_code) {
        return y;
    }
    let lines = text::wrap(CODES, RECORD, room);
    scene.lines(&lines, (MARGIN, y + 16.0), RECORD, Colour::FAINT) + RECORD * (1.0 - LINE_PITCH)
}

fn draw_panel(scene: &mut Scene, panel: &Panel, mut area: Area) {
    let plot = panel.plot();
    if !plot.title().is_empty() {
        let title = text::shorten(plot.title(), PANEL_TITLE, area.w.max(120.0));
        scene.text(&title, (area.x, area.y + PANEL_TITLE / 2.0), PANEL_TITLE, Align::Start, Colour::INK);
        area.y += PANEL_TITLE_ROOM;
        area.h -= PANEL_TITLE_ROOM;
    }
    plot.draw(scene, area);
}

#[cfg(test)]
mod tests {
    use super::super::{Bars, Heatmap};
    use super::*;

    #[test]
    fn a_figure_without_panels_says_so() {
        assert_eq!(
            Figure::new("t").validate().unwrap_err().to_string(),
            "nothing to draw in the figure: it has no panels; widen the selection it was made from"
        );
    }

    #[test]
    fn a_figure_too_large_to_paint_is_an_error() {
        let bars = Bars::new((0..10_000).map(|index| (index, 1.0)));
        assert_eq!(
            Figure::new("t").bar(bars.clone()).bar(bars).columns(1).validate().map_err(|error| error.to_string()),
            Err("figure: 40049 x 730 pixels are too many: select fewer panels, rows, bars or tokens".to_owned())
        );
    }

    #[test]
    fn a_figure_says_where_the_characters_are_that_a_png_lacks() {
        let svg = |token: &str| {
            let map = Heatmap::new([[1.0, 2.0]]).columns("token", ["a", token]);
            Figure::new("t").heatmap(map).to_svg().unwrap()
        };
        let emoji = svg("\u{1f9e0}");
        assert!(emoji.contains("\u{1f9e0}") && emoji.contains("a box with a number is a character"), "{emoji}");
        for token in ["中文", "العربية", "b"] {
            let plain = svg(token);
            assert!(plain.contains(token) && !plain.contains("a box with a number"), "{plain}");
        }
    }

    #[test]
    fn every_mark_lies_inside_the_figure() {
        let labels = ["a", " restaurant", "x"];
        let map = Heatmap::new([[1.0, -2.0, 3.0]]).rows("layer", ["L0"]).columns("token", labels).annotate(3);
        let (scene, (wide, high)) = Figure::new("A title ".repeat(30)).heatmap(map).record("id").scene();
        for mark in &scene.marks {
            if let super::super::scene::Mark::Text(label) = mark {
                let (x, y) = label.at;
                assert!(x >= 0.0 && x <= wide && y >= 0.0 && y <= high, "{label:?} outside {wide} x {high}");
            }
        }
    }
}
