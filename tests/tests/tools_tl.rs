//! The tools against `TransformerLens` 3.2.1's `HookedTransformer`, on four tiny checkpoints, unprocessed weights;
//! and their identities on a checkpoint of every family.
//!
//! `tests/fixtures/tl/<case>/reference.json` says what every tensor is. A number counts as equal within
//! 1e-4 plus 1e-4 of its size.

#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use std::path::Path;

use arrakis::models::device;
use arrakis::models::model::LoadOptions;
use arrakis::models::{Edit, HookedAutoModel, HookedTransformer, IntoTokens, Plan, Tokens, site};
use arrakis::tools::ablation::{Ablation, AblationKind};
use arrakis::tools::attention_patterns::AttentionPatterns;
use arrakis::tools::attribution_patching::AttributionPatching;
use arrakis::tools::direct_logit_attribution::DirectLogitAttribution;
use arrakis::tools::head_detector::{ErrorMeasure, Exclude, HeadDetector, HeadKind, detection_pattern};
use arrakis::tools::logit_lens::LogitLens;
use arrakis::tools::residual::{Mode, ResidStack, ResidualDecomposition, Residuals};
use arrakis::tools::write_read::{Composition, WriteRead};
use arrakis::tools::{Metric, ScoreTable};
use arrakis::prelude::Tensor;
use safetensors::SafeTensors;
use serde_json::Value;

const CASES: [&str; 4] = ["gpt2", "gpt_neo", "gpt_neox", "llama"];

/// A site in each layer.
type AtLayer = fn(usize) -> site::Site;

/// One checkpoint with what `TransformerLens` says of it.
struct Case {
    name: &'static str,
    model: HookedTransformer,
    reference: Value,
    analysis: Vec<u8>,
    cache: Vec<u8>,
}

impl Case {
    fn load(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tl").join(name);
        let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
        Self {
            name,
            model: load(&folder),
            reference: serde_json::from_slice(&read("reference.json")).unwrap(),
            analysis: read("tl_analysis.safetensors"),
            cache: read("tl_cache.safetensors"),
        }
    }

    fn each(check: impl Fn(&Self)) {
        for name in CASES {
            check(&Self::load(name));
        }
    }

    fn ids(&self, input: &str) -> Vec<u32> {
        self.reference["inputs"][input].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    }

    fn batch(&self) -> Tokens {
        let rows = self.reference["inputs"]["input_ids"].as_array().unwrap();
        let row = |row: &Value| row.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        Tokens::new(rows.iter().map(row).collect()).unwrap()
    }

    fn pair(&self) -> (u32, u32) {
        let id = |name: &str| self.reference["inputs"][name].as_u64().unwrap() as u32;
        (id("answer"), id("wrong"))
    }

    fn metric(&self) -> Metric {
        let (answer, wrong) = self.pair();
        Metric::logit_diff(answer, wrong)
    }

    fn labels(&self, of: &str) -> Vec<String> {
        self.reference["labels"][of].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned()).collect()
    }

    /// Values and shape of `raw/<name>`.
    fn expected(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        numbers(&self.analysis, &format!("raw/{name}")).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    fn has(&self, name: &str) -> bool {
        numbers(&self.analysis, &format!("raw/{name}")).is_some()
    }

    #[track_caller]
    fn equal(&self, name: &str, actual: &[f32]) {
        compare(&format!("{} {name}", self.name), actual, &self.expected(name).0);
    }

    #[track_caller]
    fn equal_tensor<const D: usize>(&self, name: &str, actual: Tensor<D>) {
        let dims = actual.dims().to_vec();
        assert_eq!(dims, self.expected(name).1, "{} {name}: shape", self.name);
        self.equal(name, &device::read(actual).unwrap());
    }

    #[track_caller]
    fn equal_stack(&self, name: &str, actual: &ResidStack) {
        assert_eq!(actual.labels, self.labels(name.trim_end_matches("_ln")), "{} {name}: labels", self.name);
        self.equal_tensor(name, actual.values.clone());
    }

    #[track_caller]
    fn equal_table(&self, name: &str, actual: &ScoreTable) {
        self.equal(name, &actual.values.concat());
    }

    fn residuals(&self) -> Residuals {
        ResidualDecomposition::new(&self.model).run(self.batch()).unwrap()
    }
}

