//! The runtime of the attributes: each expands to one chain of calls of these ordinary functions.

mod asked;
mod awaited;
mod call;
mod case;
mod describe;
mod fail;
mod fill;
mod given;
mod held;
mod hypothesis;
mod own;
mod reuse;
mod running;
mod show;
mod specs;
mod stop;
mod used;

pub use std::ops::ControlFlow;
pub use std::result::Result::Ok;

pub use crate::experiment::{Function, Helper, Here, Reuse};
pub use crate::hypothesis::{Alternative, Estimand, Spending, Test};
pub use crate::{__call as call, __helper as helper, __used as used};
pub use asked::PlotOptions;
pub use awaited::block_on;
pub use call::{Call, no_tools, tool};
pub use case::{Case, Resample, resampled};
pub use describe::{Described, Success};
pub use fail::Fail;
pub use fill::{Fill, fill};
pub use given::given;
pub use held::BenchSource;
pub use hypothesis::{Against, BoxedDraws, Draw, DrawNull, Drawn, IntoNull, NoNull, draws, measure, measure_by, null};
pub use reuse::{OfNothing, OfResult, OfValue, ReadBack, Reader};
pub use show::{Counted, Hidden, Known, Probe, Shown};
pub use specs::PlotSpec;
pub use specs::by_name as plots;
pub use used::{Constant, Constants, Noted, used};

/// The traits whose methods an attribute calls. Their methods have names that no other trait has.
pub mod traits {
    pub use super::describe::{
        DebugMessage as _, DisplayMessage as _, ErrorMessage as _, OpaqueMessage as _, PointerMessage as _,
        SplitPlain as _, SplitResult as _,
    };
    pub use super::fail::{FailByPanic as _, FailByResult as _};
    pub use super::own::{OwnBorrow as _, OwnClone as _, OwnTarget as _};
    pub use super::reuse::{ReadNothing as _, ReadResult as _, ReadValue as _};
    pub use super::show::{
        ShowCounted as _, ShowDebug as _, ShowEither as _, ShowKnown as _, ShowSerialize as _, ShowType as _,
    };
    pub use super::used::{NoteConstant as _, NoteNothing as _};
}
