//! Activation patching: one full forward a cell, and the tool, which shares work between cells.

use arrakis::models::{Edit, Tokens, site};
use arrakis::prelude::Tensor;
use arrakis::tools::intervene::activation_patching::{ActivationPatching, HeadSite, Patched, StreamSite};
use arrakis::tools::{Metric, Tool};

use super::case::{Case, compare};

/// A site in each layer.
type AtLayer = fn(usize) -> site::Site;

/// A variant of `transformer_lens.patching`, from a source into a target.
type Variant = fn(&ActivationPatching, &[u32], &[u32], &Metric) -> Patched;

const STREAMS: [(&str, Variant, AtLayer); 4] = [
    ("patch.resid_pre", |tool, from, to, metric| tool.resid_pre(from, to, metric).unwrap(), site::resid_pre),
    ("patch.resid_mid", |tool, from, to, metric| tool.resid_mid(from, to, metric).unwrap(), site::resid_mid),
    ("patch.attn_out", |tool, from, to, metric| tool.attn_out(from, to, metric).unwrap(), site::attn_out),
    ("patch.mlp_out", |tool, from, to, metric| tool.mlp_out(from, to, metric).unwrap(), site::mlp_out),
];

/// With the axis of heads.
const HEADS: [(&str, Variant, AtLayer, usize); 5] = [
    ("patch.head_out", |tool, from, to, metric| tool.attn_head_out_all_pos(from, to, metric).unwrap(), site::z, 2),
    ("patch.head_q", |tool, from, to, metric| tool.attn_head_q_all_pos(from, to, metric).unwrap(), site::q, 2),
    ("patch.head_k", |tool, from, to, metric| tool.attn_head_k_all_pos(from, to, metric).unwrap(), site::k, 2),
    ("patch.head_v", |tool, from, to, metric| tool.attn_head_v_all_pos(from, to, metric).unwrap(), site::v, 2),
    (
        "patch.head_pattern",
        |tool, from, to, metric| tool.attn_head_pattern_all_pos(from, to, metric).unwrap(),
        site::pattern,
        1,
    ),
];

/// Clean activations into the corrupted run (denoising), as `TransformerLens` patches.
#[test]
fn the_variants_in_every_cell() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted, metric) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"), case.metric());
        for (name, variant, _) in STREAMS.into_iter().filter(|(name, ..)| case.has(name)) {
            let found = variant(&tool, &clean, &corrupted, &metric);
            denoised(case, name, &found);
            untouched_before_the_difference(case, &found);
        }
        for (name, variant, ..) in HEADS.into_iter().filter(|(name, ..)| case.has(name)) {
            denoised(case, name, &variant(&tool, &clean, &corrupted, &metric));
        }
    });
}

#[test]
fn the_variant_in_every_head_and_position() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"));
        let heads = tool.attn_head_out_by_pos(&clean, &corrupted, &case.metric()).unwrap();
        let cells = (0..case.model.config().n_layers).flat_map(|layer| (0..clean.len()).map(move |pos| (layer, pos)));
        let values: Vec<f32> =
            cells.flat_map(|(layer, pos)| heads.iter().map(move |head| head.table.values[layer][pos])).collect();
        case.equal("patch.head_out_by_pos", &values);
        for head in &heads {
            untouched_before_the_difference(case, head);
        }
    });
}

/// The other way round: corrupted activations into the clean run.
#[test]
fn the_tool_noising() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted, metric) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"), case.metric());
        let stream = tool.by_position(&corrupted, &clean, &metric, StreamSite::ResidPre).unwrap();
        let heads = tool.by_head(&corrupted, &clean, &metric, HeadSite::Z).unwrap();
        for (found, expected) in [
            (&stream, positions(case, &corrupted, &clean, site::resid_pre)),
            (&heads, by_head(case, &corrupted, &clean, site::z, 2)),
        ] {
            case.equal("patch.corrupted_metric", &[found.source]);
            case.equal("patch.clean_metric", &[found.target]);
            compare(&case.name, &found.table.values.concat(), &expected);
        }
        untouched_before_the_difference(case, &stream);
    });
}

