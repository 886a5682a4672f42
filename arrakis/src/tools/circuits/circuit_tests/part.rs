//! The parts of a circuit.

use std::collections::BTreeMap;
use std::fmt;

use arrakis_models::site::{self, Site};
use arrakis_models::{HookedTransformer, Intervention, SweepCase, Tokens, TransformerConfig};
use serde::{Deserialize, Serialize};

use super::study::{Circuit, Study, Unit};
use crate::error::Result;
use crate::tools::place::Head;

/// A head or an MLP. Its label is `L9H6` or `L9 mlp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CircuitPart {
    /// An attention head.
    Head {
        /// The layer, from 0.
        layer: usize,
        /// The head in the layer, from 0.
        head: usize,
    },
    /// What the MLP of a layer adds to the stream.
    Mlp {
        /// The layer, from 0.
        layer: usize,
    },
}

impl CircuitPart {
    /// The layer.
    pub fn layer(self) -> usize {
        match self {
            Self::Head { layer, .. } | Self::Mlp { layer } => layer,
        }
    }

    /// The head, if it is one.
    pub fn head(self) -> Option<usize> {
        match self {
            Self::Head { head, .. } => Some(head),
            Self::Mlp { .. } => None,
        }
    }

    /// The site that it writes: `attn.z` or `mlp_out`.
    pub(in super::super) fn site(self) -> Site {
        match self {
            Self::Head { layer, .. } => site::z(layer),
            Self::Mlp { layer } => site::mlp_out(layer),
        }
    }

    /// Whether what it writes can reach another part.
    pub(in super::super) fn is_before(self, other: Self) -> bool {
        let order = |part: Self| 2 * part.layer() + usize::from(part.head().is_none());
        order(self) < order(other)
    }
}

impl From<Head> for CircuitPart {
    fn from(Head { layer, head }: Head) -> Self {
        Self::Head { layer, head }
    }
}

impl fmt::Display for CircuitPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { layer, head } => write!(f, "L{layer}H{head}"),
            Self::Mlp { layer } => write!(f, "L{layer} mlp"),
        }
    }
}

impl Unit for CircuitPart {
    const MANY: &'static str = "parts";

    /// The source's activation of each site.
    type Source = BTreeMap<String, Intervention>;

    fn all(model: &HookedTransformer) -> Vec<Self> {
        all(model)
    }

    fn is_in(self, config: &TransformerConfig) -> bool {
        self.layer() < config.n_layers && self.head().is_none_or(|head| head < config.n_heads)
    }

    fn missing(self, config: &TransformerConfig) -> String {
        let (layers, heads) = (config.n_layers, config.n_heads);
        format!("the model has no {self}; it has {layers} layers with {heads} heads and an MLP each")
    }

    fn source(model: &HookedTransformer, source: &Tokens) -> Result<Self::Source> {
        let sites: Vec<Site> = all(model).into_iter().map(Self::site).collect();
        let source = model.capture(source, sites.iter().copied())?;
        let patch = |site: &Site| Ok((site.to_string(), Intervention::patch(source.activation(*site)?)));
        sites.iter().map(patch).collect()
    }

    fn scores(study: &Study<Self>, circuits: &[&Circuit<Self>]) -> Result<Vec<Vec<f64>>> {
        let cases: Vec<SweepCase> = circuits.iter().map(|circuit| case(study, circuit)).collect();
        Ok(study.metric.sweep(study.model, study.target, cases)?.values)
    }
}

/// Every part outside a circuit, patched.
fn case(study: &Study<CircuitPart>, circuit: &Circuit<CircuitPart>) -> SweepCase {
    let label: Vec<String> = circuit.iter().map(ToString::to_string).collect();
    let none = SweepCase { label: label.join(" "), edits: Vec::new() };
    study.without(circuit).into_iter().fold(none, |case, part| {
        let patch = study.source[&part.site().to_string()].clone();
        let patch = part.head().map_or_else(|| patch.clone(), |head| patch.clone().head(head));
        case.and(part.site(), patch)
    })
}

/// Every part of a model, layer by layer.
pub(in super::super) fn all(model: &HookedTransformer) -> Vec<CircuitPart> {
    let config = model.config();
    let heads = |layer| (0..config.n_heads).map(move |head| CircuitPart::Head { layer, head });
    (0..config.n_layers).flat_map(|layer| heads(layer).chain([CircuitPart::Mlp { layer }])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parts_is_that_of_a_forward() {
        let (head, mlp) = (|layer| CircuitPart::Head { layer, head: 1 }, |layer| CircuitPart::Mlp { layer });
        assert!(head(0).is_before(mlp(0)) && mlp(0).is_before(head(1)) && head(0).is_before(head(1)));
        assert!(!head(0).is_before(head(0)) && !mlp(0).is_before(head(0)) && !mlp(0).is_before(mlp(0)));
        assert_eq!((head(2).to_string(), mlp(2).to_string()), ("L2H1".into(), "L2 mlp".into()));
        assert_eq!(CircuitPart::from(Head { layer: 2, head: 1 }), head(2));
    }
}
