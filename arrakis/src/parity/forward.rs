//! A forward pass that captures everything a reference can name.

use arrakis_models::hooks::{Activation, ActivationCache, Plan};
use arrakis_models::model::HookedTransformer;
use arrakis_models::site::{self, Site};
use arrakis_models::tokens::Tokens;
use burn::tensor::Tensor;

use super::Reference;
use super::compare::{Comparer, Ours};
use crate::error::{Error, Result};

/// Logits and sites of a run on some tokens.
pub(super) struct Forward<'a> {
    model: &'a HookedTransformer,
    /// `[batch, pos, d_vocab]`
    pub(super) logits: Tensor<3>,
    cache: ActivationCache,
    pub(super) tokens: Tokens,
}

/// What a reference's name stands for.
pub(super) enum Found {
    /// A tensor of ours, with a note.
    Ours(Box<Activation>, &'static str),
    /// Nothing to compare it with, and why.
    Nothing(String),
    /// Something that the model should have but does not.
    Wrong(String),
}

/// Where the last of the `hidden_states` is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastHidden {
    /// After the final norm.
    Normed,
    /// At the end of the residual stream.
    Plain,
}

impl LastHidden {
    /// As the reference's notes say, otherwise as transformers does it: after the final norm, if there is one.
    pub(super) fn of(reference: &Reference, model: &HookedTransformer) -> Self {
        let said = reference.info().get("last_hidden_state").and_then(|value| value.as_str()).unwrap_or_default();
        let config = model.config();
        // A masked-LM head's norm comes after its dense layer, so transformers' hidden states do not include it.
        let plain = !config.final_norm || config.unembed_transform || said.starts_with("before");
        if plain { Self::Plain } else { Self::Normed }
    }
}

fn ours(activation: Activation, note: &'static str) -> Found {
    Found::Ours(Box::new(activation), note)
}

impl<'a> Forward<'a> {
    pub(super) fn of(model: &'a HookedTransformer, tokens: Tokens) -> Result<Self> {
        let mut plan = Plan::new().capture(site::embed());
        for layer in 0..model.config().n_layers {
            for at in [site::resid_pre, site::pattern, site::attn_out_unnormed, site::mlp_out_unnormed] {
                plan = plan.capture(at(layer));
            }
            if model.config().experts.is_some() {
                plan = plan.capture(site::router(layer));
            }
        }
        let last = model.config().n_layers - 1;
        plan = plan.capture(site::resid_post(last));
        let outcome = model.run(&tokens, plan)?;
        Ok(Self { model, logits: outcome.output, cache: outcome.cache, tokens })
    }

    /// Our tensor for a reference's name without its section, such as `attentions.3`.
    pub(super) fn find(&self, name: &str, reference: &Reference) -> Result<Found> {
        let (kind, layer) = match name.rsplit_once('.') {
            Some((kind, layer)) => (kind, layer.parse::<usize>().ok()),
            None => (name, None),
        };
        let n_layers = self.model.config().n_layers;
        let layers = if kind == "hidden_states" { n_layers + 1 } else { n_layers };
        if let Some(layer) = layer.filter(|layer| *layer >= layers) {
            return Ok(Found::Wrong(format!("the reference has layer {layer}, the model has {n_layers} layers")));
        }
        Ok(match (kind, layer) {
            ("logits", None) => ours(Activation::new(self.logits.clone()), ""),
            ("embed_out", None) => self.embedding(reference)?,
            ("embeddings_out", None) => self.site(site::resid_pre(0))?,
            ("final_norm_in", None) => self.site(site::resid_post(n_layers - 1))?,
            ("hidden_states", Some(layer)) if layer == n_layers => self.last_hidden(reference)?,
            ("hidden_states", Some(layer)) => self.site(site::resid_pre(layer))?,
            ("attentions", Some(layer)) => self.site(site::pattern(layer))?,
            ("attn_out", Some(layer)) => self.site(site::attn_out_unnormed(layer))?,
            ("mlp_out", Some(layer)) => self.mlp_out(layer)?,
            ("router_logits", Some(layer)) => self.router(layer)?,
            ("aux_loss", None) => {
                Found::Nothing("it is the load-balancing loss of the routers, which is only used in training".into())
            }
            _ => Found::Nothing("no site or output has this name".into()),
        })
    }

    fn site(&self, site: Site) -> Result<Found> {
        Ok(ours(self.cache.activation(site)?.clone(), ""))
    }

