//! Layers taken from one or several models, in any order.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::without_splices;
use crate::config::{LayerSettings, Positions, TransformerConfig};
use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::transformer::Block;

/// One layer of a model.
#[derive(Clone, Copy, Debug)]
pub struct LayerOf<'a> {
    model: &'a HookedTransformer,
    layer: usize,
}

impl<'a> LayerOf<'a> {
    /// A layer of a model, from 0.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that does not exist.
    pub fn new(model: &'a HookedTransformer, layer: usize) -> Result<Self> {
        model.block(layer)?;
        Ok(Self { model, layer })
    }

    /// The layer's index in its own model.
    pub fn layer(&self) -> usize {
        self.layer
    }

    fn settings(&self) -> LayerSettings {
        self.model.config().layer_settings(self.layer).expect("BUG: the layer was checked")
    }

    fn block(&self) -> &Block {
        &self.model.net().blocks[self.layer]
    }
}

impl HookedTransformer {
    /// The model with these layers, in this order; a layer may occur several times, and may be of another model whose
    /// blocks have the same architecture. Embeddings, last norm and unembedding are this model's.
    ///
    /// # Errors
    ///
    /// [`Error::Surgery`] for a layer of a model whose blocks differ (the error names the option), for no layers, and for
    /// a model with splices; [`Error::Config`] for more layers than a model may have.
    pub fn with_layers(&self, layers: &[LayerOf<'_>]) -> Result<Self> {
        without_splices(self, "arrange layers")?;
        if layers.is_empty() {
            let problem = "no layer would be left; keep at least one".into();
            return Err(Error::Surgery { action: "arrange layers".into(), problem });
        }
        for layer in layers {
            check_donor(self, layer)?;
        }
        let settings: Vec<LayerSettings> = layers.iter().map(LayerOf::settings).collect();
        let config = self.config().with_layers(&settings);
        config.check()?;
        let mut net = self.net().clone();
        net.blocks = layers.iter().map(|layer| own_copy(layer.block(), self)).collect();
        net.config = config;
        Ok(self.with_net(net))
    }
}

/// A block on the model's device that shares its tensors with the original. Its parameters have identifiers of their
/// own, so that an optimizer takes two copies of a block for two blocks.
fn own_copy(block: &Block, model: &HookedTransformer) -> Block {
    struct Renamed;
    impl ModuleMapper for Renamed {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            Param::from_tensor(param.val())
        }
    }
    block.clone().to_device(model.device()).map(&mut Renamed)
}

/// Checks that a layer of another model computes what its settings would say in this model.
fn check_donor(model: &HookedTransformer, layer: &LayerOf<'_>) -> Result<()> {
    if std::ptr::eq(model, layer.model) {
        return Ok(());
    }
    let action = || format!("take layer {} of `{}`", layer.layer, layer.model.name());
    without_splices(layer.model, &action())?;
    let json = |config| serde_json::to_value(config).expect("BUG: a config is plain data");
    let (own, other) = (json(model.config()), json(&with_blocks_of(layer.model.config(), model.config())));
    let different = own.as_object().into_iter().flatten().find(|(key, value)| other.get(key.as_str()) != Some(*value));
    different.map_or(Ok(()), |(key, value)| {
        let theirs = &other[key.as_str()];
        let problem =
            format!("its `{key}` is {theirs}, that of `{}` is {value}; the blocks must be alike", model.name());
        Err(Error::Surgery { action: action(), problem })
    })
}

