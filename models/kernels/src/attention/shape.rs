//! Sizes, and where rows are in memory.

use crate::product::SMALL;
use crate::share::share;

/// The sizes of a layer of attention. None is zero, and `heads` is a multiple of `kv_heads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Rows of the batch.
    pub batch: usize,
    /// Queries of each row.
    pub queries: usize,
    /// Keys of each row.
    pub keys: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; each serves as many heads of queries that follow one another.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub d_head: usize,
}

impl Heads {
    /// The head of keys and values that serves a head of queries.
    pub(super) fn served_by(&self, head: usize) -> usize {
        head / (self.heads / self.kv_heads)
    }

    /// Does all tasks, on all cores if there is enough to do.
    pub(super) fn share<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T) + Sync) {
        let multiplications = self.batch * self.heads * self.queries * self.keys * self.d_head;
        if multiplications < SMALL { tasks.into_iter().for_each(work) } else { share(tasks, work) }
    }
}

/// `[batch, pos, head, d_head]` in memory. The numbers of a head are contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// From the first number on.
    pub numbers: &'a [f32],
    /// How far apart rows of the batch, positions and heads are.
    pub strides: [usize; 3],
}

impl<'a> Rows<'a> {
    /// From a head's first number on.
    pub(super) fn from(&self, [batch, pos, head]: [usize; 3]) -> &'a [f32] {
        let [per_batch, per_pos, per_head] = self.strides;
        &self.numbers[batch * per_batch + pos * per_pos + head * per_head..]
    }
}
