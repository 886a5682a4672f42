//! Corrupts the subject of a prompt and finds which states bring the answer back.

mod corrupted;
mod noise;
mod refuse;
mod restored;
mod role;
mod runs;
mod subject;
mod trace;

pub use corrupted::Corrupted;
pub use restored::Restored;
pub use role::{Role, RoleLayer};
pub use subject::Subject;
pub use trace::Trace;

use arrakis_models::{HookedTransformer, IntoTokens};

use crate::error::Result;
use crate::tools::Tool;
use crate::tools::shared::common;

/// Where a fact is recalled: noise on the subject's embeddings, and one state at a time restored to its clean value.
///
/// # What it tells you
///
/// Name the prompts and their subject with `tracing.corrupt(PROMPTS, SUBJECT)?`, then call [`Corrupted::trace`]. The
/// corrupted run adds Gaussian noise to the subject's token embeddings, so that the model loses the answer. Each cell
/// is the metric of that run with one state restored, averaged over noise seeds: the stream leaving a block
/// ([`Restored::Resid`]), or what attention or the MLP adds in a window of layers.
///
/// # How to read it
///
/// - [`Trace::corrupted`] is the low score, [`Trace::clean`] the high score. A cell near the high score names a state
///   that is enough to recall the answer.
/// - [`Trace::indirect_effect`] is the restored metric minus the corrupted one, [`Trace::total_effect`] the clean metric
///   minus the corrupted one.
/// - In the paper, MLPs act at the last subject token in middle layers (early site), attention at the last token of the
///   prompt (late site).
///
/// # When it misleads
///
/// - Noise is far from any embedding the model sees. A different strength can move the peak; try several with
///   [`Corrupted::times`]. Corrupting with another subject ([`ActivationPatching`](crate::tools::ActivationPatching))
///   stays in distribution.
/// - A window of ten layers hides which of them acts, and in a shallow model it covers most of the depth: set
///   [`Corrupted::window`].
/// - A state that is enough to recall a fact need not be where editing changes it (Hase et al.,
///   <https://arxiv.org/abs/2301.04213>).
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `trace` | `2 + fit(layers · positions, seeds · tokens)` | 0 |
/// | `restoring` | 3 | 0 |
/// | `corrupt` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let tracing: CausalTracing = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let corrupted = tracing.corrupt(prompt, "Mary")?;
/// let trace = corrupted.trace(Restored::Resid, &Metric::prob(" Mary"))?;
/// println!("p falls from {:.2} to {:.2}", trace.clean(), trace.corrupted());
/// for state in trace.indirect_effect().highest(3) {
///     println!("{} brings back {:+.2}", state.label, state.value);
/// }
/// let mut figure = plot::Figure::new("Where is Mary recalled?");
/// figure.push(trace.panel());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Meng et al., <https://arxiv.org/abs/2202.05262>, section 2; windows, noise and figures as in `experiments/causal_trace.py`
/// of <https://github.com/kmeng01/rome>. Choices compared: Zhang and Nanda, <https://arxiv.org/abs/2309.16042>.
#[derive(Clone, Debug)]
pub struct CausalTracing {
    model: HookedTransformer,
}

impl Tool for CausalTracing {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl CausalTracing {
    /// Names prompts and the subject whose embeddings get noise: a part of the text (its first occurrence), or
    /// positions.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, prompts of different lengths, a subject that is not in its prompt or that
    /// stands at different positions in the prompts.
    pub fn corrupt(&self, prompts: impl IntoTokens, subject: impl Into<Subject>) -> Result<Corrupted> {
        let prompts = common::aligned(Self::NAME, &self.model, prompts)?;
        let subject = subject.into().positions(&self.model, &prompts)?;
        Ok(Corrupted::new(&self.model, prompts, subject))
    }
}

#[cfg(test)]
mod tests;