/// Each clean activation patched into the corrupted run, one full forward a cell.
#[test]
fn one_forward_a_cell() {
    Case::each(|case| {
        let (clean, corrupted) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"));
        for (name, _, at) in STREAMS.into_iter().filter(|(name, ..)| case.has(name)) {
            case.equal(name, &positions(case, &clean, &corrupted, at));
        }
        for (name, _, at, axis) in HEADS.into_iter().filter(|(name, ..)| case.has(name)) {
            case.equal(name, &by_head(case, &clean, &corrupted, at, axis));
        }
    });
}

/// The table is `TransformerLens`'s, and so are both ends; shares are of the way from corrupted to clean.
#[track_caller]
fn denoised(case: &Case, name: &str, found: &Patched) {
    case.equal("patch.clean_metric", &[found.source]);
    case.equal("patch.corrupted_metric", &[found.target]);
    case.equal_table(name, &found.table);
    let back: Vec<f32> = found
        .normalized()
        .values
        .concat()
        .iter()
        .map(|share| found.target + share * (found.source - found.target))
        .collect();
    case.equal(name, &back);
    let back: Vec<f32> = found.change().values.concat().iter().map(|change| found.target + change).collect();
    case.equal(name, &back);
}

/// Where the prompts still agree, from the first token on, there is nothing to patch: the metric keeps every bit.
#[track_caller]
fn untouched_before_the_difference(case: &Case, found: &Patched) {
    let (clean, corrupted) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"));
    let same = clean.iter().zip(&corrupted).take_while(|(a, b)| a == b).count();
    assert!(same > 0 && same < clean.len(), "{}", case.name);
    for row in &found.table.values {
        assert!(
            row[..same].iter().all(|value| value.to_bits() == found.target.to_bits()),
            "{}: {row:?} for {}",
            case.name,
            found.target
        );
    }
    let moved = found.table.values.iter().flatten().any(|value| (value - found.target).abs() > 1e-6);
    assert!(moved, "{}: {:?}", case.name, found.table.values);
}

fn positions(case: &Case, source: &[u32], target: &[u32], at: AtLayer) -> Vec<f32> {
    by_hand::<3>(case, source, target, at, 1, source.len())
}

fn by_head(case: &Case, source: &[u32], target: &[u32], at: AtLayer, axis: usize) -> Vec<f32> {
    by_hand::<4>(case, source, target, at, axis, case.model.config().n_heads)
}

/// `[layer, index]`: the metric of `target` with one index of one axis taken from `source`.
fn by_hand<const D: usize>(
    case: &Case,
    source: &[u32],
    target: &[u32],
    at: AtLayer,
    axis: usize,
    length: usize,
) -> Vec<f32> {
    let (source, target) = (Tokens::new(vec![source.to_vec()]).unwrap(), Tokens::new(vec![target.to_vec()]).unwrap());
    let (_, cache) = case.model.run_with_cache(&source, ["*"]).unwrap();
    let run = |layer: usize, index: usize| {
        let edit = patch_axis::<D>(cache.get(at(layer)).unwrap(), axis, index);
        let logits = case.model.run_with_hooks(&target, [(at(layer), edit)]).unwrap();
        case.metric().value(&case.model, &logits, &target).unwrap()
    };
    (0..case.model.config().n_layers)
        .flat_map(|layer| (0..length).map(move |index| (layer, index)))
        .map(|(layer, index)| run(layer, index))
        .collect()
}

/// Replaces one index of one axis by the same of `source`.
fn patch_axis<const D: usize>(source: Tensor<D>, axis: usize, index: usize) -> Edit {
    Edit::new(move |x: Tensor<D>| {
        let ranges: [std::ops::Range<usize>; D] =
            std::array::from_fn(|a| if a == axis { index..index + 1 } else { 0..x.dims()[a] });
        x.slice_assign(ranges.clone(), source.clone().slice(ranges))
    })
}
