//! What a trace restores, and in how many layers at once.

use std::ops::Range;

use arrakis_models::site::{self, Site};
use serde::{Deserialize, Serialize};

use crate::plot::Scale;

/// What is set back to its value in the clean run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restored {
    /// The stream leaving a block (`resid_post`), one layer at a time.
    Resid,
    /// What attention adds to the stream (`attn_out`), in a window of layers.
    Attn,
    /// What the MLP adds to the stream (`mlp_out`), in a window of layers.
    Mlp,
}

impl Restored {
    pub(super) fn site(self) -> fn(usize) -> Site {
        match self {
            Self::Resid => site::resid_post,
            Self::Attn => site::attn_out,
            Self::Mlp => site::mlp_out,
        }
    }

    /// The number of layers that the paper restores together.
    pub(super) fn window(self) -> usize {
        match self {
            Self::Resid => 1,
            Self::Attn | Self::Mlp => 10,
        }
    }

    /// The title of the published figure.
    pub(super) fn title(self) -> String {
        let what = self.module().unwrap_or("state");
        format!("Impact of restoring {what} after corrupted input")
    }

    /// The axis of layers in the published figure.
    pub(super) fn axis(self, window: usize, model: &str) -> String {
        match self.module() {
            None if window == 1 => format!("single restored layer within {model}"),
            None => format!("center of interval of {window} restored layers within {model}"),
            Some(module) => format!("center of interval of {window} restored {module} layers"),
        }
    }

    /// The colours of the published figure.
    pub(super) fn colours(self) -> Scale {
        match self {
            Self::Resid => Scale::Purples,
            Self::Attn => Scale::Reds,
            Self::Mlp => Scale::Greens,
        }
    }

    fn module(self) -> Option<&'static str> {
        match self {
            Self::Resid => None,
            Self::Attn => Some("Attn"),
            Self::Mlp => Some("MLP"),
        }
    }
}

/// The layers of a window around `layer`, cut off at both ends of the model. Of an even number of layers, one more is
/// below the centre than above it.
pub(super) fn around(layer: usize, window: usize, n_layers: usize) -> Range<usize> {
    layer.saturating_sub(window / 2)..(layer + window.div_ceil(2)).min(n_layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_that_of_the_papers_code() {
        assert_eq!(
            (around(3, 1, 12), around(0, 10, 12), around(6, 10, 12), around(11, 10, 12)),
            (3..4, 0..5, 1..11, 6..12)
        );
        assert_eq!((around(2, 3, 12), around(2, 2, 3)), (1..4, 1..3));
    }

    #[test]
    fn words_are_those_of_the_published_figures() {
        assert_eq!(Restored::Resid.title(), "Impact of restoring state after corrupted input");
        assert_eq!(Restored::Resid.axis(1, "GPT"), "single restored layer within GPT");
        assert_eq!(Restored::Mlp.title(), "Impact of restoring MLP after corrupted input");
        assert_eq!(Restored::Attn.axis(10, "GPT"), "center of interval of 10 restored Attn layers");
    }
}
