//! Matrices of which few numbers are not zero.

mod of;
mod times;

pub use of::Sparse;
