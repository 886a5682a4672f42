//! Every way to run a model: inputs are checked, then one plan and one forward pass run.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData};

use super::HookedTransformer;
use super::prompt::IntoTokens;
use crate::error::{Error, Result};
use crate::hooks::{ActivationCache, Edit, Outcome, Plan, Rows, SitePattern};
use crate::site::Extent;
use crate::tokens::Tokens;
use crate::transformer::{Context, KvCache, TransformerConfig};

/// Where a forward pass stops, and what it may keep.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Runs only the blocks before this one. The output is then the stream entering it, `[batch, pos, d_model]`. As in
    /// TransformerLens a negative layer counts from the end: -1 leaves out the last block, `n_layers` runs all blocks.
    pub stop_at_layer: Option<isize>,
    /// Whether to compute logits only at the last position: `[batch, 1, d_vocab]`.
    pub last_only: bool,
    /// A run that would capture more bytes than this is refused. Without it, a run is refused whose captures and working
    /// memory do not fit into what the machine, the control groups and the limits of the process leave.
    pub capture_limit: Option<u64>,
}

impl RunOptions {
    /// All blocks, and the logits of all positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs only the blocks before this one; a negative layer counts from the end.
    #[must_use]
    pub fn stop_at_layer(self, layer: isize) -> Self {
        Self { stop_at_layer: Some(layer), ..self }
    }

    /// Computes logits only at the last position: `[batch, 1, d_vocab]`.
    #[must_use]
    pub fn last_only(self) -> Self {
        Self { last_only: true, ..self }
    }

    /// Refuses a run whose captures need more than this many bytes.
    #[must_use]
    pub fn capture_limit(self, bytes: u64) -> Self {
        Self { capture_limit: Some(bytes), ..self }
    }
}

impl HookedTransformer {
    /// Logits `[batch, pos, d_vocab]`, in nats.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`], [`Error::TooLong`], or [`Error::OutOfRange`] for an unknown token.
    pub fn forward(&self, prompt: impl IntoTokens) -> Result<Tensor<3>> {
        Ok(self.run(prompt, Plan::new())?.output)
    }

    /// Logits and the tensors at the sites that fit; nothing else is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] naming the nearest, before anything runs.
    pub fn run_with_cache<S: Into<SitePattern>>(
        &self,
        prompt: impl IntoTokens,
        sites: impl IntoIterator<Item = S>,
    ) -> Result<(Tensor<3>, ActivationCache)> {
        let plan = sites.into_iter().fold(Plan::new(), |plan, site| plan.capture(site.into()));
        let outcome = self.run(prompt, plan)?;
        Ok((outcome.output, outcome.cache))
    }

    /// Logits under edits (interventions or closures), applied in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] before anything runs, [`Error::NeverFired`] after.
    pub fn run_with_hooks<S: Into<SitePattern>, E: Into<Edit>>(
        &self,
        prompt: impl IntoTokens,
        edits: impl IntoIterator<Item = (S, E)>,
    ) -> Result<Tensor<3>> {
        let plan = edits.into_iter().fold(Plan::new(), |plan, (site, edit)| plan.edit(site, edit));
        Ok(self.run(prompt, plan)?.output)
    }

    /// One forward pass under a plan.
    ///
    /// # Errors
    ///
    /// Those of the plan and of the prompt.
    pub fn run(&self, prompt: impl IntoTokens, plan: Plan) -> Result<Outcome<Tensor<3>>> {
        self.run_from(prompt, plan, None, &RunOptions::default())
    }

    /// One forward pass under a plan, from the embedding or from the stream entering a block, up to a block or the
    /// logits.
    ///
    /// `start` is `(layer, resid_pre)` with `resid_pre` `[batch, pos, d_model]` as captured at
    /// `blocks.{layer}.resid_pre`; the blocks before it do not run, nor does what is spliced in at that site. With
    /// `n_layers` and the last `resid_post`, no block runs.
    ///
    /// # Errors
    ///
    /// Those of the plan and of the prompt; [`Error::OutOfRange`] for a layer that does not exist,
    /// [`Error::LayerOrder`] for a stop before the start, [`Error::StartShape`] for a stream that does not fit the
    /// prompt.
    pub fn run_from(
        &self,
        prompt: impl IntoTokens,
        plan: Plan,
        start: Option<(usize, Tensor<3>)>,
        options: &RunOptions,
    ) -> Result<Outcome<Tensor<3>>> {
        let tokens = prompt.into_tokens(self)?;
        let rows = Rows::new(&tokens, &[]);
        self.run_rows(&tokens, rows, plan, start, options)
    }

