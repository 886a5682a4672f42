//! Heads silenced or cut out.

use super::kept::{ignoring, inputs, outputs, rest, spread, vector};
use super::{check_parts, without_splices};
use crate::config::{Positions, QkNorm, TransformerConfig};
use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::transformer::{Attention, Norm};

impl HookedTransformer {
    /// The model with the rows of `W_O` of these heads `(layer, head)` zeroed, so that they write nothing. Its shape, and
    /// with it every site, stays the same.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer or head that does not exist, [`Error::Surgery`] for no heads or one named twice.
    pub fn with_silent_heads(&self, heads: &[(usize, usize)]) -> Result<Self> {
        check_parts(self, "head", heads, self.config().n_heads)?;
        let mut net = self.net().clone();
        for (layer, block) in net.blocks.iter_mut().enumerate() {
            let own = of_layer(heads, layer);
            if !own.is_empty() {
                block.attn.w_o = ignoring(&block.attn.w_o, &spread(&own, self.config().d_head));
            }
        }
        Ok(self.with_net(net))
    }

    /// The model without these heads `(layer, head)`: their weights are gone, and it computes what it does with them
    /// silenced. As many heads must be left in every layer, and as many query heads for each key head that is left.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: a layer or head that does not exist.
    /// - [`Error::Surgery`]: uneven numbers of heads; an architecture in which other heads depend on the number of heads
    ///   (`ALiBi`, a norm over all heads); a model with splices. The error says how to silence the heads instead.
    pub fn without_heads(&self, heads: &[(usize, usize)]) -> Result<Self> {
        check_parts(self, "head", heads, self.config().n_heads)?;
        without_splices(self, "remove heads")?;
        refuse_dependence(self.config())?;
        let kept: Vec<Kept> = (0..self.config().n_layers)
            .map(|layer| Kept::new(self.config(), layer, &of_layer(heads, layer)))
            .collect::<Result<_>>()?;
        let [n_heads, n_kv_heads] = even(&kept)?;
        refuse_ambiguity(self.config(), n_heads)?;
        let mut net = self.net().clone();
        for (block, kept) in net.blocks.iter_mut().zip(&kept) {
            cut(&mut block.attn, kept, self.config());
        }
        (net.config.n_heads, net.config.n_kv_heads) = (n_heads, n_kv_heads);
        net.config.check()?;
        Ok(self.with_net(net))
    }
}

/// The heads of one layer.
fn of_layer(heads: &[(usize, usize)], layer: usize) -> Vec<usize> {
    heads.iter().filter(|(own, _)| *own == layer).map(|(_, head)| *head).collect()
}

/// The heads that are left in a layer.
struct Kept {
    query: Vec<usize>,
    key: Vec<usize>,
}

impl Kept {
    fn new(config: &TransformerConfig, layer: usize, gone: &[usize]) -> Result<Self> {
        let group = config.n_heads / config.n_kv_heads;
        let query = rest(config.n_heads, gone);
        let left = |key: &usize| query.iter().filter(|head| *head / group == *key).count();
        let key: Vec<usize> = (0..config.n_kv_heads).filter(|key| left(key) > 0).collect();
        let counts: Vec<usize> = key.iter().map(left).collect();
        if counts.is_empty() {
            return Err(refusal(&format!("layer {layer} would have none left")));
        }
        if counts.windows(2).any(|pair| pair[0] != pair[1]) {
            let problem =
                format!("the key heads of layer {layer} would serve {counts:?} query heads, not as many each");
            return Err(refusal(&problem));
        }
        Ok(Self { query, key })
    }
}

/// The numbers of query and of key heads, the same in all layers.
fn even(kept: &[Kept]) -> Result<[usize; 2]> {
    let counts = |kept: &Kept| [kept.query.len(), kept.key.len()];
    let first = counts(&kept[0]);
    match kept.iter().position(|kept| counts(kept) != first) {
        None => Ok(first),
        Some(layer) => {
            let [query, key] = counts(&kept[layer]);
            Err(refusal(&format!(
                "layer 0 would have {} heads ({} for keys), layer {layer} {query} ({key} for keys), and all layers must have as many",
                first[0], first[1]
            )))
        }
    }
}

/// Refuses architectures in which a head depends on how many there are.
fn refuse_dependence(config: &TransformerConfig) -> Result<()> {
    if matches!(config.positions, Positions::Alibi { .. }) {
        return Err(refusal("the slopes of ALiBi depend on the number of heads, so the others would change"));
    }
    if config.qk_norm == QkNorm::Full {
        return Err(refusal("queries and keys are normed over all heads, so the others would change"));
    }
    Ok(())
}

/// Refuses a number of heads that a configuration would take for a width rounded down.
fn refuse_ambiguity(config: &TransformerConfig, n_heads: usize) -> Result<()> {
    let (d_head, d_model) = (config.d_head, config.d_model);
    if d_head == d_model / n_heads && !d_model.is_multiple_of(n_heads) {
        return Err(refusal(&format!("a configuration with {n_heads} heads and a d_model of {d_model} is not valid")));
    }
    Ok(())
}