fn load(folder: &Path) -> HookedTransformer {
    let options = LoadOptions { device: Some("cpu".into()), quiet: true };
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

fn numbers(file: &[u8], name: &str) -> Option<(Vec<f32>, Vec<usize>)> {
    let file = SafeTensors::deserialize(file).unwrap();
    let view = file.tensor(name).ok()?;
    let values = view.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    Some((values, view.shape().to_vec()))
}

#[track_caller]
fn compare(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: how many");
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        let same = a == e || (a - e).abs() <= 1e-4 + 1e-4 * e.abs();
        assert!(same, "{what}[{index}]: {a}, TransformerLens has {e}");
    }
}

#[test]
fn every_activation() {
    Case::each(|case| {
        let (logits, cache) = case.model.run_with_cache(case.batch(), ["*"]).unwrap();
        compare(case.name, &device::read(logits).unwrap(), &numbers(&case.cache, "raw/logits").unwrap().0);
        for name in case.reference["hook_names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()) {
            // What the unembedding reads is the final norm's output, which the vocabulary has no name for.
            if name == "unembed.hook_in" || name == "logits" {
                continue;
            }
            let (expected, shape) = numbers(&case.cache, &format!("raw/{name}")).unwrap();
            let found = cache.activation(name).unwrap();
            assert_eq!(found.dims(), shape, "{} {name}: shape", case.name);
            compare(&format!("{} {name}", case.name), &found.to_vec().unwrap(), &expected);
        }
    });
}

#[test]
fn decompositions_of_the_residual_stream() {
    Case::each(|case| {
        let run = case.residuals();
        let parts = run.decompose_resid(None, Mode::All).unwrap();
        case.equal_stack("decompose_resid", &parts);
        case.equal_stack("decompose_resid_ln", &run.apply_ln(&parts, None, false).unwrap());
        case.equal_stack("stack_head_results", &run.stack_head_results(None, true).unwrap());
        case.equal_stack("full_resid_decomposition", &run.full_decomposition(None).unwrap());
    });
}

#[test]
fn the_accumulated_stream() {
    Case::each(|case| {
        let run = case.residuals();
        let stream = run.accumulated_resid(None, true).unwrap();
        case.equal_stack("accumulated_resid", &stream);
        case.equal_stack("accumulated_resid_ln", &run.apply_final_norm(&stream));
    });
}

#[test]
fn the_logit_lens() {
    Case::each(|case| {
        let steps = LogitLens::new(&case.model).logits(case.batch()).unwrap();
        let wanted = case.labels("accumulated_resid");
        assert!(wanted.iter().eq(steps.iter().map(|(label, _)| label)), "{}", case.name);
        let last = |(_, logits): (String, Tensor<3>)| {
            let [_, pos, _] = logits.dims();
            device::read(logits.narrow(1, pos - 3, 3)).unwrap()
        };
        case.equal("logit_lens", &steps.into_iter().flat_map(last).collect::<Vec<f32>>());
    });
}

/// The reference is `[component, batch, scale]`: every row with the norm's scale of every row. Ours are its diagonal.
#[test]
fn logit_attributions() {
    Case::each(|case| {
        let run = case.residuals();
        let (answer, wrong) = case.pair();
        for (name, stack) in [("logit_attrs", run.decompose_resid(None, Mode::All)), ("logit_attrs_heads", run.stack_head_results(None, true))] {
            let attrs = run.logit_attrs(&stack.unwrap(), &[answer], Some(&[wrong])).unwrap();
            let [components, batch, pos] = attrs.dims();
            let (expected, shape) = case.expected(name);
            assert_eq!(shape, [components, batch, batch], "{} {name}: shape", case.name);
            let diagonal: Vec<f32> = (0..components * batch).map(|index| expected[index * batch + index % batch]).collect();
            compare(&format!("{} {name}", case.name), &device::read(attrs.narrow(2, pos - 1, 1)).unwrap(), &diagonal);
        }
    });
}

#[test]
fn composition_scores() {
    Case::each(|case| {
        let tool = WriteRead::new(&case.model);
        for (name, kind) in [("composition.Q", Composition::Q), ("composition.K", Composition::K), ("composition.V", Composition::V)] {
            case.equal(name, &tool.composition(kind).unwrap().concat().concat().concat());
        }
    });
}

