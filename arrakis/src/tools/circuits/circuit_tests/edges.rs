//! Circuits of edges.

use arrakis_models::{HookedTransformer, Tokens, TransformerConfig};

use super::cut::{self, Written};
use super::edge::{CircuitEdge, EdgeEnd, INPUTS};
use super::part::{self, CircuitPart};
use super::refuse::refuse;
use super::study::{Circuit, Study, Unit};
use crate::error::{Error, Result};
use crate::tools::intervene::path_patching::{End, HeadInput, Reads, Receiver, Sender, Start, Writes};

impl Unit for CircuitEdge {
    const MANY: &'static str = "edges";

    type Source = Written;

    fn all(model: &HookedTransformer) -> Vec<Self> {
        let (config, parts) = (model.config(), part::all(model));
        let senders: Vec<Option<CircuitPart>> = std::iter::once(None).chain(parts.into_iter().map(Some)).collect();
        let into = |into| senders.iter().map(move |from| Self { from: *from, into });
        EdgeEnd::all(config).into_iter().flat_map(into).filter(|edge| edge.is_forward(config)).collect()
    }

    fn is_in(self, config: &TransformerConfig) -> bool {
        self.from.is_none_or(|part| part.is_in(config)) && self.into.is_in(config) && self.is_forward(config)
    }

    fn missing(self, config: &TransformerConfig) -> String {
        match self.from.filter(|part| !part.is_in(config)) {
            Some(part) => part.missing(config),
            None if !self.into.is_in(config) => {
                let (layers, heads, keys) = (config.n_layers, config.n_heads, config.n_kv_heads);
                format!(
                    "the model has no {} to run into; it has {layers} layers with {heads} heads, {keys} key heads and an \
                     MLP each",
                    self.into
                )
            }
            None => format!("there is no edge {self}: the first writes after the second has read"),
        }
    }

    fn source(model: &HookedTransformer, source: &Tokens) -> Result<Self::Source> {
        Written::of(model, source)
    }

    fn scores(study: &Study<Self>, circuits: &[&Circuit<Self>]) -> Result<Vec<Vec<f64>>> {
        cut::scores(study, circuits)
    }
}

/// Every edge of a model, by receiver, in the order of a forward.
pub(super) fn all(model: &HookedTransformer) -> Vec<CircuitEdge> {
    CircuitEdge::all(model)
}

/// Every edge from one of the senders to one of the receivers.
pub(super) fn between(
    model: &HookedTransformer,
    senders: impl IntoIterator<Item = Sender>,
    receivers: impl IntoIterator<Item = Receiver>,
) -> Result<Vec<CircuitEdge>> {
    let config = model.config();
    let starts = senders.into_iter().map(|sender| start(&sender.of(config)?)).collect::<Result<Vec<_>>>()?;
    let ends = receivers.into_iter().map(|receiver| end(&receiver.of(config)?, config)).collect::<Result<Vec<_>>>()?;
    let edges: Vec<CircuitEdge> = ends
        .concat()
        .into_iter()
        .flat_map(|into| starts.iter().map(move |from| CircuitEdge { from: *from, into }))
        .filter(|edge| edge.is_forward(config))
        .collect();
    if edges.is_empty() {
        return Err(refuse("no sender writes before a receiver reads, so there is no edge between them"));
    }
    Ok(edges)
}

fn start(start: &Start) -> Result<Option<CircuitPart>> {
    let layer = start.layer;
    match start.writes {
        _ if start.position.is_some() => Err(at_a_position(&start.label())),
        Writes::Head(head) => Ok(Some(CircuitPart::Head { layer, head })),
        Writes::Mlp => Ok(Some(CircuitPart::Mlp { layer })),
        Writes::Resid if layer == 0 => Ok(None),
        Writes::Resid => Err(a_sum(&start.label())),
    }
}

fn end(end: &End, config: &TransformerConfig) -> Result<Vec<EdgeEnd>> {
    let layer = end.layer;
    match end.reads {
        _ if end.position.is_some() => Err(at_a_position(&end.label())),
        Reads::Head(HeadInput::All, head) => {
            let group = config.n_heads / config.n_kv_heads;
            let own = |input| if input == HeadInput::Query { head } else { head / group };
            Ok(INPUTS.map(|input| EdgeEnd::Head { layer, head: own(input), input }).to_vec())
        }
        Reads::Head(input, head) => Ok(vec![EdgeEnd::Head { layer, head, input }]),
        Reads::Mlp => Ok(vec![EdgeEnd::Mlp { layer }]),
        Reads::Resid if layer == config.n_layers => Ok(vec![EdgeEnd::Logits]),
        Reads::Resid => Err(a_sum(&end.label())),
    }
}

fn at_a_position(label: &str) -> Error {
    refuse(format!("`{label}` has a position, and an edge is of all positions; leave `at` out"))
}

fn a_sum(label: &str) -> Error {
    refuse(format!("`{label}` is a sum of what parts write, and an edge is of one part; name heads and MLPs"))
}
