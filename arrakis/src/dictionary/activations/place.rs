//! Where a stream is.

use serde::{Deserialize, Serialize};

use crate::corpus::PassReport;

/// A place in a stream of activations. It is small: the activations there are made again, to the same bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlace {
    /// Times that the corpus was read to its end.
    pub epoch: u64,
    /// Chunks of this epoch before the one that is given out.
    pub chunk: u64,
    /// Batches of that chunk that were given out.
    pub given: usize,
    /// Where that chunk starts.
    pub start: FeedPlace,
}

/// A place in the batches of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPlace {
    /// What was read and run before the shelf.
    pub before: PassReport,
    /// Batches of the shelf that have run.
    pub batches: usize,
}
