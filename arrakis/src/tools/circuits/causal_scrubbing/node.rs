//! A node of a hypothesis.

use arrakis_models::HookedTransformer;

use super::refuse::refuse;
use crate::error::Result;
use crate::tools::circuits::circuit_tests::CircuitPart;

/// A head or an MLP that matters, the class of each prompt, and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The head or the MLP.
    pub part: CircuitPart,
    /// The class of each prompt, `[prompt]`: prompts of one class have the same activation, says the hypothesis.
    pub classes: Vec<String>,
    /// The nodes that it reads. All other heads and MLPs before it are scrubbed.
    pub reads: Vec<Node>,
}

impl Node {
    /// A part with the class of each prompt.
    pub fn new(part: CircuitPart, classes: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { part, classes: classes.into_iter().map(|class| class.to_string()).collect(), reads: Vec::new() }
    }

    /// A head with the class of each prompt.
    pub fn head(layer: usize, head: usize, classes: impl IntoIterator<Item = impl ToString>) -> Self {
        Self::new(CircuitPart::Head { layer, head }, classes)
    }

    /// The MLP of a layer with the class of each prompt.
    pub fn mlp(layer: usize, classes: impl IntoIterator<Item = impl ToString>) -> Self {
        Self::new(CircuitPart::Mlp { layer }, classes)
    }

    /// The same node with what it reads.
    #[must_use]
    pub fn reading(self, reads: impl IntoIterator<Item = Node>) -> Self {
        Self { reads: reads.into_iter().collect(), ..self }
    }
}

/// Checks the nodes of a tree before anything runs.
pub(super) fn check(model: &HookedTransformer, nodes: &[Node], prompts: usize) -> Result<()> {
    for (at, node) in nodes.iter().enumerate() {
        let (part, config) = (node.part, model.config());
        if part.layer() >= config.n_layers || part.head().is_some_and(|head| head >= config.n_heads) {
            let (layers, heads) = (config.n_layers, config.n_heads);
            return Err(refuse(format!(
                "the model has no {part}; it has {layers} layers with {heads} heads and an MLP each"
            )));
        }
        if node.classes.len() != prompts {
            let classes = node.classes.len();
            return Err(refuse(format!(
                "{part} has {classes} classes for {prompts} prompts; give one for each prompt"
            )));
        }
        if nodes[..at].iter().any(|other| other.part == part) {
            return Err(refuse(format!("{part} is read twice by one node; give each part once")));
        }
        if let Some(read) = node.reads.iter().find(|read| !read.part.is_before(part)) {
            return Err(refuse(format!("{part} cannot read {}, which does not come before it", read.part)));
        }
        check(model, &node.reads, prompts)?;
    }
    Ok(())
}
