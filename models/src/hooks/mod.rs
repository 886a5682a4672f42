//! One run of a hooked module: what is captured, edited and differentiated, and how often each fired.
//!
//! A [`Plan`] is described first and executed once. While it runs, `#[hooked]` functions on this thread report each
//! named tensor to it. Nothing is stored on the module, and nothing outlives the run, even if it panics.

mod capture;
mod edit;
mod intervention;
mod run;
mod tensor;

pub use capture::cache::ActivationCache;
pub use capture::cache_key::CacheKey;
pub use capture::capture::Capture;
pub use capture::reduction::Reduction;
pub use edit::closure::Closure;
pub use edit::edit::Edit;
pub use edit::effect::Effect;
pub use edit::gradient::GradientEdit;
pub use intervention::intervention::Intervention;
pub use intervention::vector::Vector;
pub use intervention::{Action, action_types};
#[doc(hidden)]
pub use run::active::is_active;
#[doc(hidden)]
pub use run::call::{Call, call, enter_in};
pub use run::current::{asked, edited};
pub(crate) use run::current::{set_rows, set_tokens, tokens};
#[doc(hidden)]
pub use run::items::ItemsAny;
#[doc(hidden)]
pub use run::key::{Key, key};
pub use run::observe::{Observer, observe};
pub use run::outcome::Outcome;
pub use run::passes::{Passes, backward, count_passes};
pub(crate) use run::passes::{forward_begins, forward_goes_on};
pub use run::path::enter;
pub use run::plan::Plan;
#[doc(hidden)]
pub use run::refuse::{AcceptAny, Seen};
pub use run::slot::{PassAny, Slot};
pub use run::splice::Splice;
pub(crate) use run::splices::Splices;
pub(crate) use run::warnings::warn_unchanged;
pub use tensor::activation::Activation;
pub use tensor::at::At;
pub(crate) use tensor::digest::{hash_flat, hash_tensor};
pub(crate) use tensor::numbers;
pub use tensor::parameters::ParameterPath;
pub(crate) use tensor::parameters::parameters;
pub use tensor::pattern::SitePattern;
pub use tensor::rows::Rows;
pub use tensor::slice::Slice;
