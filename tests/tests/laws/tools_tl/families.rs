//! Identities of the tools that hold in every family without a reference.

use arrakis::models::{HookedTransformer, device};
use arrakis::prelude::Tensor;
use arrakis::tools::attribute::attribution_patching::AttributionPatching;
use arrakis::tools::attribute::direct_logit_attribution::DirectLogitAttribution;
use arrakis::tools::attribute::residual_decomposition::{Depths, Parts, Remainder, ResidualDecomposition};
use arrakis::tools::intervene::ablation::{Ablation, AblationKind};
use arrakis::tools::lenses::logit_lens::LogitLens;
use arrakis::tools::weights::write_read::WriteRead;
use arrakis::tools::{Metric, Tool};

use super::case::{fixtures, load};

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

/// Every checkpoint of `tests/fixtures/parity` with a vocabulary the prompt fits.
fn each_family(check: impl Fn(&str, &HookedTransformer)) {
    let mut folders: Vec<_> = std::fs::read_dir(fixtures("parity"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.json").is_file())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20, "{folders:?}");
    for folder in folders {
        check(&folder.file_name().unwrap().to_string_lossy(), &load(&folder));
    }
}

#[test]
fn contributions_add_up_to_the_logit_in_every_family() {
    each_family(|name, model| {
        if !model.net().is_additive() {
            assert!(
                DirectLogitAttribution::new(model).unwrap().components(PROMPT, &Metric::logit(63)).is_err(),
                "{name}: its stream is not a sum"
            );
            return;
        }
        let found = DirectLogitAttribution::new(model).unwrap().components(PROMPT, &Metric::logit(63)).unwrap();
        let logits = device::read(model.forward(PROMPT).unwrap()).unwrap();
        let actual = f64::from(logits[4 * model.config().d_vocab + 63]);
        let cap = |cap: f64| cap * (found.sum() / cap).tanh();
        let sum = model.config().final_softcap.map_or(found.sum(), cap);
        assert!((sum - actual).abs() <= 1e-4 * actual.abs().max(1.0), "{name}: {sum} for {actual}");
        assert_eq!(found.before_softcap, model.config().final_softcap.is_some(), "{name}");
        // The tool itself checks that neurons and bias add up to the whole MLP.
        let neurons = DirectLogitAttribution::new(model).unwrap().neurons(PROMPT, 0, &Metric::logit(63));
        assert_eq!(neurons.is_ok(), model.config().experts.is_none(), "{name}: {neurons:?}");
    });
}

#[test]
fn decompositions_add_up_to_the_stream_in_every_family() {
    each_family(|name, model| {
        if !model.net().is_additive() {
            assert!(ResidualDecomposition::new(model).unwrap().run(PROMPT).is_err(), "{name}: its stream is not a sum");
            return;
        }
        let run = ResidualDecomposition::new(model).unwrap().run(PROMPT).unwrap();
        let whole = run.accumulated_resid(-1, Depths::BlocksAndMiddles).unwrap().component("final_post").unwrap();
        for stack in [
            run.decompose_resid(-1, Parts::All),
            run.full_decomposition(-1),
            run.stack_head_results(-1, Remainder::With),
        ] {
            let apart = device::read((stack.unwrap().sum() - whole.clone()).abs().max()).unwrap()[0];
            assert!(apart <= 1e-5, "{name}: {apart}");
        }
    });
}

#[test]
fn the_last_lens_equals_the_models_logits_to_the_bit_in_every_family() {
    each_family(|name, model| {
        let (_, last) = LogitLens::new(model).unwrap().logits(PROMPT).unwrap().pop().unwrap();
        let bits = |logits: Tensor<3>| device::read(logits).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert!(bits(last) == bits(model.forward(PROMPT).unwrap()), "{name}");
    });
}

#[test]
fn ablation_attribution_and_circuits_run_in_every_family() {
    each_family(|name, model| {
        // An encoder has no next-token loss.
        let metric = if model.config().bidirectional { Metric::log_prob(63) } else { Metric::loss() };
        let gradient = AttributionPatching::new(model).unwrap();
        let gradient = gradient.from(PROMPT).into([34, 17, 30, 49, 82]).unwrap();
        let ablation = Ablation::new(model).unwrap();
        let tables = [
            ablation.heads(PROMPT, &metric, AblationKind::Mean).unwrap().change().values.concat(),
            gradient.heads(&metric).unwrap().change().values.concat(),
            WriteRead::new(model).unwrap().flow(0, 1).unwrap().share.values.concat(),
        ];
        for values in tables {
            assert!(
                values.iter().all(|value| value.is_finite()) && values.iter().any(|value| *value != 0.0),
                "{name}: {values:?}"
            );
        }
        let heads = WriteRead::new(model).unwrap().write_heads(0).unwrap();
        assert_eq!(heads.columns.len(), model.config().n_heads, "{name}");
    });
}
