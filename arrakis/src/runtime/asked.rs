//! What the attributes of a call ask for.

use std::path::PathBuf;

use super::specs::Plots;
use super::used::Noted;
use crate::experiment::{Function, Record};

/// The bits of the attributes. `Kind::bit` in `arrakis-macros` has the same.
pub(super) const LOG: u8 = 1;
pub(super) const TOOLS: u8 = 1 << 1;
pub(super) const PLOT: u8 = 1 << 2;
pub(super) const PROFILE: u8 = 1 << 3;
pub(super) const HYPOTHESIS: u8 = 1 << 4;

/// `#[plot_results(..)]`.
#[derive(Debug, Default)]
pub struct PlotOptions {
    /// The figure's title.
    pub title: Option<String>,
    /// The folder of its files, instead of the save folder.
    pub dir: Option<PathBuf>,
}

/// A function, its attributes with their options, and its inputs.
pub(super) struct Asked {
    pub(super) function: &'static Function,
    /// A bit for each attribute.
    pub(super) attributes: u8,
    /// The inputs, and the options of `#[log_experiment]`.
    pub(super) record: Record,
    pub(super) plot: PlotOptions,
    /// The plots that `#[plot_results(..)]` draws before the body adds its own.
    pub(super) plots: Option<Plots>,
    /// The tracked constants that the body names.
    pub(super) constants: Noted,
}

impl Asked {
    pub(super) fn has(&self, attribute: u8) -> bool {
        self.attributes & attribute != 0
    }
}
