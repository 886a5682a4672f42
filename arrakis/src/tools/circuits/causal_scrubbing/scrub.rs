//! The runs of a scrubbed model: each node on the prompts that it was drawn from.

use arrakis_models::site::Site;
use arrakis_models::{Activation, ActivationCache, HookedTransformer, Intervention, Plan, Tokens};
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::node::Node;
use crate::error::Result;
use crate::tools::circuits::circuit_tests::{CircuitPart, all_parts};

/// A model on prompts, with the activations of an unedited run.
pub(super) struct Scrub<'a> {
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    parts: Vec<CircuitPart>,
    clean: ActivationCache,
    /// `[prompt, pos, d_vocab]`
    pub(super) logits: Tensor<3>,
    rng: ChaCha8Rng,
}

impl<'a> Scrub<'a> {
    pub(super) fn new(model: &'a HookedTransformer, tokens: &'a Tokens, seed: u64) -> Result<Self> {
        let parts = all_parts(model);
        let plan = parts.iter().filter(|part| part.head().is_none_or(|head| head == 0));
        let plan = plan.fold(Plan::new(), |plan, part| plan.capture(part.site()));
        let outcome = model.run(tokens, plan)?;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { model, tokens, parts, clean: outcome.cache, logits: outcome.output, rng })
    }

    /// The logits of every prompt with all nodes and all other parts exchanged.
    pub(super) fn output(&mut self, reads: &[Node]) -> Result<Tensor<3>> {
        let rows: Vec<usize> = (0..self.tokens.batch()).collect();
        let plan = self.exchanged(reads, &rows, |_| true)?;
        Ok(self.model.run(self.tokens, plan)?.output)
    }

    /// For every prompt the logits of a random one.
    pub(super) fn random_output(&mut self) -> Tensor<3> {
        let rows = self.anyone();
        select(self.logits.clone(), &rows)
    }

    /// The activation of a node's site on these prompts, with its inputs exchanged.
    fn value(&mut self, node: &Node, rows: &[usize]) -> Result<Activation> {
        let plan = self.exchanged(&node.reads, rows, |part| part.is_before(node.part))?;
        let ids = rows.iter().map(|row| self.tokens.ids()[*row].clone()).collect();
        let outcome = self.model.run(Tokens::new(ids)?, plan.capture(node.part.site()))?;
        Ok(outcome.cache.activation(node.part.site())?.clone())
    }

    /// Edits that give each node among `reads` the activation of a prompt of the class of each of these prompts, and every other
    /// part, of those that matter here, that of any prompt.
    fn exchanged(&mut self, reads: &[Node], rows: &[usize], matters: impl Fn(CircuitPart) -> bool) -> Result<Plan> {
        let mut plan = Plan::new();
        for part in self.parts.clone().into_iter().filter(|part| matters(*part)) {
            let value = if let Some(node) = reads.iter().find(|node| node.part == part) {
                let alike = self.alike(node, rows);
                self.value(node, &alike)?
            } else {
                let anyone = self.anyone();
                self.seen(part.site(), &anyone)?
            };
            let patch = Intervention::patch(&value);
            plan = plan.edit(part.site(), part.head().map_or_else(|| patch.clone(), |head| patch.clone().head(head)));
        }
        Ok(plan)
    }

    /// The activation of a site on these prompts in the unedited run.
    fn seen(&self, site: Site, rows: &[usize]) -> Result<Activation> {
        let value = self.clean.activation(site)?;
        let (dims, count) = (value.dims().to_vec(), self.tokens.batch());
        let width = dims.iter().product::<usize>() / count;
        let flat = value.to_flat()?.reshape([count, width]);
        let at = indices(rows, &flat.device());
        Ok(Activation::shaped(flat.select(0, at).reshape([count * width]), &dims)?)
    }

    /// For each of these prompts a random one of its class.
    fn alike(&mut self, node: &Node, rows: &[usize]) -> Vec<usize> {
        let of_class = |row: usize| {
            (0..node.classes.len()).filter(|other| node.classes[*other] == node.classes[row]).collect::<Vec<usize>>()
        };
        let draw = |row: &usize| {
            let class = of_class(*row);
            class[self.rng.random_range(0..class.len())]
        };
        rows.iter().map(draw).collect()
    }

    /// A random prompt for each.
    fn anyone(&mut self) -> Vec<usize> {
        let count = self.tokens.batch();
        (0..count).map(|_| self.rng.random_range(0..count)).collect()
    }
}

fn select(of: Tensor<3>, rows: &[usize]) -> Tensor<3> {
    let at = indices(rows, &of.device());
    of.select(0, at)
}

fn indices(rows: &[usize], device: &burn::tensor::Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