    /// In Falcon's parallel blocks transformers adds the attention output into the MLP's tensor in place, so the
    /// recorded tensor is the sum of both.
    fn mlp_out(&self, layer: usize) -> Result<Found> {
        let mlp_out = site::mlp_out_unnormed(layer);
        if self.model.config().family != "falcon" || !self.model.config().is_parallel() {
            return self.site(mlp_out);
        }
        let attn_out: Tensor<3> = self.cache.get(site::attn_out_unnormed(layer))?;
        let both = self.cache.get::<3>(mlp_out)? + attn_out;
        Ok(ours(Activation::new(both), "plus the attention output, which transformers adds to this tensor in place"))
    }

    /// Our `[batch, pos, expert]` in the reference's shape, `[batch * pos, expert]`.
    fn router(&self, layer: usize) -> Result<Found> {
        if self.model.config().experts.is_none() {
            return Ok(Found::Wrong("the model has no experts".into()));
        }
        let router: Tensor<3> = self.cache.get(site::router(layer))?;
        let [batch, pos, experts] = router.dims();
        Ok(ours(Activation::new(router.reshape([batch * pos, experts])), ""))
    }

    fn last_hidden(&self, reference: &Reference) -> Result<Found> {
        let resid: Tensor<3> = self.cache.get(site::resid_post(self.model.config().n_layers - 1))?;
        let net = self.model.net();
        let (resid, note) = match (&net.ln_final, LastHidden::of(reference, self.model)) {
            (Some(norm), LastHidden::Normed) => (norm.apply(resid), "after the final norm"),
            _ => (resid, ""),
        };
        Ok(match &net.project_out {
            Some(project) => {
                ours(Activation::new(project.apply(resid)), "after the projection to the embedding's width")
            }
            None => ours(Activation::new(resid), note),
        })
    }

    /// The output of the reference's embedding module: rows of the table, possibly scaled.
    fn embedding(&self, reference: &Reference) -> Result<Found> {
        let config = self.model.config();
        if config.embed_norm || config.d_embed.is_some() {
            let rows = self.model.net().embed.lookup(self.model.ids(&self.tokens)) * rows_times(reference, self.model);
            return Ok(ours(Activation::new(rows), "rows of the table: `embed` comes after a norm or projection"));
        }
        let embed: Tensor<3> = self.cache.get(site::embed())?;
        let factor = embed_factor(reference, self.model);
        Ok(ours(
            Activation::new(embed * factor),
            if factor == 1.0 { "" } else { "`embed` is scaled, the reference's embedding module does not scale" },
        ))
    }

    /// Compares every unused tensor of a section; `counts` says which positions count.
    pub(super) fn check(
        &self,
        comparer: &mut Comparer<'_>,
        section: &str,
        names: &[&str],
        counts: Option<&[Vec<bool>]>,
    ) -> Result<()> {
        for name in names {
            let bare = name.strip_prefix(section).unwrap_or(name);
            match self.find(bare, comparer.reference)? {
                Found::Ours(ours, note) => {
                    let counts = counts.map(|rows| spread(rows, &ours));
                    comparer.check(name, &Ours { counts, note, ..Ours::read(&ours)? });
                }
                Found::Nothing(why) => comparer.skip(name, why),
                Found::Wrong(why) => comparer.fail(name, why),
            }
        }
        Ok(())
    }
}

/// Spreads `[batch][pos]` over the numbers of `[batch, pos, ..]`, or of a pattern, `[batch, head, query, key]`.
fn spread(rows: &[Vec<bool>], ours: &Activation) -> Vec<bool> {
    let dims = ours.dims();
    let (repeat, inner) = if dims.len() == 4 { (dims[1], dims[3]) } else { (1, dims[dims.len() - 1]) };
    let row = |row: &Vec<bool>| row.iter().flat_map(|counts| std::iter::repeat_n(*counts, inner)).collect::<Vec<_>>();
    rows.iter().flat_map(|counts| row(counts).repeat(repeat)).collect()
}

/// The factor by which the reference's embedding module multiplies the rows of its table.
fn rows_times(reference: &Reference, model: &HookedTransformer) -> f64 {
    let said = reference.info().get("embed_out_is_embedding_rows_times").and_then(serde_json::Value::as_f64);
    let ours = model.config().embed_scale.unwrap_or(1.0);
    // The notes are rounded: a factor within rounding is ours.
    said.filter(|said| (said - ours).abs() > 1e-4 * ours).unwrap_or(ours)
}

/// The factor that turns our `embed` into the output of the reference's embedding module.
pub(super) fn embed_factor(reference: &Reference, model: &HookedTransformer) -> f64 {
    rows_times(reference, model) / model.config().embed_scale.unwrap_or(1.0)
}

/// An error about an input of the reference.
pub(super) fn bad_input(reference: &Reference, problem: impl std::fmt::Display) -> Error {
    reference.broken(problem)
}
