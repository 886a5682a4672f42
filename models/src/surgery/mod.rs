//! Models made of other models' layers, or with fewer heads and neurons.
//!
//! Every operation gives a new model. It shares the weights that it does not change, and the model it is made from stays
//! as it is, to the bit: weights are handles to tensors that nothing writes to. So there is nothing to restore after an
//! operation, whether the code that uses its model returns, fails or panics.
//!
//! - A layer keeps its own settings wherever it goes: window, rotation, scale of the scores.
//! - Sites, caches of keys and values, and costs follow the new configuration.
//! - `save_pretrained` writes what a `config.json` of the family can say, and names what it cannot. `save_own` writes
//!   every model.
//! - What is spliced into a model stays at sites that an operation may move, so a model with splices is refused.
//! - A processed model (norms folded) is operated on as it is; `unprocessed` of the result is the result itself.

mod heads;
mod kept;
mod layers;
mod neurons;

pub use layers::LayerOf;

use crate::error::{Error, Result};
use crate::model::HookedTransformer;

/// Refuses to change the shape of a model with splices.
fn without_splices(model: &HookedTransformer, action: &str) -> Result<()> {
    if !model.has_splices() {
        return Ok(());
    }
    let problem =
        "the model has splices, whose sites would move; operate on the model without them, then splice".into();
    Err(Error::Surgery { action: action.to_owned(), problem })
}

/// Checks every index, and that none is named twice.
fn check_parts(model: &HookedTransformer, what: &'static str, parts: &[(usize, usize)], length: usize) -> Result<()> {
    for (index, (layer, part)) in parts.iter().enumerate() {
        model.block(*layer)?;
        if *part >= length {
            return Err(Error::out_of_range(what, *part, length));
        }
        if parts[..index].contains(&(*layer, *part)) {
            let problem = format!("layer {layer} {what} {part} is named twice; name each once");
            return Err(Error::Surgery { action: format!("change {what}s"), problem });
        }
    }
    if parts.is_empty() {
        let problem = format!("no {what} is named; give at least one pair of a layer and a {what}");
        return Err(Error::Surgery { action: format!("change {what}s"), problem });
    }
    Ok(())
}