    /// Like [`HookedTransformer::run_from`], for tokens that may be part of a batch; `rows` says which part.
    pub(super) fn run_rows(
        &self,
        tokens: &Tokens,
        rows: Rows,
        plan: Plan,
        start: Option<(usize, Tensor<3>)>,
        options: &RunOptions,
    ) -> Result<Outcome<Tensor<3>>> {
        self.check_tokens(tokens, 0)?;
        let from = start.as_ref().map(|(layer, _)| *layer);
        let plan = plan.with_splices(self.splices.entering(from));
        let stop = options.stop_at_layer.map(|stop| self.stop_layer(stop)).transpose()?;
        let layers = self.layers(from, stop)?;
        if let Some((_, resid)) = &start {
            self.check_start(tokens, resid)?;
        }
        let rows = plan.rows(rows);
        self.check_plan(&plan, &self.sites_of_plan(&plan, from, stop), &rows, options)?;
        let context = Context::new(self.config(), tokens.real(), tokens.positions(), tokens.pos(), &self.device)
            .with_types(tokens.types(), &self.device);
        let ids = self.ids(tokens);
        let outcome = plan.run(|| {
            crate::hooks::set_rows(0, Some(rows));
            crate::hooks::set_tokens(|| tokens.clone());
            self.pass(start.map(|(_, resid)| resid), ids, layers, &context, None, options)
        })?;
        Ok(outcome.of_layers(self.config().n_layers))
    }

    /// One forward pass that continues a cache of keys and values; gives `[batch, new, d_vocab]`.
    pub(crate) fn run_cached(
        &self,
        tokens: &Tokens,
        plan: Plan,
        cache: &mut KvCache,
        options: &RunOptions,
    ) -> Result<Outcome<Tensor<3>>> {
        self.check_tokens(tokens, cache.len())?;
        let plan = plan.with_splices(Arc::clone(&self.splices));
        let rows = plan.rows(Rows::new(tokens, &cache.visible));
        self.check_plan(&plan, &self.sites_of_plan(&plan, None, None), &rows, options)?;
        cache.extend(tokens);
        let whole = cache.tokens()?;
        let context = Context::new(self.config(), &cache.visible, &cache.positions, tokens.pos(), &self.device);
        let ids = self.ids(tokens);
        let layers = 0..self.config().n_layers;
        let outcome = plan.run(|| {
            crate::hooks::set_rows(context.offset, Some(rows));
            crate::hooks::set_tokens(|| whole);
            self.pass(None, ids, layers, &context, Some(cache), options)
        })?;
        Ok(outcome.of_layers(self.config().n_layers))
    }

    /// Runs some blocks and, unless the options stop there, what comes after the last. The cache holds the earlier positions
    /// of the stream, and `tokens` are those of all positions.
    #[allow(clippy::too_many_arguments, reason = "a part of a forward is given all that a whole one makes")]
    pub(crate) fn run_blocks(
        &self,
        resid: Tensor<3>,
        tokens: &Tokens,
        plan: Plan,
        layers: std::ops::Range<usize>,
        context: &Context,
        cache: &mut KvCache,
        options: &RunOptions,
    ) -> Result<Outcome<Tensor<3>>> {
        let known = self.sites_of_plan(&plan, Some(layers.start), options.stop_at_layer.map(|_| layers.end));
        plan.check(&known)?;
        let [batch, pos, _] = resid.dims();
        self.check_memory(&plan, &known, Extent { batch, pos, keys: context.offset + pos }, options)?;
        let ids = Tensor::zeros([batch, pos], &self.device);
        plan.with_splices(self.splices.entering(Some(layers.start))).run(|| {
            crate::hooks::set_rows(context.offset, None);
            crate::hooks::set_tokens(|| tokens.clone());
            self.pass(Some(resid), ids, layers, context, Some(cache), options)
        })
    }

    fn pass(
        &self,
        start: Option<Tensor<3>>,
        ids: Tensor<2, Int>,
        layers: std::ops::Range<usize>,
        context: &Context,
        cache: Option<&mut KvCache>,
        options: &RunOptions,
    ) -> Tensor<3> {
        crate::hooks::forward_begins();
        let resid = start.unwrap_or_else(|| self.net.forward_embed(ids, context));
        let resid = self.net.forward_blocks(resid, layers, context, cache);
        if options.stop_at_layer.is_some() {
            return resid;
        }
        let [_, pos, _] = resid.dims();
        self.net.forward_unembed(if options.last_only { resid.narrow(1, pos - 1, 1) } else { resid })
    }

    /// Every site of this model, in the order of a forward pass.
    pub fn sites(&self) -> Vec<String> {
        self.splices.sites().names(self.config())
    }

    /// Checks everything about a plan that can be known before it runs.
    fn check_plan(&self, plan: &Plan, known: &[String], rows: &Rows, options: &RunOptions) -> Result<()> {
        plan.check(known)?;
        let pos = rows.ids().first().map_or(0, Vec::len);
        let extent = Extent { batch: rows.len(), pos, keys: rows.keys() };
        plan.check_shapes(known, Some(rows), |site| self.splices.sites().dims(self.config(), site, extent))?;
        self.check_memory(plan, known, extent, options)
    }

    /// The sites that a plan is checked against. An empty plan needs none.
    fn sites_of_plan(&self, plan: &Plan, start: Option<usize>, stop: Option<usize>) -> Vec<String> {
        if plan.is_empty() { Vec::new() } else { self.sites_of_run(start, stop) }
    }

