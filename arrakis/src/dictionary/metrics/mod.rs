//! How good a dictionary is. Sums are kept in float64 and streamed: nothing grows with the number of tokens.
//!
//! | number | file | 1 or 0 is |
//! | --- | --- | --- |
//! | L0, L1 | [`Sparsity`] | 0: no latent is ever active |
//! | explained variance | [`ExplainedVariance`] | 1: nothing is lost; 0: no better than the mean |
//! | length, direction and bias of the output | [`Faithfulness`] | 1: the same as the input's |
//! | firing rates | [`Density`] | |
//! | dead latents, by two definitions | [`Dead`] | |
//! | loss and divergence recovered | [`Recovery`] | 1: as without the dictionary; 0: as with the site zeroed |
//! | matches with planted features | [`mcc`] | 1: each is found exactly |
//! | cosines inside the decoder | [`DecoderCosines`] | |
//! | absorption of a feature by others | [`Absorption`] | 0: none |
//! | what the latents of a class take from its probe alone | [`Targeted`] | 0: nothing, or as much from others |

mod absorption;
mod assignment;
mod coded;
mod dead;
mod decoder;
mod density;
mod faithfulness;
mod matching;
mod recovery;
mod sparsity;
mod targeted;
mod variance;

pub use absorption::{Absorbed, Absorption};
pub use coded::Coded;
pub use dead::{Dead, DeadAfter};
pub use decoder::DecoderCosines;
pub use density::Density;
pub use faithfulness::Faithfulness;
pub use matching::{Match, matches, mcc};
pub use recovery::Recovery;
pub use sparsity::Sparsity;
pub use targeted::{Class, Targeted};
pub use variance::ExplainedVariance;

use crate::error::{Error, Result};

/// Fails if a metric has seen no token.
fn some(of: &'static str, tokens: u64) -> Result<()> {
    if tokens > 0 {
        Ok(())
    } else {
        Err(Error::Value { of, problem: "it has seen no token; add a batch first".into() })
    }
}

#[cfg(test)]
mod testing;
