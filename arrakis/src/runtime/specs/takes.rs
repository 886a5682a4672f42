//! The sites that a plot can draw, by their axes.

use arrakis_models::site::Axis;

/// The sites that a plot can draw.
#[derive(Clone, Copy)]
pub enum Takes {
    /// Attention patterns and scores: `[batch, head, query, key]`.
    Attention,
    /// One vector for each token: `[batch, pos, ..]`.
    Vectors,
    /// One number for each token: `[batch, pos, 1]`.
    Scales,
    /// Matrices with the tokens as rows, and one for each head if there are heads.
    Matrices,
}

impl Takes {
    /// Whether a site with these axes is one of them.
    pub(super) fn draws(self, axes: &[Axis]) -> bool {
        match self {
            Self::Attention => matches!(axes, [Axis::Batch, Axis::Head, Axis::Query, Axis::Key]),
            Self::Vectors => matches!(axes, [Axis::Batch, Axis::Pos, _]),
            Self::Scales => matches!(axes, [Axis::Batch, Axis::Pos, Axis::One]),
            Self::Matrices => {
                let by_head = matches!(axes, [Axis::Batch, Axis::Pos, Axis::Head | Axis::KvHead, _]);
                by_head || Self::Vectors.draws(axes) || Self::Attention.draws(axes)
            }
        }
    }

    /// Their axes in words.
    pub(super) fn axes(self) -> &'static str {
        match self {
            Self::Attention => "[b, h, q, k]",
            Self::Vectors => "[b, p, ..]",
            Self::Scales => "[b, p, 1]",
            Self::Matrices => "[b, p, ..], [b, p, h, ..] or [b, h, q, k]",
        }
    }
}
