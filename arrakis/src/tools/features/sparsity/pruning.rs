//! The smallest weights set to zero.

use std::collections::BTreeMap;

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use arrakis_models::{Activation, HookedTransformer, IntoTokens, SitePattern};

use super::{Sparsity, refuse};
use crate::error::Result;
use crate::tools::shared::finite;
use crate::tools::{Metric, MetricChange, Tool};

/// Among which weights the smallest are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PruneScope {
    /// In each matrix by itself: every matrix loses the same fraction.
    #[default]
    EachMatrix,
    /// Among all named matrices together: matrices of small weights lose more.
    AllTogether,
}

/// A pruned model, beside the original.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// The pruned model.
    pub model: HookedTransformer,
    original: HookedTransformer,
    /// What each matrix lost, by path.
    pub matrices: Vec<PrunedMatrix>,
}

/// How many weights of a matrix were set to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedMatrix {
    /// Its path: `blocks.0.mlp.w_in.weight`.
    pub path: String,
    /// Weights that were set to zero; those that were zero before count as well.
    pub pruned: usize,
    /// All its weights.
    pub of: usize,
}

impl Pruned {
    /// The fraction of the weights of all matrices that was set to zero.
    pub fn fraction(&self) -> f64 {
        let sum = |of: fn(&PrunedMatrix) -> usize| self.matrices.iter().map(of).sum::<usize>() as f64;
        sum(|matrix| matrix.pruned) / sum(|matrix| matrix.of)
    }

    /// The model before pruning, to the bit: pruning never touched it.
    pub fn undo(&self) -> HookedTransformer {
        self.original.clone()
    }

    /// The metric of the original and of the pruned model on the same prompts. It runs each once.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a metric that does not fit the prompts, numbers that are not finite.
    pub fn effect(&self, prompts: impl IntoTokens, metric: &Metric) -> Result<MetricChange> {
        let tokens = prompts.into_tokens(&self.original)?;
        MetricChange::between(Sparsity::NAME, [&self.original, &self.model], &tokens, metric)
    }
}

impl Sparsity {
    /// The model with the `fraction` of smallest size of the named weights set to zero; of equal sizes the first goes. The
    /// number is rounded to whole weights.
    ///
    /// `weights` are paths as `model.parameters()` gives them. A pattern with `*` selects matrices of attention and MLPs
    /// only, never norms, biases or embeddings. A full path prunes what it names, whatever that is.
    ///
    /// # Errors
    ///
    /// A name that selects nothing (the error names the nearest), a fraction outside 0 to 1 or of less than one weight,
    /// weights that are not finite.
    pub fn prune_network(&self, weights: &[&str], fraction: f64, scope: PruneScope) -> Result<Pruned> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(refuse(format!("the fraction is {fraction}; give a number above 0 and at most 1")));
        }
        let named = self.named(weights)?;
        let mut values = BTreeMap::new();
        for (path, tensor) in &named {
            values.insert(path.as_str(), tensor.to_vec()?);
        }
        let all: Vec<f64> = values.values().flatten().copied().map(f64::from).collect();
        finite::check_weights(Self::NAME, "a weight", &all)?;
        match scope {
            PruneScope::EachMatrix => values.values_mut().for_each(|own| prune(&mut [own], fraction)),
            PruneScope::AllTogether => prune(&mut values.values_mut().collect::<Vec<_>>(), fraction),
        }
        self.pruned(&named, values)
    }

    fn pruned(&self, named: &BTreeMap<String, Activation>, mut values: BTreeMap<&str, Vec<f32>>) -> Result<Pruned> {
        let (mut new, mut matrices) = (BTreeMap::new(), Vec::new());
        for (path, old) in named {
            let own = values.remove(path.as_str()).expect("BUG: every named matrix was read");
            let pruned = own.iter().filter(|value| **value == 0.0).count();
            matrices.push(PrunedMatrix { path: path.clone(), pruned, of: own.len() });
            new.insert(path.clone(), Activation::from_vec(own, old.dims(), old.device())?);
        }
        if matrices.iter().all(|matrix| matrix.pruned == 0) {
            return Err(refuse("the fraction is less than one weight; give a larger one".into()));
        }
        let model = self.model.with_parameters(new)?;
        Ok(Pruned { model, original: self.model.clone(), matrices })
    }

    /// The parameters that the names select.
    fn named(&self, weights: &[&str]) -> Result<BTreeMap<String, Activation>> {
        let known = self.model.parameters();
        let mut named = BTreeMap::new();
        for asked in weights {
            let found = selected(asked, &known);
            if found.is_empty() {
                let paths: Vec<&String> = known.iter().map(|(path, _)| path).collect();
                let hint = did_you_mean(nearest(asked, &paths).as_deref(), "");
                return Err(refuse(format!("no matrix of attention or an MLP fits `{asked}`{hint}")));
            }
            named.extend(found);
        }
        if named.is_empty() {
            return Err(refuse("no weights are named; give at least one path or pattern".into()));
        }
        Ok(named)
    }
}

