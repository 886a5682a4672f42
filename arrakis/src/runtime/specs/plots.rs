//! All plots of a function, drawn from one run on its prompt.

use std::collections::BTreeSet;

use arrakis_models::{HookedTransformer, IntoTokens, Tokens};

use super::captured::Captured;
use super::spec::PlotSpec;
use crate::error::Result;
use crate::plot::Panel;

/// The plots of a function and their prompt.
pub(crate) struct Plots {
    specs: Vec<PlotSpec>,
    tokens: Result<Tokens>,
}

impl Plots {
    /// Plots of a copy of the prompt.
    pub(crate) fn new<P: IntoTokens + Clone>(
        specs: impl IntoIterator<Item = PlotSpec>,
        prompt: &P,
        model: &HookedTransformer,
    ) -> Self {
        let tokens = prompt.clone().into_tokens(model).map_err(Into::into);
        Self { specs: specs.into_iter().collect(), tokens }
    }

    /// The panels of all plots, in order, from one run. The sites are checked before it.
    ///
    /// # Errors
    ///
    /// An unknown site, a site with axes that a plot does not draw, prompts that do not fit the model or the plot, and
    /// the errors of the run.
    pub(crate) fn panels(self, model: &HookedTransformer) -> Result<Vec<Panel>> {
        let specs = self.specs.into_iter().map(|spec| spec.resolved(model)).collect::<Result<Vec<_>>>()?;
        let tokens = self.tokens?;
        specs.iter().try_for_each(|spec| spec.check_prompts(tokens.batch()))?;
        let sites: BTreeSet<&str> = specs.iter().flat_map(|spec| spec.sites.iter().map(String::as_str)).collect();
        let cache = model.capture(&tokens, sites)?;
        let run = Captured { model, tokens, cache };
        let panels = specs.iter().map(|spec| spec.panels(&run)).collect::<Result<Vec<_>>>()?;
        Ok(panels.concat())
    }
}