#[test]
fn detected_heads() {
    Case::each(|case| {
        let tool = HeadDetector::new(&case.model);
        let ids = case.ids("repeated_tokens");
        let excluded = Exclude { bos: true, current_token: true };
        for (name, kind) in [("previous_token_head", HeadKind::PreviousToken), ("duplicate_token_head", HeadKind::DuplicateToken), ("induction_head", HeadKind::Induction)] {
            case.equal(&format!("detect.{name}.pattern"), &detection_pattern(kind, &ids).concat());
            for (suffix, measure, exclude) in [("mul", ErrorMeasure::Mul, Exclude::default()), ("abs", ErrorMeasure::Abs, Exclude::default()), ("mul_excl", ErrorMeasure::Mul, excluded)] {
                case.equal_table(&format!("detect.{name}.{suffix}"), &tool.detect(&ids, kind, measure, exclude).unwrap());
            }
        }
    });
}

#[test]
fn attention_patterns() {
    Case::each(|case| {
        let tool = AttentionPatterns::new(&case.model);
        let by_layer = |layer: usize| tool.patterns(case.ids("repeated_tokens"), layer).unwrap().pattern.concat().concat();
        case.equal("repeated.pattern", &(0..case.model.config().n_layers).flat_map(by_layer).collect::<Vec<f32>>());
    });
}

#[test]
fn ablations() {
    Case::each(|case| {
        let tool = Ablation::new(&case.model);
        for (name, kind) in [("ablate.heads", AblationKind::Zero), ("ablate.heads_mean", AblationKind::Mean)] {
            let found = tool.heads(case.ids("clean_tokens"), &case.metric(), &kind).unwrap();
            case.equal_table(name, &found.ablated);
            case.equal("patch.clean_metric", &[found.clean]);
        }
    });
}

#[test]
fn losses() {
    Case::each(|case| {
        let tokens = case.batch();
        let logits = case.model.forward(&tokens).unwrap();
        case.equal("loss", &[Metric::loss().value(&case.model, &logits, &tokens).unwrap()]);
        case.equal_tensor("loss_per_token", case.model.loss_per_token(logits, &tokens).unwrap());
    });
}

#[test]
fn gradients_at_every_site() {
    Case::each(|case| {
        let tokens = case.ids("clean_tokens").into_tokens(&case.model).unwrap();
        let hooks: Vec<String> = case.reference["shapes"].as_object().unwrap().keys().filter_map(|key| key.strip_prefix("raw/grad.")).map(str::to_owned).collect();
        assert!(hooks.len() > 6 * case.model.config().n_layers, "{hooks:?}");
        let plan = hooks.iter().fold(Plan::new(), |plan, hook| plan.grad(hook.as_str()));
        let outcome = case.model.run(&tokens, plan).unwrap();
        let metric = case.metric().tensor(&case.model, &outcome.output, &tokens).unwrap();
        let gradients = outcome.gradients(metric).unwrap();
        for hook in &hooks {
            let found = gradients.activation(hook).unwrap();
            assert_eq!(found.dims(), case.expected(&format!("grad.{hook}")).1, "{} {hook}: shape", case.name);
            case.equal(&format!("grad.{hook}"), &found.to_vec().unwrap());
        }
    });
}

/// Each clean activation patched into the corrupted run, one full forward a cell.
#[test]
fn patched_streams() {
    Case::each(|case| {
        let (clean, corrupted) = (case.ids("clean_tokens"), Tokens::new(vec![case.ids("corrupted_tokens")]).unwrap());
        let (_, cache) = case.model.run_with_cache(&clean, ["*"]).unwrap();
        let metric = case.metric();
        let run = |site: site::Site, edit: Edit| {
            let logits = case.model.run_with_hooks(&corrupted, [(site, edit)]).unwrap();
            metric.value(&case.model, &logits, &corrupted).unwrap()
        };
        case.equal("patch.corrupted_metric", &[metric.value(&case.model, &case.model.forward(&corrupted).unwrap(), &corrupted).unwrap()]);
        let by_pos: [(&str, AtLayer); 4] = [("resid_pre", site::resid_pre), ("resid_mid", site::resid_mid), ("attn_out", site::attn_out), ("mlp_out", site::mlp_out)];
        for (name, at) in by_pos.into_iter().filter(|(name, _)| case.has(&format!("patch.{name}"))) {
            let cells = (0..case.model.config().n_layers).flat_map(|layer| (0..clean.len()).map(move |pos| (layer, pos)));
            let values: Vec<f32> = cells.map(|(layer, pos)| run(at(layer), patch_axis::<3>(cache.get(at(layer)).unwrap(), 1, pos))).collect();
            case.equal(&format!("patch.{name}"), &values);
        }
        let by_head: [(&str, AtLayer, usize); 5] = [("head_out", site::z, 2), ("head_q", site::q, 2), ("head_k", site::k, 2), ("head_v", site::v, 2), ("head_pattern", site::pattern, 1)];
        for (name, at, axis) in by_head.into_iter().filter(|(name, ..)| case.has(&format!("patch.{name}"))) {
            let cells = (0..case.model.config().n_layers).flat_map(|layer| (0..case.model.config().n_heads).map(move |head| (layer, head)));
            let values: Vec<f32> = cells.map(|(layer, head)| run(at(layer), patch_axis::<4>(cache.get(at(layer)).unwrap(), axis, head))).collect();
            case.equal(&format!("patch.{name}"), &values);
        }
    });
}