/// The model's architecture with the blocks of the donor. The settings of single layers move with the layers.
fn with_blocks_of(donor: &TransformerConfig, model: &TransformerConfig) -> TransformerConfig {
    let kind = |config: &TransformerConfig| match config.positions {
        Positions::Learned { .. } => (0, false),
        Positions::Shortformer => (3, false),
        Positions::Rotary { .. } => (1, false),
        Positions::Alibi { scaled } => (2, scaled),
    };
    let alike = kind(donor) == kind(model);
    TransformerConfig {
        d_model: donor.d_model,
        n_heads: donor.n_heads,
        n_kv_heads: donor.n_kv_heads,
        d_head: donor.d_head,
        d_mlp: donor.d_mlp,
        activation: donor.activation,
        gated_mlp: donor.gated_mlp,
        mlp_bias: donor.mlp_bias,
        mlp_norm: donor.mlp_norm,
        attn_only: donor.attn_only,
        experts: donor.experts,
        norm: donor.norm,
        norm_eps: donor.norm_eps,
        norm_placement: donor.norm_placement,
        norm_bias: donor.norm_bias,
        unweighted_norms: donor.unweighted_norms,
        qkv_clip: donor.qkv_clip,
        attn_sinks: donor.attn_sinks,
        residual_scale: donor.residual_scale,
        clamped_gate: donor.clamped_gate,
        block_layout: donor.block_layout,
        qkv_bias: donor.qkv_bias,
        attn_out_bias: donor.attn_out_bias,
        qk_norm: donor.qk_norm,
        attn_softcap: donor.attn_softcap,
        bidirectional: donor.bidirectional,
        positions: if alike { model.positions.clone() } else { donor.positions.clone() },
        ..model.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::generate::Generation;
    use crate::model::HookedAutoModel;
    use crate::transformer::{Rope, RopeScaling};

    fn lively(seed: u64) -> HookedTransformer {
        let mut config = TransformerConfig::plain("test", 3, 12, 3, 20, 16);
        config.windows = vec![None, Some(2), None];
        let rope = |theta| Rope { theta, dims: 4, interleaved: false, scaling: RopeScaling::Default };
        config.positions = Positions::Rotary { ropes: vec![rope(10.0), rope(1000.0)], by_layer: vec![0, 1, 1] };
        HookedAutoModel::lively(&config, seed).unwrap()
    }

    fn bits(model: &HookedTransformer) -> Vec<u32> {
        read(model.forward([1, 2, 3, 4]).unwrap()).unwrap().into_iter().map(f32::to_bits).collect()
    }

    fn of<'a>(model: &'a HookedTransformer, layers: &[usize]) -> Vec<LayerOf<'a>> {
        layers.iter().map(|layer| LayerOf::new(model, *layer).unwrap()).collect()
    }

    /// The stream through blocks of a model, each run by itself, then its logits.
    fn by_hand(model: &HookedTransformer, order: &[(&HookedTransformer, usize)]) -> Vec<u32> {
        let plan = || crate::hooks::Plan::new();
        let stop = |layer: usize| crate::model::RunOptions::new().stop_at_layer(layer as isize);
        let mut stream = model.run_from([1, 2, 3, 4], plan(), None, &stop(0)).unwrap().output;
        for (own, layer) in order {
            stream = own.run_from([1, 2, 3, 4], plan(), Some((*layer, stream)), &stop(layer + 1)).unwrap().output;
        }
        read(model.net().forward_unembed(stream)).unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn any_order_equals_the_blocks_run_one_by_one() {
        let (model, other) = (lively(1), lively(2));
        let before = bits(&model);
        for order in [vec![0, 1, 2], vec![2, 1, 0], vec![0, 2], vec![1, 1, 1, 1], vec![0, 1, 0, 1, 2]] {
            let made = model.with_layers(&of(&model, &order)).unwrap();
            let steps: Vec<_> = order.iter().map(|layer| (&model, *layer)).collect();
            assert_eq!(bits(&made), by_hand(&model, &steps), "{order:?}");
            assert_eq!(
                (
                    made.config().n_layers,
                    made.sites().iter().any(|site| site == &format!("blocks.{}.attn.z", order.len() - 1))
                ),
                (order.len(), true)
            );
        }
        let mixed = [of(&model, &[0]), of(&other, &[1]), of(&model, &[2])].concat();
        assert_eq!(
            bits(&model.with_layers(&mixed).unwrap()),
            by_hand(&model, &[(&model, 0), (&other, 1), (&model, 2)])
        );
        assert_eq!(bits(&model), before);
    }

    #[test]
    fn copies_of_a_layer_have_their_own_keys_and_values() {
        let model = lively(1);
        let repeated = model.with_layers(&of(&model, &[0, 0, 1, 2, 2])).unwrap();
        let made = |cache| {
            let how = Generation { use_cache: cache, max_new_tokens: 5, ..Generation::greedy(5) };
            repeated.generate([1, 2, 3], &how).unwrap()
        };
        let (with, without) = (made(true), made(false));
        assert_eq!(with.ids, without.ids);
        let (with, without) = (with.logits_of_row(0).unwrap(), without.logits_of_row(0).unwrap());
        assert!(with.iter().zip(&without).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn a_layer_that_does_not_fit_is_refused() {
        let model = lively(1);
        let mut config = model.config().clone();
        config.d_mlp = 7;
        let other = HookedAutoModel::lively(&config, 2).unwrap();
        let error = model.with_layers(&of(&other, &[1])).unwrap_err().to_string();
        let (own, theirs) = (model.name(), other.name());
        assert_eq!(
            error,
            format!(
                "cannot take layer 1 of `{theirs}`: its `d_mlp` is 7, that of `{own}` is 48; the blocks must be alike"
            )
        );
        assert_eq!(
            model.with_layers(&[]).unwrap_err().to_string(),
            "cannot arrange layers: no layer would be left; keep at least one"
        );
        assert!(LayerOf::new(&model, 3).unwrap_err().to_string().contains("there are 3, numbered from 0"));
    }
}
