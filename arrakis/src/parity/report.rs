//! The result of a comparison, row by row, in the order of computation.

use std::path::PathBuf;

use serde::Serialize;

use super::Tolerance;

/// One quantity, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The reference's name for it, with any transformation of either side in brackets.
    pub quantity: String,
    /// The largest difference, in the quantity's own unit; infinite if one side is not finite.
    pub max_abs: f64,
    /// The largest relative difference: to the entry, or to a thousandth of the largest entry if that is larger.
    pub max_rel: f64,
    /// The largest entry of the reference.
    pub largest: f64,
    /// The allowed difference; absent if the two must be equal.
    pub tolerance: Option<Tolerance>,
    /// The number of values compared.
    pub compared: usize,
    /// Whether all of them are within the tolerance.
    pub pass: bool,
    /// Index of the value that exceeds the tolerance most, or comes closest to it.
    pub worst_at: Vec<usize>,
    /// Remarks; may be empty.
    pub note: String,
}

/// A tensor of the reference that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The reference's name for it.
    pub quantity: String,
    /// The reason.
    pub why: String,
}

/// A model compared with a reference.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model.
    pub model: String,
    /// The device it ran on.
    pub device: String,
    /// The reference file.
    pub reference: PathBuf,
    /// The quantities compared.
    pub rows: Vec<Row>,
    /// The tensors not compared, and why.
    pub skipped: Vec<Skipped>,
    /// Tensors that a reference of this kind has and this one lacks.
    pub missing: Vec<String>,
}

impl Report {
    /// Whether at least one quantity was compared and all of them agree.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.pass)
    }

    /// The rows that differ, in the order of computation: the first is nearest to the cause.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.pass)
    }
}

/// The place of a quantity in a run: by section, then by layer, then by the order of computation within a layer.
pub(super) fn order(quantity: &str) -> (usize, String, usize, usize, String) {
    let sections =
        ["grad_", "nomask.", "padded.", "generate.", "prompt.", "sentence.", "repeated.", "facts.", "text.", "greedy."];
    let section = sections.iter().position(|section| quantity.starts_with(section)).map_or(0, |index| index + 1);
    let bare = quantity.split([' ', '(']).next().unwrap_or(quantity);
    let numbers: Vec<usize> = bare.split('.').filter_map(|part| part.parse().ok()).collect();
    let named = ["prompt.", "sentence.", "facts."].iter().any(|section| quantity.starts_with(section));
    let item = if named { format!("{:06}", numbers.first().unwrap_or(&0)) } else { String::new() };
    let layer = numbers.get(usize::from(named)).copied();
    let parts = [
        "embed_out",
        "embeddings_out",
        "hidden_states",
        "attentions",
        "attn_out",
        "router_logits",
        "mlp_out",
        "final_norm_in",
        "logits",
        "loss",
    ];
    let part = parts.iter().position(|part| bare.contains(part)).unwrap_or(parts.len());
    // Without a layer: the embedding is before all layers, everything else after them.
    let depth = layer.map_or_else(
        || if bare.contains("embed_out") || bare.contains("embeddings_out") { 0 } else { usize::MAX },
        |layer| layer + 1,
    );
    (section, item, depth, part, quantity.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_a_forward() {
        let mut names = [
            "padded.logits",
            "logits",
            "mlp_out.0",
            "hidden_states.10",
            "hidden_states.2",
            "grad_embed",
            "attn_out.0",
            "embed_out",
            "prompt.10.logits",
            "prompt.2.logits",
        ];
        names.sort_by_key(|name| order(name));
        assert_eq!(
            names,
            [
                "embed_out",
                "attn_out.0",
                "mlp_out.0",
                "hidden_states.2",
                "hidden_states.10",
                "logits",
                "grad_embed",
                "padded.logits",
                "prompt.2.logits",
                "prompt.10.logits"
            ]
        );
    }
}
