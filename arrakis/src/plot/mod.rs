//! Figures that keep their data: next to each picture its numbers are saved, as CSV and strict JSON.
//!
//! A [`Figure`] is a title and a few panels. Each panel is one plot kind, a plain struct of numbers
//! and names that is checked before it is drawn. Nothing is hidden: a non-finite value is a grey
//! cell, a gap, or a count in a note, and a table with every number is saved next to the picture.
//!
//! ```
//! use arrakis::plot::{Figure, Heatmap};
//!
//! # fn main() -> arrakis::Result<()> {
//! let effect = vec![vec![0.1f32, -0.4], vec![2.3, 0.0]]; // [layer][head], nats
//! let figure = Figure::new("Direct effect on the logit difference")
//!     .subtitle("mean over 50 prompts")
//!     .heatmap(Heatmap::heads(effect).units("logit difference (nats)").annotate(1))
//!     .record("3f9a0c");
//!
//! # let folder = std::env::temp_dir().join("arrakis-plot-example");
//! let files = figure.save(&folder, "direct_effect")?; // .png .svg .csv .json
//! assert_eq!(files.len(), 4);
//! println!("{}", figure.to_terminal());
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok(())
//! # }
//! ```

mod axis;
mod check;
mod colour;
mod colour_bar;
mod columns;
mod distribution;
mod figure;
mod glyphs;
mod html;
mod kind;
mod kinds;
mod labels;
mod matrix;
mod numbers;
mod origin;
mod output;
mod pack;
mod paint;
mod plotter;
mod scene;
mod table;
mod terminal;
mod text;

pub use colour::{Colour, ColourScale, Scale};
pub use figure::Figure;
pub(crate) use html::escape;
pub use kind::PlotKind;
pub use kinds::*;
pub use origin::Origin;
pub use plotter::{Html, Pictures, Plotter, Terminal};
pub use scene::{Align, Area, Label, Mark, Scene};
pub use table::Table;
pub use text::short;