/// Replaces one index of one axis by the same of `source`.
fn patch_axis<const D: usize>(source: Tensor<D>, axis: usize, index: usize) -> Edit {
    Edit::new(move |x: Tensor<D>| {
        let ranges: [std::ops::Range<usize>; D] = std::array::from_fn(|a| if a == axis { index..index + 1 } else { 0..x.dims()[a] });
        x.slice_assign(ranges.clone(), source.clone().slice(ranges))
    })
}

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

/// Every checkpoint of `tests/fixtures/parity` with a vocabulary the prompt fits.
fn each_family(check: impl Fn(&str, &HookedTransformer)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity");
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("config.json").is_file()).collect();
    folders.sort();
    assert!(folders.len() >= 20, "{folders:?}");
    for folder in folders {
        check(&folder.file_name().unwrap().to_string_lossy(), &load(&folder));
    }
}

#[test]
fn contributions_add_up_to_the_logit_in_every_family() {
    each_family(|name, model| {
        let found = DirectLogitAttribution::new(model).logit(PROMPT, 63, 4).unwrap();
        let logits = device::read(model.forward(PROMPT).unwrap()).unwrap();
        let actual = logits[4 * model.config().d_vocab + 63];
        let cap = |cap: f64| (cap * (f64::from(found.sum()) / cap).tanh()) as f32;
        let sum = model.config().final_softcap.map_or(found.sum(), cap);
        assert!((sum - actual).abs() <= 1e-4 * actual.abs().max(1.0), "{name}: {sum} for {actual}");
        assert_eq!(found.before_softcap, model.config().final_softcap.is_some(), "{name}");
        // The tool itself checks that neurons and bias are the whole MLP.
        let neurons = DirectLogitAttribution::new(model).neurons(PROMPT, 63, 4, 0, 3);
        assert_eq!(neurons.is_ok(), model.config().experts.is_none(), "{name}: {neurons:?}");
    });
}

#[test]
fn decompositions_add_up_to_the_stream_in_every_family() {
    each_family(|name, model| {
        let run = ResidualDecomposition::new(model).run(PROMPT).unwrap();
        let whole = run.accumulated_resid(None, true).unwrap().component("final_post").unwrap();
        for stack in [run.decompose_resid(None, Mode::All), run.full_decomposition(None), run.stack_head_results(None, true)] {
            let apart = device::read((stack.unwrap().sum() - whole.clone()).abs().max()).unwrap()[0];
            assert!(apart <= 1e-5, "{name}: {apart}");
        }
    });
}

#[test]
fn the_last_lens_is_the_models_logits_to_the_bit_in_every_family() {
    each_family(|name, model| {
        let (_, last) = LogitLens::new(model).logits(PROMPT).unwrap().pop().unwrap();
        let bits = |logits: Tensor<3>| device::read(logits).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert!(bits(last) == bits(model.forward(PROMPT).unwrap()), "{name}");
    });
}

#[test]
fn ablation_attribution_and_circuits_run_in_every_family() {
    each_family(|name, model| {
        let tables = [
            Ablation::new(model).heads(PROMPT, &Metric::loss(), &AblationKind::Mean).unwrap().effect(),
            AttributionPatching::new(model).heads(PROMPT, [34, 17, 30, 49, 82], &Metric::loss()).unwrap(),
            WriteRead::new(model).flow(0, 1).unwrap().share,
        ];
        for table in tables {
            let values = table.values.concat();
            assert!(values.iter().all(|value| value.is_finite()) && values.iter().any(|value| *value != 0.0), "{name}: {table:?}");
        }
        let heads = WriteRead::new(model).write_heads(0).unwrap();
        assert!(heads.len() == model.config().n_heads && heads.iter().all(|head| head.head < model.config().n_heads), "{name}");
    });
}
