//! The tensors that can be patched.

use arrakis_models::{HookedTransformer, site};
use serde::{Deserialize, Serialize};

/// A tensor of the residual stream's width, patched at one layer and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamSite {
    /// The stream entering the block.
    ResidPre,
    /// The stream between attention and MLP.
    ResidMid,
    /// What attention adds to the stream.
    AttnOut,
    /// What the MLP adds to the stream.
    MlpOut,
}

/// A tensor with a head axis, patched one head at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadSite {
    /// The head's output, `z`.
    Z,
    /// The head's queries.
    Q,
    /// The head's keys; heads that share them are patched together.
    K,
    /// The head's values; heads that share them are patched together.
    V,
    /// The head's attention pattern.
    Pattern,
}

impl StreamSite {
    pub(crate) fn site(self) -> fn(usize) -> site::Site {
        match self {
            Self::ResidPre => site::resid_pre,
            Self::ResidMid => site::resid_mid,
            Self::AttnOut => site::attn_out,
            Self::MlpOut => site::mlp_out,
        }
    }
}

impl HeadSite {
    pub(super) fn site(self) -> fn(usize) -> site::Site {
        match self {
            Self::Z => site::z,
            Self::Q => site::q,
            Self::K => site::k,
            Self::V => site::v,
            Self::Pattern => site::pattern,
        }
    }

    pub(super) fn heads(self, model: &HookedTransformer) -> usize {
        let grouped = site::row(self.site()).axes.contains(&site::Axis::KvHead);
        if grouped { model.config().n_kv_heads } else { model.config().n_heads }
    }
}
