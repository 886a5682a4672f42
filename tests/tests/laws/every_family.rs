//! Tools that read a site or the stream, on a checkpoint of every family.

use std::path::Path;

use arrakis::models::{HookedAutoModel, HookedTransformer, LoadOptions, Side, Tokens};
use arrakis::prelude::{PruneScope, ResidualDecomposition, Sparsity, Superposition, WriteRead};
use arrakis::tools::{Metric, Tool};

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

fn each_family(mut check: impl FnMut(&str, &HookedTransformer)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity");
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("config.json").is_file());
    folders.sort();
    assert!(folders.len() >= 40, "{folders:?}");
    for folder in folders {
        let options = LoadOptions::new().device("cpu").quiet();
        let model = HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap();
        check(&folder.file_name().unwrap().to_string_lossy(), &model);
    }
}

/// Rows of three lengths, as one padded batch. BERT pads on the right.
fn batch(model: &HookedTransformer) -> [Tokens; 1] {
    let side = if model.config().bidirectional { Side::Right } else { Side::Left };
    let rows = [PROMPT.to_vec(), vec![5, 61], vec![7, 34, 80]];
    [Tokens::padded(&rows, side, 0).unwrap()]
}

#[test]
fn activations_are_counted_and_neurons_ranked_or_refused() {
    each_family(|name, model| {
        let tool = Sparsity::new(model).unwrap();
        let found = tool.compute_activation_sparsity(batch(model), "*.post", 0.1).unwrap();
        let experts = model.config().experts.map_or(1, |own| own.count + usize::from(own.shared.is_some()));
        assert_eq!(found.len(), model.config().n_layers * experts, "{name}");
        for site in &found {
            assert_eq!(site.tokens, 10, "{name}: padding is left out");
            let pairs = site.zero.iter().zip(&site.near_zero);
            assert!(pairs.into_iter().all(|(zero, near)| 0.0 <= *zero && zero <= near && *near <= 1.0), "{name}");
        }
        let neurons = tool.find_polysemantic_neurons(batch(model), -1, 4);
        assert_eq!(neurons.is_err(), model.config().experts.is_some(), "{name}");
        assert!(neurons.map_or(true, |found| found.values[0].iter().all(|n| (0.0..4.0 + 1e-9).contains(n))), "{name}");
    });
}

#[test]
fn pruning_meets_its_fraction_and_leaves_the_model() {
    each_family(|name, model| {
        let tool = Sparsity::new(model).unwrap();
        let pruned = tool.prune_network(&["blocks.*"], 0.25, PruneScope::AllTogether).unwrap();
        assert!((pruned.fraction() - 0.25).abs() < 1e-3, "{name}: {}", pruned.fraction());
        let norms = |model: &HookedTransformer| -> Vec<(String, Vec<f32>)> {
            let vectors = model.parameters().into_iter().filter(|(_, own)| own.dims().len() == 1);
            vectors.map(|(path, own)| (path, own.to_vec().unwrap())).collect()
        };
        assert_eq!(norms(&pruned.model), norms(model), "{name}");
        assert_ne!(pruned.model.fingerprint().unwrap(), model.fingerprint().unwrap(), "{name}");
        assert_eq!(pruned.undo().fingerprint().unwrap(), model.fingerprint().unwrap(), "{name}");
    });
}

#[test]
fn components_of_the_stream_project_and_reconstruct() {
    each_family(|name, model| {
        let (tool, site) = (Superposition::new(model).unwrap(), "blocks.0.resid_post");
        let covariance = tool.compute_activation_covariance(batch(model), site).unwrap();
        let activations = tool.activations(batch(model), site).unwrap();
        assert_eq!((covariance.count(), activations.len()), (10, 10), "{name}");
        let basis = tool.disentangle_superposition(&covariance, covariance.mean().len()).unwrap();
        let back = basis.reconstruct_activations(&basis.project_activations(&activations).unwrap()).unwrap();
        let apart = back.concat().iter().zip(activations.concat()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-6, "{name}: {apart}");
    });
}

#[test]
fn features_of_the_stream_are_attributed_and_attention_is_rolled_out() {
    each_family(|name, model| {
        let found = ResidualDecomposition::new(model).unwrap();
        let found = found.feature_attribution(PROMPT, &Metric::logit(63)).unwrap();
        assert_eq!(found.len(), model.config().n_layers + 1, "{name}");
        let top = found.top_features("1_pre", 0, -1, 3).unwrap();
        assert!(top.iter().all(|(_, value)| value.is_finite() && *value != 0.0), "{name}: {top:?}");
        for row in WriteRead::new(model).unwrap().rollout(PROMPT).unwrap().values {
            let sum: f64 = row.iter().sum();
            // A sink takes a part of each row.
            let whole = (sum - 1.0).abs() < 1e-5 || (model.config().attn_sinks && sum > 0.0 && sum < 1.0);
            assert!(whole && row.iter().all(|entry| *entry >= 0.0), "{name}: {row:?}");
        }
    });
}
