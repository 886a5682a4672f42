//! A node in the backward graph that applies an edit to the gradient. In the forward pass it is the identity.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::{Autodiff, Backend, BackendTensor, DispatchKindConversion, Flex};
use burn::tensor::DispatchTensor;

use super::edit::Edit;
use super::effect::{self, Effect, Pending};
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;
use crate::site::SiteTable;

/// What the gradient edits did in the run's one backward pass.
#[derive(Debug, Default)]
pub(in crate::hooks) struct BackwardLog(Mutex<Entries>);

/// Whether the pass has begun, its first error, and the firings and effects by part of the plan.
#[derive(Debug, Default)]
struct Entries {
    begun: bool,
    error: Option<Error>,
    firings: Vec<(usize, Pending)>,
    effects: Vec<Effect>,
}

impl BackwardLog {
    /// Opens the backward pass.
    ///
    /// # Errors
    ///
    /// [`Error::GraphConsumed`] the second time, where Burn itself would panic.
    pub(in crate::hooks) fn begin(&self) -> Result<()> {
        let begun = std::mem::replace(&mut self.entries().begun, true);
        if begun { Err(Error::GraphConsumed) } else { Ok(()) }
    }

    /// Closes the backward pass. Returns how much each part of the plan changed in it.
    ///
    /// # Errors
    ///
    /// The first error that an edit returned, and [`Error::Device`].
    pub(in crate::hooks) fn read(&self, parts: usize) -> Result<Vec<Effect>> {
        let (error, firings) = {
            let mut entries = self.entries();
            (entries.error.take(), std::mem::take(&mut entries.firings))
        };
        error.map_or(Ok(()), Err)?;
        let mut pending: Vec<Vec<Pending>> = (0..parts).map(|_| Vec::new()).collect();
        for (index, firing) in firings {
            pending[index].push(firing);
        }
        let effects = effect::read(pending)?;
        self.entries().effects.clone_from(&effects);
        Ok(effects)
    }

    /// The effects of the backward pass, after it is closed.
    pub(in crate::hooks) fn effects(&self) -> Vec<Effect> {
        self.entries().effects.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, index: usize, effect: Result<Pending>) {
        let mut entries = self.entries();
        match effect {
            Ok(effect) => entries.firings.push((index, effect)),
            Err(error) => _ = entries.error.get_or_insert(error),
        }
    }
}

/// An edit of the gradient at one site of one run.
#[derive(Clone)]
pub(in crate::hooks) struct Hook {
    pub(in crate::hooks) edit: Edit,
    pub(in crate::hooks) site: Arc<str>,
    pub(in crate::hooks) offset: usize,
    pub(in crate::hooks) rows: Option<Arc<Rows>>,
    pub(in crate::hooks) table: Arc<SiteTable>,
    pub(in crate::hooks) log: Arc<BackwardLog>,
    /// Index of the edit among the parts of the plan.
    pub(in crate::hooks) index: usize,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({:?} at {})", self.edit, self.site)
    }
}

impl Hook {
    /// The gradient that flows on. The backward pass cannot return an error: after one, the gradient becomes NaN so
    /// that nobody takes it for a result, and the error is stored for [`BackwardLog::read`].
    fn changed(&self, gradient: &Activation) -> Activation {
        let measured = self.edited(gradient).and_then(|new| Ok((Pending::of(gradient, &new)?, new)));
        let (effect, new) = match measured {
            Ok((effect, new)) => (Ok(effect), new),
            Err(error) => (Err(error), gradient.no_numbers()),
        };
        self.log.note(self.index, effect);
        new
    }

    fn edited(&self, gradient: &Activation) -> Result<Activation> {
        let at = At { site: &self.site, offset: self.offset, rows: self.rows.as_deref(), table: &self.table };
        self.edit.apply(gradient.clone(), &at)?.detached().to_device(gradient.device())
    }
}

/// The same numbers, with a node whose backward pass calls the hook.
///
/// # Errors
///
/// [`Error::Unsupported`] on a backend that this build does not know.
pub(in crate::hooks) fn with_hook(value: &Activation, hook: &Hook) -> Result<Activation> {
    let tensor = hooked(&value.clone().into_dispatch(), hook).ok_or_else(|| Error::Unsupported {
        what: format!("a gradient edit on {:?}", value.device()),
        why: "this build does not know the device's backend".into(),
    })?;
    Ok(Activation::from_dispatch(tensor))
}

/// The tensor with the hook's node after it; `None` on a backend that is not built in.
fn hooked(tensor: &DispatchTensor, hook: &Hook) -> Option<DispatchTensor> {
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal", feature = "cuda"))]
    if let Some(tensor) = on::<burn::backend::Cube>(tensor, hook) {
        return Some(tensor);
    }
    #[cfg(feature = "remote")]
    if let Some(tensor) = on::<burn::backend::Remote>(tensor, hook) {
        return Some(tensor);
    }
    on::<Flex>(tensor, hook)
}

fn on<B: Backend>(tensor: &DispatchTensor, hook: &Hook) -> Option<DispatchTensor>
where
    DispatchTensor: DispatchKindConversion<B>
        + DispatchKindConversion<Autodiff<B, NoCheckpointing>>
        + DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>,
{
    with::<B, NoCheckpointing>(tensor, hook).or_else(|| with::<B, BalancedCheckpointing>(tensor, hook))
}

/// The same, if the tensor is on this backend and has this kind of graph.
fn with<B: Backend, C: CheckpointStrategy>(tensor: &DispatchTensor, hook: &Hook) -> Option<DispatchTensor>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    let tensor = <DispatchTensor as DispatchKindConversion<Autodiff<B, C>>>::try_into_backend(tensor.clone()).ok()?;
    let (primitive, node) = tensor.float().into_parts();
    let tensor = match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(hook.clone(), primitive),
        OpsKind::UnTracked(step) => step.finish(primitive),
    };
    Some(<DispatchTensor as DispatchKindConversion<Autodiff<B, C>>>::from_backend(BackendTensor::Float(tensor)))
}

#[derive(Debug)]
struct Step;

impl<B: Backend> Backward<B, 1> for Step
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = Hook;

    fn backward(self, ops: Ops<Hook, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let hook = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            let gradient = <DispatchTensor as DispatchKindConversion<B>>::from_backend(BackendTensor::Float(gradient));
            let changed = hook.changed(&Activation::from_dispatch(gradient)).into_dispatch();
            <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(changed)
                .expect("BUG: an edited gradient is on its device")
                .float()
        });
    }
}
