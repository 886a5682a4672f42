//! A dictionary spliced into the runs of a model.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use burn::tensor::Tensor;

use super::dictionary::Dictionary;
use super::shapes::check_axis;
use crate::error::{Error, Result};
use crate::hooks::{Activation, SitePattern, Splice};
use crate::site::{Axis, Site};

/// How a dictionary is joined to a model's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splicing {
    /// The name of its module: the site of its latents is `blocks.3.sae.acts` for `sae`.
    pub name: String,
    /// Whether what it does not reconstruct is added back. The model then computes what it did, to the bit, as long as
    /// nothing in the dictionary is edited; an edit changes only what the latents write.
    pub error_term: bool,
}

/// `sae`, with the error term.
impl Default for Splicing {
    fn default() -> Self {
        Self { name: "sae".into(), error_term: true }
    }
}

impl Splicing {
    /// The same without the error term: the model goes on with the reconstruction alone.
    #[must_use]
    pub fn reconstruction(self) -> Self {
        Self { error_term: false, ..self }
    }

    /// The same under another name, for a second dictionary in a block.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }
}

impl Dictionary {
    /// The splices that join it to a model's runs at the site that its files name: pass them to
    /// [`HookedTransformer::spliced`](crate::HookedTransformer::spliced).
    ///
    /// Sites that join the model's, under the splice's name: `pre_acts` and `acts` `[batch, pos, latent]`, `recon`
    /// `[batch, pos, width]`, and with the error term `error`, of the same axes. They can be captured, edited and
    /// differentiated; the error has no gradient, as in `SAELens`.
    ///
    /// # Errors
    ///
    /// Those of [`Dictionary::site`], and for a transcoder of [`Dictionary::site_out`].
    pub fn splices(&self, splicing: &Splicing) -> Result<Vec<Splice>> {
        if self.config.transcodes {
            return self.splices_between(self.site()?, self.site_out()?, splicing);
        }
        Ok(vec![self.splice_at(self.site()?, splicing)?])
    }

    /// The splice that joins an autoencoder to a model's runs at each site that a pattern selects. Its axes must give `d_in`
    /// numbers a position: `[batch, pos, d_in]`, or heads that are joined, or one of them.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a transcoder, which needs two sites ([`Dictionary::splices_between`]), and a crosscoder, which
    /// needs all its sources ([`Dictionary::splice_of_source`]).
    pub fn splice_at(&self, at: impl Into<SitePattern>, splicing: &Splicing) -> Result<Splice> {
        if self.config.transcodes {
            let fix = "a transcoder reads one site and writes another; name both with `splices_between`".into();
            return Err(Error::Setting { setting: "site of a splice", value: "one".into(), fix });
        }
        if self.config.sources > 1 {
            let fix = "a crosscoder reads several tensors at once; name their models and sites with `splice_of_source`"
                .into();
            return Err(Error::Setting { setting: "site of a splice", value: "one".into(), fix });
        }
        let (own, error_term) = (self.clone(), splicing.error_term);
        let forward = move |value: Activation| {
            let (rows, back) = own.enter(&value)?;
            let out = if error_term { own.forward_with_error(rows.clone(), rows) } else { own.forward(rows) };
            Ok(back.apply(out))
        };
        let at: SitePattern = at.into();
        let rank = if self.reads_heads(&at) { 4 } else { 3 };
        Ok(self.declared(Splice::of_any(&splicing.name, at, rank, self, forward), splicing))
    }

    /// The splices that join a transcoder to a model's runs: it reads one site and replaces a later one, in one block.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the sites are not in one block.
    pub fn splices_between(&self, input: Site, output: Site, splicing: &Splicing) -> Result<Vec<Splice>> {
        if input.layer() != output.layer() {
            let fix =
                format!("it is not in the block of `{input}`; a run that starts between them would lack the input");
            return Err(Error::Setting { setting: "site of the output", value: format!("`{output}`"), fix });
        }
        let handed = Handed::default();
        let (taken, own, error_term) = (handed.clone(), self.clone(), splicing.error_term);
        let reads = Splice::of_any(&format!("{}_in", splicing.name), input, 3, self, move |value| {
            handed.put(value.tensor::<3>()?);
            Ok(value)
        });
        let writes = Splice::of_any(&splicing.name, output, 3, self, move |value| {
            let x = taken.take().ok_or_else(|| Error::Unsupported {
                what: format!("the transcoder at `{output}`"),
                why: format!("the run did not meet its input, `{input}`"),
            })?;
            own.check_rows(&x)?;
            let target = value.tensor::<3>()?;
            let out = if error_term { own.forward_with_error(x, target) } else { own.forward(x) };
            Ok(Activation::new(out))
        });
        Ok(vec![reads.setting(&self.settings(splicing)), self.declared(writes, splicing)])
    }

