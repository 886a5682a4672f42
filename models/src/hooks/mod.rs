//! One run of a hooked module: what is captured, edited and differentiated, and how often each fired.
//!
//! A [`Plan`] is described first and executed once. While it runs, `#[hooked]` functions on this
//! thread report each named tensor to it; nothing is stored on the module, and nothing outlives the
//! run, a panic included.

mod activation;
mod backward;
mod cache;
mod cache_file;
mod cache_key;
mod capture;
mod edit;
mod effect;
mod fitting;
mod gradient;
mod intervention;
mod knock_out;
mod numbers;
mod observe;
mod outcome;
mod pattern;
mod plan;
mod reduction;
mod resample;
mod rows;
mod selection;
mod session;
mod slot;
mod warnings;

pub use activation::Activation;
pub use cache::ActivationCache;
pub use cache_key::CacheKey;
pub use capture::Capture;
pub use edit::{At, Edit};
pub use effect::Effect;
pub use gradient::GradientEdit;
pub use intervention::{Action, Intervention};
pub use observe::{Observer, observe};
pub use outcome::{Fired, Outcome};
pub use pattern::SitePattern;
pub use plan::Plan;
pub use reduction::Reduction;
pub use rows::Rows;
pub(crate) use selection::Axes;
pub use selection::Slice;
pub(crate) use session::set_rows;
pub use session::{asked, edited, enter};
pub use slot::{PassAny, PassTensor, Slot};
pub(crate) use warnings::{warn, warn_unchanged};
