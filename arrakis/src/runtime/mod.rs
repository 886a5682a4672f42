//! The runtime of the attributes: each expands to a call of one of these ordinary functions.

mod call;
mod describe;
mod fail;
mod fill;
mod held;
mod hypothesis;
mod show;

pub use crate::experiment::Function;
pub use call::{Call, Hypothesis, PlotOptions, call, claim};
pub use describe::{DebugMessage, DisplayMessage, OpaqueMessage, Seen, SplitPlain, SplitResult};
pub use fail::{Fail, FailByPanic, FailByResult};
pub use fill::Fill;
pub use held::{BenchSource, Held};
pub use hypothesis::{Draw, IntoNull, NullMaker, assert_holds, draws, measure, measure_by, null};
pub use show::{
    Counted, Hidden, Known, Probe, ShowCounted, ShowDebug, ShowEither, ShowKnown, ShowSerialize, ShowType, Shown,
};
