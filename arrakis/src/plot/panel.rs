//! What every plot kind can do, and the list of all kinds.

use serde::{Deserialize, Serialize};

use super::{
    Attention, Bars, Heatmap, Histogram, Line, Scatter, Tokens, Violin,
    scene::{Area, Scene},
    table::Table,
};
use crate::Result;

/// A kind of plot: data that can be checked, drawn and tabulated.
pub trait PlotKind {
    /// The kind's name: what it is called in data files and errors.
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
    fn draw(&self, scene: &mut Scene, area: Area);

    /// All the numbers, one observation a row.
    fn table(&self) -> Table;

    /// A few lines of text; by default the beginning of the table.
    fn to_terminal(&self) -> String {
        super::terminal::table(&self.table())
    }
}

/// Declares [`Panel`]: one variant a kind, which hands every call on to it.
macro_rules! panels {
    ($($kind:ident $name:literal,)*) => {
        /// One panel of a figure: a plot of some kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Panel {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] #[serde(rename = $name)] $kind($kind),)*
        }

        impl Panel {
            /// The names of all kinds, as data files write them.
            pub const KINDS: &'static [&'static str] = &[$($name),*];

            /// The plot inside.
            pub fn plot(&self) -> &dyn PlotKind {
                match self {
                    $(Self::$kind(plot) => plot,)*
                }
            }
        }

        $(impl From<$kind> for Panel {
            fn from(plot: $kind) -> Self {
                Self::$kind(plot)
            }
        })*
    };
}

panels! {
    Heatmap "heatmap",
    Attention "attention",
    Line "line",
    Bars "bar",
    Violin "violin",
    Scatter "scatter",
    Tokens "tokens",
    Histogram "histogram",
}
