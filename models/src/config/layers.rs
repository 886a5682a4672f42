//! The settings that differ from layer to layer.

use super::{Positions, Rope, TransformerConfig};

/// The settings of one layer that are not weights. A layer that moves takes them along.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSettings {
    /// Scores are multiplied by this.
    pub attn_scale: f64,
    /// The attention window, in positions.
    pub window: Option<usize>,
    /// The rotation, if the model's positions are rotary.
    pub rope: Option<Rope>,
}

impl TransformerConfig {
    /// The settings of a layer; `None` for a layer that does not exist.
    pub fn layer_settings(&self, layer: usize) -> Option<LayerSettings> {
        let attn_scale = *self.attn_scales.get(layer)?;
        Some(LayerSettings { attn_scale, window: *self.windows.get(layer)?, rope: self.rope(layer).cloned() })
    }

    /// The same architecture with these layers. A rotation that the model does not have yet is added to its list.
    #[must_use]
    pub fn with_layers(&self, layers: &[LayerSettings]) -> Self {
        let mut config = self.clone();
        config.n_layers = layers.len();
        config.attn_scales = layers.iter().map(|layer| layer.attn_scale).collect();
        config.windows = layers.iter().map(|layer| layer.window).collect();
        if let Positions::Rotary { ropes, by_layer } = &mut config.positions {
            let wanted = layers.iter().filter_map(|layer| layer.rope.as_ref());
            *by_layer = wanted.map(|rope| place_of(ropes, rope)).collect();
        }
        config
    }
}

/// The index of a rotation in the list, to which it is added if it is not there.
fn place_of(ropes: &mut Vec<Rope>, rope: &Rope) -> usize {
    ropes.iter().position(|known| known == rope).unwrap_or_else(|| {
        ropes.push(rope.clone());
        ropes.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RopeScaling;

    #[test]
    fn a_layer_takes_its_settings_along() {
        let rope = |theta| Rope { theta, dims: 4, interleaved: false, scaling: RopeScaling::Default };
        let mut config = TransformerConfig::plain("test", 3, 8, 2, 10, 16);
        config.windows = vec![None, Some(4), None];
        config.attn_scales = vec![0.5, 0.25, 0.125];
        config.positions = Positions::Rotary { ropes: vec![rope(10.0), rope(100.0)], by_layer: vec![0, 1, 0] };
        let of = |layer| config.layer_settings(layer).unwrap();
        let moved = config.with_layers(&[of(1), of(2), of(1), LayerSettings { rope: Some(rope(7.0)), ..of(0) }]);
        assert_eq!((moved.n_layers, moved.windows.clone()), (4, vec![Some(4), None, Some(4), None]));
        assert_eq!(moved.attn_scales, [0.25, 0.125, 0.25, 0.5]);
        let thetas: Vec<f64> = (0..4).map(|layer| moved.rope(layer).unwrap().theta).collect();
        assert_eq!(thetas, [100.0, 10.0, 100.0, 7.0]);
        assert_eq!((moved.layer_settings(3).unwrap().window, moved.layer_settings(4)), (None, None));
    }
}
