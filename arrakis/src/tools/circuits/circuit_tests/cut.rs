//! Runs in which receivers read what some senders write in the source run.
//!
//! What a part writes is added to the stream. So where an edge is cut, its receiver reads the stream less what the sender
//! writes in this run, plus what it writes in the source run. Receivers are the inputs of heads, of MLPs and of the final
//! norm, each with a copy of the stream of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrakis_models::site::{self, Site};
use arrakis_models::transformer::NormPlacement;
use arrakis_models::{Edit, HookedTransformer, Plan, Tokens, TransformerConfig};
use burn::tensor::{Tensor, TensorData};

use super::change::Change;
use super::edge::{CircuitEdge, EdgeEnd, count};
use super::part::CircuitPart;
use super::refuse::refuse;
use super::study::{Circuit, Study};
use crate::error::Result;
use crate::tools::intervene::path_patching::HeadInput;
use crate::tools::shared::common;

/// Bytes of what senders write that one forward may keep.
const HELD: usize = 1 << 28;

/// What the parts write in the source run.
pub(super) struct Written {
    /// `[batch, pos, d_model]`
    embed: Tensor<3>,
    /// Of each layer, `[batch, pos, head, d_head]`.
    z: Vec<Tensor<4>>,
    /// Of each layer, `[batch, pos, d_model]`.
    mlp: Vec<Tensor<3>>,
}

impl Written {
    pub(super) fn of(model: &HookedTransformer, source: &Tokens) -> Result<Self> {
        let (config, layers) = (model.config(), 0..model.config().n_layers);
        if matches!(config.norm_placement, NormPlacement::PostResidual | NormPlacement::Carried) {
            return Err(refuse(
                "the stream of this model is normed after each addition, so it is no sum of what parts write and has no \
                 edges; give parts",
            ));
        }
        let sites = layers.clone().flat_map(|layer| [site::z(layer), site::mlp_out(layer)]);
        let cache = model.capture(source, sites.chain([site::resid_pre(0)]))?;
        let z = layers.clone().map(|layer| cache.get(site::z(layer))).collect::<std::result::Result<_, _>>()?;
        let mlp = layers.map(|layer| cache.get(site::mlp_out(layer))).collect::<std::result::Result<_, _>>()?;
        Ok(Self { embed: cache.get(site::resid_pre(0))?, z, mlp })
    }
}

/// Parts that write at the same moment: the embeddings, the heads of a layer, or its MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Writers {
    Embeddings,
    Heads(usize),
    Mlp(usize),
}

/// The group of a sender, and its place in it.
fn writer(from: Option<CircuitPart>) -> (Writers, usize) {
    match from {
        None => (Writers::Embeddings, 0),
        Some(CircuitPart::Head { layer, head }) => (Writers::Heads(layer), head),
        Some(CircuitPart::Mlp { layer }) => (Writers::Mlp(layer), 0),
    }
}

/// A site whose inputs are receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Heads(usize, HeadInput),
    Mlp(usize),
    Logits,
}

/// The site of a receiver, and its place there.
fn reader(into: EdgeEnd) -> (Reader, usize) {
    match into {
        EdgeEnd::Head { layer, head, input } => (Reader::Heads(layer, input), head),
        EdgeEnd::Mlp { layer } => (Reader::Mlp(layer), 0),
        EdgeEnd::Logits => (Reader::Logits, 0),
    }
}

impl Reader {
    fn site(self, config: &TransformerConfig) -> Site {
        match self {
            Self::Heads(layer, HeadInput::Key) => site::k_input(layer),
            Self::Heads(layer, HeadInput::Value) => site::v_input(layer),
            Self::Heads(layer, _) => site::q_input(layer),
            Self::Mlp(layer) => site::mlp_in(layer),
            Self::Logits => site::resid_post(config.n_layers - 1),
        }
    }

    fn count(self, config: &TransformerConfig) -> usize {
        if let Self::Heads(_, input) = self { count(config, input) } else { 1 }
    }
}

/// The metric of each circuit, several in one forward.
pub(super) fn scores(study: &Study<CircuitEdge>, circuits: &[&Circuit<CircuitEdge>]) -> Result<Vec<Vec<f64>>> {
    let (config, tokens) = (study.model.config(), study.target.batch() * study.target.pos());
    let senders = 1 + config.n_layers * (config.n_heads + 1);
    let held = tokens * senders * config.d_model * size_of::<f32>();
    let copies = common::copies(tokens).min((HELD / held.max(1)).max(1));
    Ok(circuits.chunks(copies).map(|part| run(study, part)).collect::<Result<Vec<_>>>()?.concat())
}