/// The parameters that a full path names, or the matrices of blocks that a pattern fits.
fn selected(asked: &str, known: &[(String, Activation)]) -> Vec<(String, Activation)> {
    let pattern = SitePattern::new(asked);
    let fits = |path: &str, tensor: &Activation| {
        path == asked || path.starts_with("blocks.") && tensor.dims().len() == 2 && pattern.matches(path)
    };
    known.iter().filter(|(path, tensor)| fits(path, tensor)).cloned().collect()
}

/// Sets the smallest numbers of all lists together to zero.
fn prune(lists: &mut [&mut Vec<f32>], fraction: f64) {
    let mut sizes: Vec<f32> = lists.iter().flat_map(|list| list.iter().map(|value| value.abs())).collect();
    let mut left = (fraction * sizes.len() as f64).round() as usize;
    if left == 0 {
        return;
    }
    let limit = *sizes.select_nth_unstable_by(left - 1, f32::total_cmp).1;
    for below in [true, false] {
        for value in lists.iter_mut().flat_map(|list| list.iter_mut()) {
            let goes = if below { value.abs() < limit } else { value.abs() == limit };
            if goes && left > 0 {
                *value = 0.0;
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::fixture;
    use arrakis_models::device;

    #[test]
    fn by_hand() {
        let (mut a, mut b) = (vec![3.0, -1.0, 2.0, -2.0], vec![0.5, 9.0]);
        prune(&mut [&mut a], 0.5);
        assert_eq!(a, [3.0, 0.0, 0.0, -2.0], "of two equal sizes the first goes");
        prune(&mut [&mut a, &mut b], 0.5);
        assert_eq!((a, b), (vec![3.0, 0.0, 0.0, -2.0], vec![0.0, 9.0]));
    }

    fn values(model: &HookedTransformer) -> BTreeMap<String, Vec<f32>> {
        model.parameters().into_iter().map(|(path, own)| (path, own.to_vec().unwrap())).collect()
    }

    #[test]
    fn the_fraction_is_met_nothing_else_is_touched_and_it_is_undone() {
        for name in ["gpt2", "llama"] {
            let model = fixture(name);
            let (before, tool) = (values(&model), Sparsity::new(&model).unwrap());
            for (scope, fraction) in [(PruneScope::EachMatrix, 0.3), (PruneScope::AllTogether, 0.7)] {
                let pruned = tool.prune_network(&["blocks.*"], fraction, scope).unwrap();
                assert!((pruned.fraction() - fraction).abs() < 1e-3, "{name}: {}", pruned.fraction());
                let after = values(&pruned.model);
                for (path, own) in &before {
                    let matrix = pruned.matrices.iter().find(|matrix| matrix.path == *path);
                    assert_eq!(
                        matrix.is_some(),
                        path.starts_with("blocks.") && path.contains(".w_") && path.ends_with("weight")
                    );
                    let zeros = after[path].iter().filter(|value| **value == 0.0).count();
                    match matrix {
                        Some(matrix) => assert_eq!((zeros, own.len()), (matrix.pruned, matrix.of)),
                        None => assert_eq!(own, &after[path], "{path}"),
                    }
                    let kept = own.iter().zip(&after[path]).filter(|(_, new)| **new != 0.0);
                    assert!(kept.into_iter().all(|(old, new)| old == new), "{path}");
                }
                assert_eq!(values(&pruned.undo()), before);
                let logits = |model: &HookedTransformer| device::read(model.forward([1, 2, 3]).unwrap()).unwrap();
                assert_eq!(logits(&pruned.undo()), logits(&model));
                let effect = pruned.effect([1, 2, 3], &Metric::loss()).unwrap();
                assert!(effect.change() != 0.0, "{effect:?}");
            }
        }
    }

    #[test]
    fn a_full_path_prunes_what_it_names() {
        let tool = Sparsity::new(&fixture("gpt2")).unwrap();
        let pruned =
            tool.prune_network(&["embed.weight", "blocks.0.ln1.weight"], 0.25, PruneScope::EachMatrix).unwrap();
        let paths: Vec<&str> = pruned.matrices.iter().map(|matrix| matrix.path.as_str()).collect();
        assert_eq!(paths, ["blocks.0.ln1.weight", "embed.weight"]);
        assert_eq!((pruned.matrices[0].pruned, pruned.matrices[0].of), (8, 32));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Sparsity::new(&fixture("gpt2")).unwrap();
        let said = |weights: &[&str], fraction| {
            tool.prune_network(weights, fraction, PruneScope::EachMatrix).unwrap_err().to_string()
        };
        assert_eq!(said(&["blocks.*"], 1.5), "sparsity: the fraction is 1.5; give a number above 0 and at most 1");
        assert_eq!(
            said(&["blocks.*.ln1.weight"], 0.5),
            "sparsity: no matrix of attention or an MLP fits `blocks.*.ln1.weight`; did you mean `blocks.0.ln1.weight`?"
        );
        assert_eq!(
            said(&["blocks.0.ln1.weight"], 0.001),
            "sparsity: the fraction is less than one weight; give a larger one"
        );
        assert_eq!(said(&[], 0.5), "sparsity: no weights are named; give at least one path or pattern");
    }
}
