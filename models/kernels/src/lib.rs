//! Inner loops on slices of numbers, for the CPU.
//!
//! A package of its own: it is optimised even in a build for development, in which every function that is not marked for
//! inlining stays a call in packages that are not.

mod attention;
mod columns;
mod dots;
mod memory;
mod normal;
mod part;
mod place;
mod product;
mod scratch;
mod share;
mod single;
mod weight;

pub use attention::{Heads, Rows, ToPattern, attend, mixed, products};
pub use memory::zeros;
pub use normal::{WORDS_OF_A_NORMAL, draw_normal};
pub use product::{Product, has_vectors, multiply};
pub use share::share;
pub use weight::{Matrix, Numbers, Order};
