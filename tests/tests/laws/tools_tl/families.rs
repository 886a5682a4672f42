//! Identities of the tools that hold in every family without a reference.

use arrakis::models::{HookedTransformer, device};
use arrakis::prelude::Tensor;
use arrakis::tools::attribute::attribution_patching::AttributionPatching;
use arrakis::tools::attribute::direct_logit_attribution::DirectLogitAttribution;
use arrakis::tools::attribute::residual_decomposition::{Depths, Parts, Remainder, ResidualDecomposition};
use arrakis::tools::intervene::ablation::{Ablation, AblationKind};
use arrakis::tools::intervene::merge_heads::MergeHeads;
use arrakis::tools::intervene::path_patching::{HeadInput, PathPatching, Receiver, Sender, Through};
use arrakis::tools::lenses::logit_lens::LogitLens;
use arrakis::tools::observe::attention_patterns::AttentionPatterns;
use arrakis::tools::weights::composer::{Composer, Composition};
use arrakis::tools::weights::kg_extractor::{Circuit, CircuitSide, KgExtractor};
use arrakis::tools::weights::write_read::WriteRead;
use arrakis::tools::{Metric, Tool};

use super::case::{fixtures, load};

pub(super) const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

/// Every checkpoint of `tests/fixtures/parity` with a vocabulary the prompt fits.
pub(super) fn each_family(check: impl Fn(&str, &HookedTransformer)) {
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
        // As well as that the positions of a layer add up to its heads.
        DirectLogitAttribution::new(model).unwrap().sources(PROMPT, &Metric::logit(63)).unwrap();
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
fn everything_sent_straight_to_the_logits_is_the_source_run_in_every_family() {
    each_family(|name, model| {
        let (config, paths) = (model.config(), PathPatching::new(model).unwrap());
        let heads =
            (0..config.n_layers).flat_map(|layer| (0..config.n_heads).map(move |head| Sender::head(layer, head)));
        let all = heads.chain((0..config.n_layers).map(Sender::mlp)).chain([Sender::resid(0)]);
        let pair = paths.from([34, 17, config.d_vocab as u32 - 1, 49, 82]).into(PROMPT).unwrap();
        let found = pair.together(all, [Receiver::logits()], Through::Stream, &Metric::log_prob(63)).unwrap();
        let (value, source) = (found.values.values[0][0], found.source.unwrap());
        assert!((value - source).abs() <= 1e-4 * source.abs().max(1.0), "{name}: {value} for {source}");
        assert!((found.baseline - source).abs() > 1e-4, "{name}: the prompts do not differ");
    });
}

#[test]
fn paths_composed_heads_and_relations_run_in_every_family() {
    each_family(|name, model| {
        let metric = Metric::logit_diff(63, 25);
        let paths = PathPatching::new(model).unwrap();
        let pair = paths.from([34, 17, 30, 49, 82]).into(PROMPT).unwrap();
        let composer = Composer::new(model).unwrap();
        let composed = composer.composed_logits(PROMPT, &metric);
        assert_eq!(composed.is_ok(), model.net().is_additive(), "{name}: {composed:?}");
        let mut tables = vec![composer.scores(Composition::K).unwrap().values.concat()];
        tables.extend(composed.ok().map(|found| found.values.concat()));
        let reads = |input| Receiver::head(-1, 0, input);
        let receivers = [reads(HeadInput::Query), reads(HeadInput::Value), Receiver::mlp(-1)];
        tables.push(pair.heads(receivers, Through::Mlps, &metric).unwrap().change().values.concat());
        tables.push(pair.head_pairs(HeadInput::Key, Through::Stream, &metric).unwrap().change().values.concat());
        tables.push(pair.head_pairs(HeadInput::All, Through::Stream, &metric).unwrap().change().values.concat());
        let extractor = KgExtractor::new(model).unwrap();
        for circuit in [Circuit::Qk, Circuit::Ov] {
            let subspaces = extractor.subspaces(-1, circuit, 3).unwrap();
            let batch = vec![PROMPT.to_vec(), vec![82, 49, 29, 17, 34]];
            let projected = extractor.project_tokens(batch.clone(), &subspaces, CircuitSide::Left).unwrap();
            assert_eq!(projected.dims(), [2, 5, model.config().n_heads, 3], "{name}");
            let found = extractor.relations(batch, &subspaces, f64::MIN, 50, 0);
            let readable = circuit == Circuit::Qk || model.net().transform.is_none();
            assert_eq!(found.is_ok(), readable, "{name}: {found:?}");
            tables.extend(found.ok().map(|found| found.iter().map(|relation| relation.z).collect()));
        }
        let merged = MergeHeads::new(model).unwrap().pairs(PROMPT, 0, 0.5, &metric).unwrap();
        tables.push(merged.change().values.concat());
        tables.push(AttentionPatterns::new(model).unwrap().statistics(PROMPT).unwrap().entropy.values.concat());
        for values in tables {
            assert!(
                values.iter().all(|value| value.is_finite()) && values.iter().any(|value| *value != 0.0),
                "{name}: {values:?}"
            );
        }
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
