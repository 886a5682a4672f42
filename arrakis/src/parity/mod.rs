//! Compares a model with numbers someone else computed: a `reference.safetensors` made with transformers.
//!
//! A reference is a file of named tensors: inputs (`input_ids`, `padded.input_ids`, `prompt.0.input_ids`, …) and
//! what a forward, a backward and a greedy continuation gave for them. Every tensor of the file ends
//! in the report: compared, or listed with the reason why it was not.
//!
//! | name | compared with |
//! | --- | --- |
//! | `logits`, `loss` | the output, and its mean cross entropy in nats |
//! | `embed_out` | `embed` |
//! | `embeddings_out` | `blocks.0.resid_pre` |
//! | `hidden_states.i` | `blocks.i.resid_pre`; the last one follows the final norm |
//! | `attentions.i`, `attn_out.i`, `mlp_out.i`, `router_logits.i` | `blocks.i.attn.pattern`, `.attn.out`, `.mlp.out`, `.mlp.router` |
//! | `final_norm_in` | the last block's `resid_post` |
//! | `grad_embed`, `grad_hidden_states.i` | the gradient of the loss there |
//! | `padded.*` | the same with a mask, where it is 1 |
//! | `nomask.*` | an encoder's on ids alone, without the mask and the types that come with them |
//! | `generate.*`, `prompt.N.greedy_*` | greedy generation, with the cache of keys and values and without |
//! | `prompt.N.*`, `sentence.N.*`, `repeated.*`, `facts.N.*` | runs on trained models' prompts |

mod compare;
mod facts;
mod forward;
mod generation;
mod gradients;
mod inputs;
mod options;
mod padded;
mod plain;
mod prompts;
mod reference;
mod report;
mod tolerance;

pub use options::ParityOptions;
pub use reference::{Numbers, Reference};
pub use report::{Report, Row, Skipped};
pub use tolerance::{Scale, Tolerance};

use arrakis_models::model::HookedTransformer;

use compare::Comparer;

use crate::error::Result;

/// Runs a model on a reference's inputs and compares what comes out with its numbers.
///
/// # Errors
///
/// Those of a run: inputs the model cannot be run on. Numbers that differ are not an error; see [`Report::passed`].
pub fn compare(model: &HookedTransformer, reference: &Reference, options: ParityOptions) -> Result<Report> {
    let mut comparer = Comparer::new(reference, options);
    plain::compare(&mut comparer, model)?;
    gradients::compare(&mut comparer, model)?;
    padded::compare(&mut comparer, model)?;
    generation::compare(&mut comparer, model)?;
    prompts::compare(&mut comparer, model)?;
    facts::compare(&mut comparer, model)?;
    Ok(comparer.finish(model))
}