/// One forward.
fn run(study: &Study<CircuitEdge>, circuits: &[&Circuit<CircuitEdge>]) -> Result<Vec<Vec<f64>>> {
    let (rows, mut plan, changes) = (study.target.batch(), Plan::new(), Changes::default());
    let cuts = cuts(study, circuits);
    for writers in cuts.values().flat_map(BTreeMap::keys).copied().collect::<BTreeSet<Writers>>() {
        plan = changes.watch(plan, study, writers, circuits.len());
    }
    for (reader, masks) in cuts {
        plan = changes.cut(plan, reader.site(study.model.config()), masks, rows);
    }
    let logits = study.model.run(study.target.repeated(circuits.len()), plan)?.output;
    let of = |at: usize| study.metric.of_each(study.model, &logits.clone().narrow(0, at * rows, rows), study.target);
    (0..circuits.len()).map(of).collect()
}

/// 1 for each edge that is cut: of each reader and each group of writers, `[circuit, receiver, sender]`.
type Masks = BTreeMap<Writers, Tensor<3>>;

fn cuts(study: &Study<CircuitEdge>, circuits: &[&Circuit<CircuitEdge>]) -> BTreeMap<Reader, Masks> {
    let config = study.model.config();
    let mut flags: BTreeMap<Reader, BTreeMap<Writers, Vec<f32>>> = BTreeMap::new();
    for (at, circuit) in circuits.iter().enumerate() {
        for edge in study.units.iter().filter(|edge| !circuit.contains(edge)) {
            let ((writers, sender), (reader, receiver)) = (writer(edge.from), reader(edge.into));
            let (senders, receivers) = (senders(config, writers), reader.count(config));
            let zeros = || vec![0.0; circuits.len() * receivers * senders];
            let own = flags.entry(reader).or_default().entry(writers).or_insert_with(zeros);
            own[(at * receivers + receiver) * senders + sender] = 1.0;
        }
    }
    let tensor = |reader: Reader, (writers, flags): (Writers, Vec<f32>)| {
        let shape = [circuits.len(), reader.count(config), senders(config, writers)];
        (writers, Tensor::from_data(TensorData::new(flags, shape), study.model.device()))
    };
    let masks =
        |(reader, of): (Reader, BTreeMap<_, _>)| (reader, of.into_iter().map(|of| tensor(reader, of)).collect());
    flags.into_iter().map(masks).collect()
}

fn senders(config: &TransformerConfig, writers: Writers) -> usize {
    if let Writers::Heads(_) = writers { config.n_heads } else { 1 }
}

/// What has been written in this run, less what is written in the source run.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<BTreeMap<Writers, Change>>>);

impl Changes {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Writers, Change>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a group writes, and changes nothing.
    fn watch(&self, plan: Plan, study: &Study<CircuitEdge>, writers: Writers, copies: usize) -> Plan {
        let (own, source) = (self.clone(), &study.source);
        let keep = move |change: Change| {
            own.known().insert(writers, change);
        };
        match writers {
            Writers::Heads(layer) => {
                let (model, source) = (study.model.clone(), source.z[layer].clone());
                let edit = Edit::fallible(move |z: Tensor<4>, _| {
                    keep(Change::of_heads(&model, layer, z.clone(), source.clone(), copies)?);
                    Ok(z)
                });
                plan.edit(site::z(layer), edit.unmeasured())
            }
            Writers::Embeddings => plan.edit(site::resid_pre(0), passing(keep, source.embed.clone(), copies)),
            Writers::Mlp(layer) => plan.edit(site::mlp_out(layer), passing(keep, source.mlp[layer].clone(), copies)),
        }
    }

    /// Lets receivers at a site read what is left.
    fn cut(&self, plan: Plan, at: Site, masks: Masks, rows: usize) -> Plan {
        let own = self.clone();
        let edit = Edit::any("cut edges", move |value, _| {
            let known = own.known();
            let gone = masks.iter().map(|(writers, mask)| known[writers].gone(mask));
            let gone: Tensor<3> = gone.reduce(|sum, next| sum + next).expect("BUG: a site without a cut has no edit");
            if let [batch, pos, receivers, width] = *value.dims() {
                let split = gone.reshape([batch / rows, receivers, rows, pos, width]).permute([0, 2, 3, 1, 4]);
                return Ok((value.tensor::<4>()? - split.reshape([batch, pos, receivers, width])).into());
            }
            let value = value.tensor::<3>()?;
            let dims = value.dims();
            Ok((value - gone.reshape(dims)).into())
        });
        plan.edit(at, edit.unmeasured())
    }
}

/// An edit that keeps the change of one sender.
fn passing(keep: impl Fn(Change) + Send + Sync + 'static, source: Tensor<3>, copies: usize) -> Edit {
    let edit = Edit::new(move |written: Tensor<3>| {
        let [batch, pos, width] = written.dims();
        let change = written.clone() - source.clone().repeat_dim(0, copies);
        keep(Change::Sum(change.reshape([copies, 1, batch / copies * pos * width])));
        written
    });
    edit.unmeasured()
}
