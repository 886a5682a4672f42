//! Inner loops on slices of numbers, for the CPU.
//!
//! A package of its own: it is optimised even in a build for development, in which every function that is not marked for
//! inlining stays a call in packages that are not.

mod adam;
mod attention;
mod by_lane;
mod columns;
mod dots;
mod few;
mod jump;
mod largest;
mod memory;
mod normal;
mod part;
mod place;
mod product;
mod scratch;
mod share;

mod sparse;
mod sums;
mod threads;
mod tile;
mod transpose;
mod weight;

pub use adam::AdamStep;
pub use attention::{Heads, Rows, ToPattern, attend, mixed, products};
pub use jump::Jump;
pub use largest::{largest_of_all, largest_of_rows};
pub use memory::zeros;
pub use normal::{WORDS_OF_A_NORMAL, draw_normal};
pub use product::{Product, has_vectors, multiply};
pub use share::share;
pub use sparse::Sparse;
pub use sums::{any_of_columns, column_sums, least_positive};
pub use threads::add_main_thread;
pub use weight::{Matrix, Numbers, Order};
