//! Compares a model with numbers computed elsewhere: a `reference.safetensors` made with transformers.
//!
//! A reference is a file of named tensors: inputs (`input_ids`, `padded.input_ids`, `prompt.0.input_ids`, …) and the
//! results of a forward, a backward and a greedy continuation on them. The report lists every tensor of the file,
//! either with its comparison or with the reason it was not compared.
//!
//! | name | compared with |
//! | --- | --- |
//! | `logits`, `loss` | the output, and its mean cross entropy in nats |
//! | `embed_out` | `embed` |
//! | `embeddings_out` | `blocks.0.resid_pre` |
//! | `hidden_states.i` | `blocks.i.resid_pre`; the last one is taken after the final norm |
//! | `attentions.i`, `attn_out.i`, `mlp_out.i`, `router_logits.i` | `blocks.i.attn.pattern`, `.attn.out`, `.mlp.out`, `.mlp.router` |
//! | `final_norm_in` | the last block's `resid_post` |
//! | `grad_embed`, `grad_hidden_states.i` | the gradient of the loss at that site |
//! | `padded.*` | the same on padded rows, at positions where the mask is 1 |
//! | `nomask.*` | an encoder's results on ids alone, without the mask and the token types |
//! | `generate.*`, `prompt.N.greedy_*` | greedy generation, with and without the cache of keys and values |
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

/// Runs a model on a reference's inputs and compares the results with its numbers.
///
/// # Errors
///
/// Those of a run, if the inputs do not suit the model. Numbers that differ are not an error; see [`Report::passed`].
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