    /// The sites of a splice, and the settings that its fingerprint has.
    pub(crate) fn declared(&self, splice: Splice, splicing: &Splicing) -> Splice {
        let latents = [Axis::Batch, Axis::Pos, Axis::Other { name: "latent", length: self.config.d_sae }];
        let width = [Axis::Batch, Axis::Pos, Axis::Other { name: "width", length: self.config.d_out }];
        let splice = splice
            .site("pre_acts", &latents, "latents before the activation function")
            .site("acts", &latents, "latents of the dictionary")
            .site("recon", &width, "what the latents write");
        let splice = splice.setting(&self.settings(splicing)).trained_on_processed(self.config.metadata.processed());
        if splicing.error_term {
            splice.site("error", &width, "what the dictionary does not reconstruct")
        } else {
            splice
        }
    }

    fn settings(&self, splicing: &Splicing) -> String {
        let config = serde_json::to_string(&self.config).expect("BUG: the config is plain data");
        format!("{config} error term {}", splicing.error_term)
    }

    /// Whether the sites have an axis of heads.
    fn reads_heads(&self, at: &SitePattern) -> bool {
        self.config.joins_heads || self.config.metadata.head().is_some() || at.to_string().ends_with("attn.z")
    }

    fn check_rows(&self, x: &Tensor<3>) -> Result<()> {
        let dims = x.dims();
        check_axis("d_in", self.config.d_in, dims[2], &dims)
    }

    /// A site's tensor as `[batch, pos, d_in]`, and how the output takes its place.
    fn enter(&self, value: &Activation) -> Result<(Tensor<3>, Back)> {
        if value.dims().len() == 3 {
            let x = value.tensor::<3>()?;
            self.check_rows(&x)?;
            return Ok((x, Back::Same));
        }
        let whole = value.tensor::<4>()?;
        let [batch, pos, heads, d_head] = whole.dims();
        let head = self.config.metadata.head().filter(|head| *head < heads && d_head == self.config.d_in);
        let (x, back) = match head {
            Some(head) => {
                (whole.clone().narrow(2, head, 1).reshape([batch, pos, d_head]), Back::Head(Box::new(whole), head))
            }
            None => (whole.reshape([batch, pos, heads * d_head]), Back::Heads([batch, pos, heads, d_head])),
        };
        self.check_rows(&x)?;
        Ok((x, back))
    }
}

/// How `[batch, pos, d_in]` becomes the tensor of the site again.
enum Back {
    /// It is the tensor.
    Same,
    /// All heads, side by side.
    Heads([usize; 4]),
    /// One of the heads; the others stay.
    Head(Box<Tensor<4>>, usize),
}

impl Back {
    fn apply(self, out: Tensor<3>) -> Activation {
        match self {
            Self::Same => Activation::new(out),
            Self::Heads(dims) => Activation::new(out.reshape(dims)),
            Self::Head(whole, head) => {
                let [batch, pos, _, d_head] = whole.dims();
                let at = [0..batch, 0..pos, head..head + 1, 0..d_head];
                Activation::new(whole.slice_assign(at, out.reshape([batch, pos, 1, d_head])))
            }
        }
    }
}

/// What one site hands to a later one in the same forward. Runs of other threads do not see it.
#[derive(Clone, Debug, Default)]
struct Handed(Arc<Mutex<HashMap<ThreadId, Tensor<3>>>>);

impl Handed {
    fn put(&self, x: Tensor<3>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(std::thread::current().id(), x);
    }

    fn take(&self) -> Option<Tensor<3>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&std::thread::current().id())
    }
}