fn refusal(problem: &str) -> Error {
    let problem = format!("{problem}; silence them instead, which keeps the shape of the model");
    Error::Surgery { action: "remove heads".into(), problem }
}

fn cut(attn: &mut Attention, kept: &Kept, config: &TransformerConfig) {
    let (query, key) = (spread(&kept.query, config.d_head), spread(&kept.key, config.d_head));
    attn.w_q = outputs(&attn.w_q, &query);
    attn.w_k = outputs(&attn.w_k, &key);
    attn.w_v = outputs(&attn.w_v, &key);
    attn.w_o = inputs(&attn.w_o, &query);
    if config.qk_norm == QkNorm::PerHead {
        for (norm, kept) in [(&mut attn.q_norm, &query), (&mut attn.k_norm, &key)] {
            *norm = norm.as_ref().map(|norm| narrowed(norm, kept));
        }
    }
    attn.sinks = attn.sinks.as_ref().map(|sinks| vector(sinks, &kept.query));
    (attn.n_heads, attn.n_kv_heads) = (kept.query.len(), kept.key.len());
}

fn narrowed(norm: &Norm, kept: &[usize]) -> Norm {
    let part = |param: &Option<_>| param.as_ref().map(|param| vector(param, kept));
    Norm { weight: part(&norm.weight), bias: part(&norm.bias), ..norm.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::model::HookedAutoModel;

    fn config(n_kv_heads: usize) -> TransformerConfig {
        let mut config = TransformerConfig::plain("test", 2, 16, 4, 20, 16);
        config.n_kv_heads = n_kv_heads;
        config
    }

    fn lively(config: &TransformerConfig) -> HookedTransformer {
        HookedAutoModel::lively(config, 1).unwrap()
    }

    fn logits(model: &HookedTransformer) -> Vec<f32> {
        read(model.forward([1, 2, 3, 4]).unwrap()).unwrap()
    }

    fn apart(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_head_that_is_cut_out_is_a_silent_one() {
        let mut normed = config(2);
        (normed.qk_norm, normed.norm_bias) = (QkNorm::PerHead, false);
        for (config, heads) in [
            (config(4), vec![(0, 1), (1, 3)]),
            (config(2), vec![(0, 0), (0, 1), (1, 2), (1, 3)]),
            (normed, vec![(0, 0), (0, 3), (1, 1), (1, 2)]),
        ] {
            let model = lively(&config);
            let before = logits(&model);
            let (cut, silent) = (model.without_heads(&heads).unwrap(), model.with_silent_heads(&heads).unwrap());
            let (cut_logits, silent) = (logits(&cut), logits(&silent));
            assert!(apart(&cut_logits, &silent) < 1e-4, "{heads:?}");
            assert!(apart(&cut_logits, &before) > 1e-2, "it changes the numbers");
            assert_eq!(cut.block(0).unwrap().attn.w_o.weight.dims()[0], cut.config().n_heads * 4);
            assert_eq!(logits(&model), before);
        }
    }

    #[test]
    fn what_cannot_be_cut_out_is_refused_with_the_reason() {
        let said = |config: TransformerConfig, heads: &[(usize, usize)]| {
            lively(&config).without_heads(heads).unwrap_err().to_string()
        };
        let end = "; silence them instead, which keeps the shape of the model";
        assert_eq!(
            said(config(4), &[(0, 1)]),
            format!(
                "cannot remove heads: layer 0 would have 3 heads (3 for keys), layer 1 4 (4 for keys), and all layers must have as many{end}"
            )
        );
        assert_eq!(
            said(config(2), &[(0, 1)]),
            format!(
                "cannot remove heads: the key heads of layer 0 would serve [1, 2] query heads, not as many each{end}"
            )
        );
        let mut alibi = config(4);
        alibi.positions = Positions::Alibi { scaled: false };
        assert!(said(alibi, &[(0, 1), (1, 1)]).contains("the slopes of ALiBi depend on the number of heads"));
        let mut full = config(4);
        (full.qk_norm, full.norm_bias) = (QkNorm::Full, false);
        assert!(said(full, &[(0, 1), (1, 1)]).contains("normed over all heads"));
        let odd = TransformerConfig::plain("test", 1, 21, 7, 20, 16);
        assert_eq!(
            said(odd, &[(0, 2)]),
            format!("cannot remove heads: a configuration with 6 heads and a d_model of 21 is not valid{end}")
        );
        assert_eq!(said(config(4), &[(0, 4)]), "head 4 is out of range: there are 4, numbered from 0");
        assert_eq!(
            said(config(4), &[(0, 1), (0, 1)]),
            "cannot change heads: layer 0 head 1 is named twice; name each once"
        );
    }
}