    pub(super) fn sites_of_run(&self, start: Option<usize>, stop: Option<usize>) -> Vec<String> {
        self.splices.sites().names_of_run(self.config(), start, stop)
    }

    /// Token ids as a tensor on the model's device, `[batch, pos]`.
    pub fn ids(&self, tokens: &Tokens) -> Tensor<2, Int> {
        let flat: Vec<i64> = tokens.ids().iter().flatten().map(|id| i64::from(*id)).collect();
        Tensor::from_data(TensorData::new(flat, [tokens.batch(), tokens.pos()]), &self.device)
    }

    fn layers(&self, start: Option<usize>, stop: Option<usize>) -> Result<std::ops::Range<usize>> {
        let n_layers = self.config().n_layers;
        let (start, stop) = (start.unwrap_or(0), stop.unwrap_or(n_layers));
        if start > n_layers {
            return Err(Error::out_of_range("start layer", start, n_layers + 1));
        }
        if stop < start {
            return Err(Error::LayerOrder { start, stop });
        }
        Ok(start..stop)
    }

    /// A negative layer counts from the end.
    fn stop_layer(&self, layer: isize) -> Result<usize> {
        let n_layers = self.config().n_layers;
        let from_front = if layer < 0 { layer + n_layers as isize } else { layer };
        usize::try_from(from_front)
            .ok()
            .filter(|layer| *layer <= n_layers)
            .ok_or_else(|| Error::out_of_range("stop layer", layer, n_layers + 1))
    }

    fn check_start(&self, tokens: &Tokens, resid: &Tensor<3>) -> Result<()> {
        let expected = vec![tokens.batch(), tokens.pos(), self.config().d_model];
        let actual = resid.dims().to_vec();
        if actual == expected { Ok(()) } else { Err(Error::StartShape { expected, actual }) }
    }

    /// A model without token types has only type 0.
    fn check_types(&self, tokens: &Tokens) -> Result<()> {
        let length = self.config().token_types.unwrap_or(1);
        let unknown = tokens.types().iter().flatten().find(|kind| **kind as usize >= length);
        unknown.map_or(Ok(()), |kind| Err(Error::out_of_range("token type", *kind, length)))
    }

    fn check_tokens(&self, tokens: &Tokens, earlier: usize) -> Result<()> {
        let config: &TransformerConfig = self.config();
        if tokens.pos() + earlier > config.position_limit() {
            return Err(Error::TooLong { tokens: tokens.pos() + earlier, n_ctx: config.position_limit() });
        }
        let far = tokens.positions().iter().flatten().find(|position| **position >= config.position_limit() as i64);
        if let Some(position) = far {
            return Err(Error::out_of_range("position", *position, config.position_limit()));
        }
        self.check_types(tokens)?;
        let unknown = tokens.ids().iter().flatten().find(|id| **id as usize >= config.d_vocab);
        unknown.map_or(Ok(()), |id| Err(Error::out_of_range("token", *id, config.d_vocab)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::model::HookedAutoModel;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 2, 12, 3, 20, 16), 1).unwrap()
    }

    #[test]
    fn each_option_of_a_run_does_what_it_says() {
        let model = model();
        let run =
            |options: &RunOptions| model.run_from([1, 2, 3], Plan::new().capture("blocks.0.resid_post"), None, options);
        let stopped = run(&RunOptions::new().stop_at_layer(-1)).unwrap();
        let entering = stopped.cache.get::<3>("blocks.0.resid_post").unwrap();
        assert_eq!(read(stopped.output).unwrap(), read(entering).unwrap());
        let whole = read(run(&RunOptions::new()).unwrap().output).unwrap();
        let last = read(run(&RunOptions::new().last_only()).unwrap().output).unwrap();
        assert_eq!((whole.len(), last.len()), (3 * 20, 20));
        assert!(last.iter().zip(&whole[40..]).all(|(a, b)| (a - b).abs() < 1e-5), "{last:?}");
        let bytes = 3 * 12 * 4;
        assert!(run(&RunOptions::new().capture_limit(bytes)).is_ok());
        let error = run(&RunOptions::new().capture_limit(bytes - 1)).unwrap_err();
        assert!(matches!(error, Error::TooLarge { bytes: 144, limit: 143, .. }), "{error}");
        let all = RunOptions::new().capture_limit(9).last_only().stop_at_layer(1);
        assert_eq!((all.stop_at_layer, all.last_only, all.capture_limit), (Some(1), true, Some(9)));
    }

    #[test]
    fn a_start_that_does_not_fit_is_refused() {
        let model = model();
        let said = |layer: usize, pos: usize, options: &RunOptions| {
            let start = Tensor::zeros([1, pos, 12], model.device());
            model.run_from([1, 2], Plan::new(), Some((layer, start)), options).unwrap_err().to_string()
        };
        assert_eq!(
            said(1, 2, &RunOptions::new().stop_at_layer(0)),
            "`stop_at_layer` 0 is before layer 1, where the run starts"
        );
        assert_eq!(
            said(1, 3, &RunOptions::new()),
            "the residual stream to start from has shape [1, 3, 12], the prompt and the model need [1, 2, 12]"
        );
    }
}
