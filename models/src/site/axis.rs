//! The axes of a site's tensor, as a type.

use std::fmt;

use crate::config::TransformerConfig;

/// What one axis of a site's tensor runs over.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Rows of the batch, `b`.
    Batch,
    /// Positions of this forward's tokens, `p`.
    Pos,
    /// Query positions, `q`: those of this forward's tokens.
    Query,
    /// Key positions, `k`: those of this forward's tokens and of all tokens before them.
    Key,
    /// Query heads, `h`.
    Head,
    /// Key and value heads, `h`. Query heads that share keys and values count as one.
    KvHead,
    /// The residual stream, `m`: `d_model`.
    Model,
    /// One head, `d`: `d_head`.
    DHead,
    /// Neurons of an MLP, `f`: `d_mlp`.
    Mlp,
    /// Neurons of a shared expert, `s`.
    Shared,
    /// Experts of a mixture, `e`.
    Expert,
    /// Tokens of the vocabulary, `v`: `d_vocab`.
    Vocab,
    /// A single number, `1`.
    One,
    /// An axis that a splice adds, such as the latents of a dictionary.
    Other {
        /// Its name in listings of axes.
        name: &'static str,
        /// Its length.
        length: usize,
    },
}

/// The number of rows, tokens and keys of a forward: the axis lengths that the configuration does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of the batch.
    pub batch: usize,
    /// Tokens per row in this forward.
    pub pos: usize,
    /// Keys a query may see, including those before this forward.
    pub keys: usize,
}

impl Extent {
    /// A forward over `[batch, pos]` tokens without earlier keys.
    pub const fn new(batch: usize, pos: usize) -> Self {
        Self { batch, pos, keys: pos }
    }
}

impl Axis {
    /// The length of this axis in a forward of this extent.
    pub fn length(self, config: &TransformerConfig, extent: Extent) -> usize {
        match self {
            Self::Batch => extent.batch,
            Self::Pos | Self::Query => extent.pos,
            Self::Key => extent.keys,
            Self::Head => config.n_heads,
            Self::KvHead => config.n_kv_heads,
            Self::Model => config.d_model,
            Self::DHead => config.d_head,
            Self::Mlp => config.d_mlp,
            Self::Shared => config.experts.and_then(|experts| experts.shared).unwrap_or(0),
            Self::Expert => config.experts.map_or(0, |experts| experts.count),
            Self::Vocab => config.d_vocab,
            Self::One => 1,
            Self::Other { length, .. } => length,
        }
    }

    /// Whether its length depends on the prompt.
    pub const fn is_of_prompt(self) -> bool {
        matches!(self, Self::Batch | Self::Pos | Self::Query | Self::Key)
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batch => "b",
            Self::Pos => "p",
            Self::Query => "q",
            Self::Key => "k",
            Self::Head | Self::KvHead => "h",
            Self::Model => "m",
            Self::DHead => "d",
            Self::Mlp => "f",
            Self::Shared => "s",
            Self::Expert => "e",
            Self::Vocab => "v",
            Self::One => "1",
            Self::Other { name, .. } => name,
        })
    }
}

/// Axes as a listing shows them: `[b, p, m]`.
pub(crate) fn list(axes: &[Axis]) -> String {
    let letters: Vec<String> = axes.iter().map(ToString::to_string).collect();
    format!("[{}]", letters.join(", "))
}

/// Which axis of a tensor has which role. Selections use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axes {
    /// The (query) position.
    pub(crate) position: usize,
    /// The head, where there is one.
    pub(crate) head: Option<usize>,
    /// The key position, where there is one.
    pub(crate) key: Option<usize>,
}

impl Axes {
    /// Reads the roles off a list of axes. Without a position axis, `position` is the number of axes.
    pub(crate) fn among(axes: &[Axis]) -> Self {
        let find = |wanted: &[Axis]| axes.iter().position(|axis| wanted.contains(axis));
        Self {
            position: find(&[Axis::Pos, Axis::Query]).unwrap_or(axes.len()),
            head: find(&[Axis::Head, Axis::KvHead]),
            key: find(&[Axis::Key]),
        }
    }

    /// For a tensor whose axes are unknown: `[batch, pos, ..]`, with heads at axis 2 if there are four axes.
    pub(crate) fn of_rank(rank: usize) -> Self {
        Self { position: 1, head: (rank == 4).then_some(2), key: None }
    }

    /// Lengths before, at and after the position axis.
    pub(crate) fn around_position(&self, dims: &[usize]) -> (usize, usize, usize) {
        (dims[..self.position].iter().product(), dims[self.position], dims[self.position + 1..].iter().product())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_off_the_axes() {
        use Axis::{Batch, Head, Key, Model, Pos, Query};
        assert_eq!(Axes::among(&[Batch, Head, Query, Key]), Axes { position: 2, head: Some(1), key: Some(3) });
        assert_eq!(Axes::among(&[Batch, Pos, Model]), Axes { position: 1, head: None, key: None });
        assert_eq!(Axes::among(&[Batch, Model]).position, 2);
    }

    #[test]
    fn lengths_come_from_the_configuration_and_the_forward() {
        let mut config = TransformerConfig::plain("test", 1, 12, 4, 20, 16);
        config.n_kv_heads = 2;
        let extent = Extent { batch: 3, pos: 5, keys: 9 };
        let lengths = |axes: &[Axis]| axes.iter().map(|axis| axis.length(&config, extent)).collect::<Vec<_>>();
        assert_eq!(lengths(&[Axis::Batch, Axis::Head, Axis::Query, Axis::Key]), [3, 4, 5, 9]);
        assert_eq!(lengths(&[Axis::KvHead, Axis::DHead, Axis::Model, Axis::Mlp]), [2, 3, 12, 48]);
        assert_eq!(lengths(&[Axis::Vocab, Axis::One, Axis::Other { name: "latent", length: 7 }]), [20, 1, 7]);
        assert_eq!(list(&[Axis::Batch, Axis::Other { name: "latent", length: 7 }]), "[b, latent]");
    }
}
