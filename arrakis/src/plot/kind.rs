//! What every plot kind can do.

use super::{
    scene::{Area, Scene},
    table::Table,
    terminal,
};
use crate::Result;

/// A kind of plot: data that can be checked, drawn and tabulated.
pub trait PlotKind {
    /// The kind's name in errors and on pages.
    fn name(&self) -> &'static str;

    /// Written above the panel; empty for none.
    fn title(&self) -> &str;

    /// Whether the data can be drawn.
    ///
    /// # Errors
    ///
    /// `EmptyFigure` where there is nothing finite to draw, `FigureShape` where parts do not fit
    /// together, `FigureValue` where a value has no place in this kind of plot.
    fn validate(&self) -> Result<()>;

    /// Width and height in pixels that suit this data. Valid data only.
    fn size(&self) -> (f64, f64);

    /// Draws into `area`, which has the size asked for. Valid data only.
    ///
    /// What is not finite is drawn as missing (a grey place, a gap, a count in a note), never as a number.
    fn draw(&self, scene: &mut Scene, area: Area);

    /// All the numbers, one observation a row.
    fn table(&self) -> Table;

    /// A few lines of text; by default the beginning of the table.
    fn to_terminal(&self) -> String {
        terminal::table(&self.table())
    }
}

/// What the tests of all kinds need: panels of this kind that show `values`, whatever they are.
#[cfg(test)]
pub(super) trait Example: PlotKind + Sized {
    fn examples(values: &[f64]) -> Vec<Self>;
}
