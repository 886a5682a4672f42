//! Passes over a corpus: text streamed through a model once, and everything that is gathered on the way.
//!
//! A [`Corpus`] says what is read, a [`Pass`] how it is run, and each [`Reducer`] what is kept. Several reducers share
//! one forward pass.
//!
//! ```
//! use arrakis::corpus::{Corpus, Firing, Loss, Pass};
//! use arrakis::prelude::*;
//!
//! # fn main() -> Result<()> {
//! let bench = Bench::embedded()?;
//! let corpus = Corpus::texts(["Mary went to the store", "John gave a drink to Mary"]);
//! let (mut loss, mut firing) = (Loss::new(), Firing::new("blocks.0.mlp.post"));
//! let report = Pass::new(bench.model(), &corpus).run(&mut [&mut loss, &mut firing])?;
//! println!("{report}\n{:.3} nats per token, {} neurons never fire", loss.mean()?, firing.dead().len());
//! # Ok(())
//! # }
//! ```
//!
//! # Several machines
//!
//! In a program that `arrakis run` starts as a shard of a job, a pass runs every N-th batch, and `arrakis merge` joins what the
//! reducers of all shards gathered. The batches are those of one machine, and reducers keep what no order changes
//! ([`Sums`]), so the result has the same bits.
//!
//! # Memory
//!
//! The corpus is never held. A pass holds the longest document, a shelf of token ids, one batch of activations
//! ([`Pass::bytes`]), and what its reducers keep (each says how much).

mod batch;
mod documents;
mod draw;
mod pass;
mod reducer;
mod reducers;
mod report;
mod settings;
mod shelf;
pub(crate) mod site_name;
mod source;
mod state;
mod sums;
mod unit;
mod window;

pub use batch::{Batch, Rows, Token, UnitValues};
pub use pass::Pass;
pub(crate) use pass::{Feed, Ready};
pub use reducer::Reducer;
pub use reducers::{
    ActivationHistogram, Covariance, Drawn, Example, Firing, Loss, Quantile, Samples, TopActivations, UnitExamples,
};
pub use report::PassReport;
pub use source::Corpus;
pub use state::State;
pub use sums::Sums;
pub use unit::Unit;
pub use window::Window;

#[cfg(test)]
mod testing;
