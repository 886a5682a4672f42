//! Prompts whose right answer is known: built-in sets, and your own from a file of JSON lines.
//!
//! A set is drawn for a model: it has only words that are one token in the model's tokenizer, so the built-in sets work
//! with the embedded model and with tokenizers like GPT-2's. Every prompt has a corrupted version, a template, which is
//! its group in a claim, and a side: the templates and names of the held-out side do not occur on the other.
//!
//! ```
//! use arrakis::prelude::*;
//! use arrakis::prompts::{Known, PromptSet};
//!
//! # fn main() -> Result<()> {
//! let model = HookedAutoModel::embedded()?;
//! let set = PromptSet::draw(Known::NameMover, &model, 16, 0)?;
//! let checked = set.held_out().check(&model)?;
//! println!("{checked}");
//! assert!(checked.problems.is_empty() && checked.accuracy > 0.9);
//! let pairs = set.train().pairs(&model)?;              // `PromptPairs`, with the template of each as its group
//! assert_eq!(pairs.groups.len(), 16);
//! # Ok(())
//! # }
//! ```

mod checked;
mod draw;
mod drawn;
mod known;
mod lines;
mod misfit;
mod set;
mod sets;
mod text;
mod words;

pub use checked::Checked;
pub use known::KnownPrompt;
pub use set::PromptSet;
pub use sets::Known;
