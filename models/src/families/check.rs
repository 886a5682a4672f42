//! Refuses dimensions that make no sense, before any tensor is made.

use crate::error::{Error, Result};
use crate::transformer::{Positions, TransformerConfig};

/// Limits that no published model reaches: on one dimension, and on the number of parameters.
const MOST: usize = 10_000_000;
pub(super) const MOST_LAYERS: usize = 10_000;
/// Limit on parts that have their own tensors, over all layers: heads with a norm each, and experts.
const MOST_PARTS: usize = 1_000_000;
const MOST_PARAMETERS: usize = 20_000_000_000_000;

impl TransformerConfig {
    /// Checks that a transformer can be built with these dimensions.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] naming the first dimension that is not valid.
    pub fn check(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_heads()?;
        self.check_lists()?;
        self.check_numbers()?;
        self.check_ropes()?;
        match self.parameters() {
            Some(count) if count <= MOST_PARAMETERS => Ok(()),
            _ => Err(self.wrong(
                "d_model",
                self.d_model,
                "with the other dimensions it gives more parameters than any computer can hold; check all of them",
            )),
        }
    }

    /// The number of parameters in matrices and tables, without norms and biases; `None` if it overflows.
    pub fn parameters(&self) -> Option<usize> {
        let heads = self.n_heads.checked_add(self.n_kv_heads)?.checked_mul(2)?;
        let attention = heads.checked_mul(self.d_head)?.checked_mul(self.d_model)?;
        let matrices = if self.gated_mlp { 3 } else { 2 };
        let mlp = self
            .d_model
            .checked_mul(self.d_mlp)?
            .checked_mul(matrices)?
            .checked_mul(self.experts.map_or(1, |experts| experts.count))?;
        let shared = self.experts.and_then(|experts| experts.shared).unwrap_or(0);
        let shared = self.d_model.checked_mul(shared)?.checked_mul(matrices)?;
        let mlp = if self.attn_only { 0 } else { mlp };
        let blocks = attention.checked_add(mlp)?.checked_add(shared)?.checked_mul(self.n_layers)?;
        let width = self.d_embed.unwrap_or(self.d_model);
        let vocab = self.d_vocab.checked_mul(width)?.checked_mul(if self.tied { 1 } else { 2 })?;
        let types = self.token_types.unwrap_or(0).checked_mul(self.d_model)?;
        let head = if self.unembed_transform { self.d_model.checked_mul(self.d_model)? } else { 0 };
        let positions = if matches!(self.positions, Positions::Learned { .. } | Positions::Shortformer) {
            self.n_ctx.checked_mul(self.d_model)?
        } else {
            0
        };
        blocks.checked_add(vocab)?.checked_add(positions)?.checked_add(types)?.checked_add(head)
    }

    fn check_sizes(&self) -> Result<()> {
        let sizes = [
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("n_kv_heads", self.n_kv_heads),
            ("d_head", self.d_head),
        ];
        let more = [
            ("d_mlp", self.d_mlp),
            ("d_vocab", self.d_vocab),
            ("n_ctx", self.n_ctx),
            ("d_embed", self.d_embed.unwrap_or(1)),
            ("token_types", self.token_types.unwrap_or(1)),
            ("experts.shared", self.experts.and_then(|experts| experts.shared).unwrap_or(1)),
        ];
        for (name, size) in sizes.into_iter().chain(more) {
            if !(1..=MOST).contains(&size) {
                return Err(self.wrong(name, size, format!("must be from 1 to {MOST}")));
            }
        }
        if !(1..=MOST_LAYERS).contains(&self.n_layers) {
            return Err(self.wrong("n_layers", self.n_layers, format!("must be from 1 to {MOST_LAYERS}")));
        }
        Ok(())
    }

