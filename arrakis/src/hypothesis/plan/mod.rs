//! Planning a claim before it is measured: its power, the smallest effect that it can find or that is of interest, and
//! looks at the data on the way.

mod planned;
mod power;
mod sequential;

pub use power::{power_of_t, sample_size_for_t, smallest_effect_for_t};
pub use sequential::{Look, Spending, looks};
