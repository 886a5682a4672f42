//! The basis of all other modules of `hooks`: a tensor of any rank, its rows of tokens, and patterns of sites.

pub(super) mod activation;
pub(super) mod at;
pub(super) mod digest;
pub(super) mod mean;
pub(crate) mod numbers;
pub(super) mod parameters;
pub(super) mod pattern;
pub(super) mod rows;
pub(super) mod slice;