    fn check_heads(&self) -> Result<()> {
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(self.wrong(
                "n_kv_heads",
                self.n_kv_heads,
                format!("the number of query heads, {}, must be a multiple of it", self.n_heads),
            ));
        }
        if self.d_head == self.d_model / self.n_heads && !self.d_model.is_multiple_of(self.n_heads) {
            return Err(self.wrong(
                "n_heads",
                self.n_heads,
                format!("d_model, {}, must be a multiple of it", self.d_model),
            ));
        }
        self.check_parts()?;
        let experts = self
            .experts
            .filter(|experts| !(1..=experts.count).contains(&experts.per_token) || experts.count > MOST_LAYERS);
        experts.map_or(Ok(()), |experts| {
            Err(self.wrong(
                "experts.per_token",
                experts.per_token,
                format!("must be from 1 to {}, the number of experts (at most {MOST_LAYERS})", experts.count),
            ))
        })
    }

    /// Every part costs memory, however narrow it is.
    fn check_parts(&self) -> Result<()> {
        let experts = self.experts.map_or(1, |experts| experts.count);
        for (name, parts) in [("n_heads", self.n_heads), ("experts.count", experts)] {
            if parts.saturating_mul(self.n_layers) > MOST_PARTS {
                return Err(self.wrong(
                    name,
                    parts,
                    format!("in {} layers that makes more than {MOST_PARTS}; check both", self.n_layers),
                ));
            }
        }
        Ok(())
    }

    fn check_lists(&self) -> Result<()> {
        let by_layer =
            if let Positions::Rotary { by_layer, .. } = &self.positions { by_layer.len() } else { self.n_layers };
        for (name, length) in
            [("attn_scales", self.attn_scales.len()), ("windows", self.windows.len()), ("positions.by_layer", by_layer)]
        {
            if length != self.n_layers {
                return Err(self.wrong(
                    name,
                    length,
                    format!("it must have one entry for each of the {} layers", self.n_layers),
                ));
            }
        }
        match self.windows.iter().flatten().find(|window| **window == 0) {
            Some(window) => Err(self.wrong(
                "windows",
                window,
                "a window includes the query's own position, so it must be at least 1",
            )),
            None => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<()> {
        let positive = |name: &str, number: f64| {
            let fine = number.is_finite() && number > 0.0;
            if fine { Ok(()) } else { Err(self.wrong(name, number, "must be a finite number above 0")) }
        };
        positive("norm_eps", self.norm_eps)?;
        self.attn_scales.iter().try_for_each(|scale| positive("attn_scales", *scale))?;
        let optional = [
            ("attn_softcap", self.attn_softcap),
            ("final_softcap", self.final_softcap),
            ("embed_scale", self.embed_scale),
            ("logit_scale", self.logit_scale),
            ("qkv_clip", self.qkv_clip),
            ("residual_scale", self.residual_scale),
            ("clamped_gate.slope", self.clamped_gate.map(|gate| gate.slope)),
            ("clamped_gate.limit", self.clamped_gate.map(|gate| gate.limit)),
        ];
        optional.into_iter().try_for_each(|(name, number)| number.map_or(Ok(()), |number| positive(name, number)))
    }

    fn check_ropes(&self) -> Result<()> {
        let Positions::Rotary { ropes, by_layer } = &self.positions else {
            return Ok(());
        };
        for rope in ropes {
            if !rope.dims.is_multiple_of(2) || rope.dims > self.d_head {
                return Err(self.wrong(
                    "rope.dims",
                    rope.dims,
                    format!("the number of rotated dimensions must be even and at most d_head, {}", self.d_head),
                ));
            }
        }
        match by_layer.iter().find(|index| **index >= ropes.len()) {
            Some(index) => Err(self.wrong(
                "positions.by_layer",
                index,
                format!("there are {} rotations, numbered from 0", ropes.len()),
            )),
            None => Ok(()),
        }
    }

    fn wrong(&self, key: &str, value: impl std::fmt::Display, problem: impl Into<String>) -> Error {
        Error::Config {
            family: self.family.clone(),
            key: key.to_owned(),
            value: value.to_string(),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl Fn(&mut TransformerConfig)) -> String {
        let mut config = TransformerConfig::plain("test", 2, 8, 2, 10, 16);
        config.check().unwrap();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn parameters_by_hand() {
        // Per layer 4 * 8 * 8 + 2 * 8 * 32 = 768; embedding 80, positions 128.
        assert_eq!(TransformerConfig::plain("test", 2, 8, 2, 10, 16).parameters(), Some(2 * 768 + 80 + 128));
    }

    #[test]
    fn nonsense_is_named() {
        assert!(refused(|c| c.n_kv_heads = 3).contains("`n_kv_heads` is 3"));
        assert!(refused(|c| c.windows[1] = Some(0)).contains("`windows` is 0"));
        assert!(refused(|c| c.norm_eps = 0.0).contains("`norm_eps` is 0"));
        assert!(refused(|c| c.n_heads = 0).contains("`n_heads` is 0"));
        assert!(refused(|c| (c.n_heads, c.n_kv_heads, c.d_head) = (3, 3, 2)).contains("must be a multiple"));
        assert!(
            refused(|c| (c.d_model, c.d_vocab, c.d_mlp, c.d_head) = (MOST, MOST, MOST, MOST))
                .contains("more parameters")
        );
        let many = |c: &mut TransformerConfig| {
            c.experts = Some(crate::transformer::Experts::new(MOST_PARTS / 2 + 1, 1));
        };
        assert!(refused(many).contains("`experts.count` is 500001: in 2 layers that makes more than 1000000"));
    }
}
