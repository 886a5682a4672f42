//! A crosscoder spliced into the runs of one of its models.

#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

use super::HookedTransformer;
use crate::dictionary::{Dictionary, Splicing};
use crate::error::{Error, Result};
use crate::hooks::{self, Activation, Capture, Plan, Splice};
use crate::site::{Extent, Site};

impl Dictionary {
    /// The splice that joins a crosscoder to the runs of one of its sources: pass it to
    /// [`HookedTransformer::spliced`] of that source's model. `sources` are a model and a site for each part of the crosscoder's
    /// rows, in order: two models (a base and its tuning) at one site, or one model at several layers. `own` says which of
    /// them it is spliced into. For both models make two splices.
    ///
    /// In a run, every other model runs on the same tokens up to its site, as it is given here: edits of the run do not
    /// reach it. The latents read all of them, and the source's own part of what they write goes on. Sites are those of
    /// [`Dictionary::splices`]; `recon` and `error` are as wide as all sources, and only the own part has an effect. With the
    /// error term an edit of a latent moves the stream along its direction in the own source.
    ///
    /// A run costs one more forward for each other source. In generation with a cache it is one over the whole text for each
    /// token. All models must mean the same by a token.
    ///
    /// ```
    /// # extern crate arrakis_models as arrakis;
    /// use arrakis_models::dictionary::architectures::TopK;
    /// use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Init, Splicing};
    /// use arrakis_models::{HookedAutoModel, Intervention, site};
    ///
    /// # fn main() -> arrakis_models::Result<()> {
    /// let (base, tuned) = (HookedAutoModel::embedded()?, HookedAutoModel::embedded()?);
    /// let config = DictionaryConfig::crosscoder(2, base.config().d_model, 64, TopK { k: 4, ..TopK::default() });
    /// let crosscoder = Dictionary::new(config, &Init::default(), 0, base.device())?;
    /// let sources = [(&base, site::resid_post(1)), (&tuned, site::resid_post(1))];
    /// let spliced = tuned.spliced([crosscoder.splice_of_source(1, &sources, &Splicing::default())?])?;
    /// let steered = Intervention::set(2.0).features([5]).positions([-1]);
    /// let logits = spliced.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", steered)])?;
    /// # assert_eq!(logits.dims()[1], 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a dictionary of one source, and for a site of another width; [`Error::Count`] for another number
    /// of sources; [`Error::OutOfRange`] for an `own` that is none; [`Error::UnknownSite`].
    pub fn splice_of_source(
        &self,
        own: usize,
        sources: &[(&HookedTransformer, Site)],
        splicing: &Splicing,
    ) -> Result<Splice> {
        self.check_sources(own, sources)?;
        let beside = Beside { own, sources: sources.iter().map(|(model, site)| ((*model).clone(), *site)).collect() };
        let settings = beside.settings()?;
        let (width, coder, error_term) = (self.source_width(), self.clone(), splicing.error_term);
        let forward = move |value: Activation| {
            let rows = beside.rows(&value.tensor::<3>()?)?;
            let out = if error_term { coder.forward_with_error(rows.clone(), rows) } else { coder.forward(rows) };
            Ok(Activation::new(out.narrow(2, own * width, width)))
        };
        let splice = Splice::of_any(&splicing.name, sources[own].1, 3, self, forward);
        Ok(self.declared(splice.setting(&settings), splicing))
    }

    fn source_width(&self) -> usize {
        self.config.d_in / self.config.sources
    }

    fn check_sources(&self, own: usize, sources: &[(&HookedTransformer, Site)]) -> Result<()> {
        let expected = self.config.sources;
        if expected < 2 || self.config.transcodes {
            let (fix, value) =
                ("this dictionary is no crosscoder; use `splices` or `splice_at`".into(), expected.to_string());
            return Err(Error::Setting { setting: "sources of a splice", value, fix });
        }
        if sources.len() != expected {
            let what = "sources of the crosscoder, each a model and a site".into();
            return Err(Error::Count { what, expected, actual: sources.len() });
        }
        if own >= expected {
            return Err(Error::out_of_range("source", own, expected));
        }
        sources.iter().try_for_each(|(model, site)| self.check_source(model, *site))
    }

    fn check_source(&self, model: &HookedTransformer, site: Site) -> Result<()> {
        let (name, width) = (site.to_string(), self.source_width());
        Plan::new().capture(name.as_str()).check(&model.sites())?;
        let dims = model.site_table().dims(model.config(), &name, Extent::new(1, 1));
        if dims.len() == 3 && dims[2] == width {
            return Ok(());
        }
        let fix = format!("a token has {:?} numbers there, the crosscoder reads {width} of each source", &dims[2..]);
        Err(Error::Setting { setting: "source", value: format!("`{name}` of `{}`", model.name()), fix })
    }
}

/// What a crosscoder reads beside the run that it is in.
struct Beside {
    own: usize,
    sources: Vec<(HookedTransformer, Site)>,
}

impl Beside {
    /// The parts of all sources side by side, `[batch, pos, sources · width]`.
    fn rows(&self, own: &Tensor<3>) -> Result<Tensor<3>> {
        let part = |at: usize| if at == self.own { Ok(own.clone()) } else { self.other(at, own.dims()[1]) };
        Ok(Tensor::cat((0..self.sources.len()).map(part).collect::<Result<_>>()?, 2))
    }

    /// Another source at the last `pos` tokens of the run, `[batch, pos, width]`.
    fn other(&self, at: usize, pos: usize) -> Result<Tensor<3>> {
        let (model, site) = &self.sources[at];
        let refuse = |why: String| Error::Unsupported {
            what: format!("source {at} of the crosscoder, `{site}` of `{}`, in this run", model.name()),
            why,
        };
        let tokens = hooks::tokens().ok_or_else(|| refuse("the run does not say its tokens".into()))?;
        let cache = model.capture(&*tokens, [Capture::of(*site)]).map_err(|error| refuse(error.to_string()))?;
        Ok(cache.get::<3>(*site)?.detach().narrow(1, tokens.pos() - pos, pos))
    }

    /// What the output depends on besides the crosscoder and the run.
    fn settings(&self) -> Result<String> {
        let one = |(at, (model, site)): (usize, &(HookedTransformer, Site))| {
            let model = if at == self.own { "the run".into() } else { model.fingerprint()? };
            Ok(format!("source {at} {site} of {model}, "))
        };
        self.sources.iter().enumerate().map(one).collect()
    }
}
