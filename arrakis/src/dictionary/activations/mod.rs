//! Activations of a model over a corpus, shuffled and in batches: what dictionaries are trained on.

mod chunk;
mod disk;
mod place;
mod side_by_side;
mod stream;

pub use place::{FeedPlace, StreamPlace};
pub use side_by_side::SideBySide;
pub use stream::ActivationStream;

use std::path::{Path, PathBuf};

use arrakis_models::site::Extent;
use arrakis_models::{HookedTransformer, Plan};

use crate::corpus::Pass;
use crate::corpus::site_name::full_name;
use crate::error::{Error, Result};

/// Which activations are streamed, and how.
///
/// The stream is endless: at the end of the corpus (or of [`Pass::limit`]) it starts again. It fills a chunk of memory with
/// activations, shuffles it, and gives it out in batches; then it fills the next. All sites of a batch are of the same
/// tokens, so one stream can train several dictionaries, and a transcoder from one site to another.
///
/// ```
/// use arrakis::corpus::{Corpus, Pass};
/// use arrakis::dictionary::Activations;
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let bench = Bench::embedded()?;
/// let corpus = Corpus::texts(["Mary went to the store", "John gave a drink to Mary"]);
/// let pass = Pass::new(bench.model(), &corpus).quiet();
/// let mut stream = Activations::new(&pass, ["blocks.1.resid_post"]).batch(8).stream()?;
/// let batch = stream.next()?;
/// assert_eq!(batch[0].dims()[1], bench.model().config().d_model);
/// # Ok(())
/// # }
/// ```
///
/// # Memory
///
/// At most [`Activations::bytes`] for activations, half of it while a chunk is given out, and what a batch of the pass
/// takes ([`Pass::bytes`]). It does not grow with the corpus. Rows are shuffled inside a chunk only: a larger chunk mixes
/// more documents.
#[derive(Clone, Debug)]
pub struct Activations<'a> {
    pass: Pass<'a>,
    sites: Vec<String>,
    bytes: u64,
    batch: usize,
    seed: u64,
    folder: Option<PathBuf>,
}

impl<'a> Activations<'a> {
    /// Of some sites, such as `blocks.3.resid_post`, at the tokens that the pass counts: 256 MB of them at a time, in
    /// batches of 4096 tokens, with seed 0.
    pub fn new<S: AsRef<str>>(pass: &Pass<'a>, sites: impl IntoIterator<Item = S>) -> Self {
        let sites = sites.into_iter().map(|site| full_name(site.as_ref())).collect();
        Self { pass: pass.clone(), sites, bytes: 256_000_000, batch: 4096, seed: 0, folder: None }
    }

    /// Holds at most this many bytes of activations. A chunk has at least one forward's, whatever the bound.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Gives at most this many tokens a batch. The rows of a chunk are divided evenly, so batches differ by one token.
    #[must_use]
    pub fn batch(self, tokens: usize) -> Self {
        Self { batch: tokens, ..self }
    }

    /// The seed of the shuffles.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Keeps the activations of each chunk in a file of this folder, which is created; 4 bytes a number. Later epochs, and later streams of
    /// the same model, corpus, sites and bounds, read them instead of running the model. The seed may differ.
    #[must_use]
    pub fn on_disk(self, folder: impl AsRef<Path>) -> Self {
        Self { folder: Some(folder.as_ref().to_owned()), ..self }
    }

    /// The sites, in the order in which a batch has them.
    pub fn sites(&self) -> &[String] {
        &self.sites
    }

    /// The model that runs.
    pub fn model(&self) -> &'a HookedTransformer {
        self.pass.model()
    }

    /// The numbers that each site has for a token.
    ///
    /// # Errors
    ///
    /// No site, an unknown site, and one without a vector for each token.
    pub fn widths(&self) -> Result<Vec<usize>> {
        let (model, table) = (self.pass.model(), self.pass.model().site_table());
        if self.sites.is_empty() {
            return Err(refuse("no site is given; name one, such as `blocks.1.resid_post`".into()));
        }
        self.sites.iter().cloned().fold(Plan::new(), Plan::capture).check(&model.sites())?;
        let width = |site: &String| {
            let axes = table.axes(site).unwrap_or_default();
            if axes.len() < 3 || axes[2..].iter().any(|axis| axis.is_of_prompt()) {
                return Err(refuse(format!("`{site}` has no vector for each token; name a site `[b, p, ..]`")));
            }
            Ok(table.dims(model.config(), site, Extent::new(1, 1)).iter().product())
        };
        self.sites.iter().map(width).collect()
    }

    /// Tokens that fit a chunk. While it is filled, the parts and the whole are held.
    fn capacity(&self, widths: &[usize]) -> usize {
        (self.bytes / bytes_of(1, widths.iter().sum()).max(1)) as usize
    }
}

/// Bytes for chunks of so many tokens of so many numbers: the parts of one and the whole.
fn bytes_of(tokens: usize, width: usize) -> u64 {
    2 * 4 * (tokens as u64) * width as u64
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Activations", problem }
}

#[cfg(test)]
mod tests;
