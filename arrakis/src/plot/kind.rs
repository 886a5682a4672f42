//! The trait that every plot kind implements.

use super::{
    scene::{Area, Scene},
    table::Table,
    terminal,
};
use crate::Result;

/// A kind of plot: data that can be checked, drawn and put into a table.
pub trait PlotKind {
    /// The kind's name in errors and on pages.
    fn name(&self) -> &'static str;

    /// The title above the panel; empty for none.
    fn title(&self) -> &str;

    /// Checks that the data can be drawn.
    ///
    /// # Errors
    ///
    /// `EmptyFigure` if there is no finite value to draw, `FigureShape` if lengths do not match,
    /// `FigureValue` if a value cannot be shown in this kind of plot.
    fn validate(&self) -> Result<()>;

    /// Width and height in pixels that suit this data. The data must be valid.
    fn size(&self) -> (f64, f64);

    /// Draws into `area`, which has the size of [`PlotKind::size`]. The data must be valid.
    ///
    /// A non-finite value is drawn as missing (a grey cell, a gap, a count in a note), never as a number.
    fn draw(&self, scene: &mut Scene, area: Area);

    /// All the numbers, one observation per row.
    fn table(&self) -> Table;

    /// A few lines of text; by default the beginning of the table.
    fn to_terminal(&self) -> String {
        terminal::table(&self.table())
    }
}

/// For the tests of all kinds: panels of this kind that show `values`, whatever they are.
#[cfg(test)]
pub(super) trait Example: PlotKind + Sized {
    fn examples(values: &[f64]) -> Vec<Self>;
}
