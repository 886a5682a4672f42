//! Activation patching, done with one full forward per cell and with the tool, which shares work between cells.

use arrakis::models::{Edit, Tokens, site};
use arrakis::prelude::Tensor;
use arrakis::tools::intervene::activation_patching::{ActivationPatching, HeadSite, StreamSite};
use arrakis::tools::place::Place;
use arrakis::tools::{Scores, Tool};

use super::case::{Case, compare, singles};

/// The site in a layer.
type AtLayer = fn(usize) -> site::Site;

/// A variant of `transformer_lens.patching` over positions.
const STREAMS: [(&str, StreamSite, AtLayer); 4] = [
    ("patch.resid_pre", StreamSite::ResidPre, site::resid_pre),
    ("patch.resid_mid", StreamSite::ResidMid, site::resid_mid),
    ("patch.attn_out", StreamSite::AttnOut, site::attn_out),
    ("patch.mlp_out", StreamSite::MlpOut, site::mlp_out),
];

/// The same over heads, with the index of the head axis.
const HEADS: [(&str, HeadSite, AtLayer, usize); 5] = [
    ("patch.head_out", HeadSite::Z, site::z, 2),
    ("patch.head_q", HeadSite::Q, site::q, 2),
    ("patch.head_k", HeadSite::K, site::k, 2),
    ("patch.head_v", HeadSite::V, site::v, 2),
    ("patch.head_pattern", HeadSite::Pattern, site::pattern, 1),
];

/// Clean activations patched into the corrupted run (denoising), as in `TransformerLens`.
#[test]
fn every_variant_agrees_in_every_cell() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted, metric) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"), case.metric());
        let pair = tool.from(&clean).into(&corrupted).unwrap();
        for (name, at, _) in STREAMS.into_iter().filter(|(name, ..)| case.has(name)) {
            let found = pair.positions(at, &metric).unwrap();
            denoised(case, name, &found);
            untouched_before_the_difference(case, &found);
        }
        for (name, at, ..) in HEADS.into_iter().filter(|(name, ..)| case.has(name)) {
            denoised(case, name, &pair.heads_at(at, &metric).unwrap());
        }
    });
}

#[test]
fn the_variant_by_head_and_position_agrees() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"));
        let pair = tool.from(&clean).into(&corrupted).unwrap();
        let found = pair.head_positions(HeadSite::Z, &case.metric()).unwrap();
        let (heads, layers) = (case.model.config().n_heads, case.model.config().n_layers);
        // The reference is `[layer, position, head]`; ours is `[layer, head][position]`.
        let cells = (0..layers).flat_map(|layer| (0..clean.len()).map(move |pos| (layer, pos)));
        let values: Vec<f64> = cells
            .flat_map(|(layer, pos)| (0..heads).map(move |head| (layer * heads + head, pos)))
            .map(|(row, pos)| found.values.values[row][pos])
            .collect();
        case.equal("patch.head_out_by_pos", &singles(&values));
        untouched_before_the_difference(case, &found);
    });
}

/// The opposite direction: corrupted activations patched into the clean run.
#[test]
fn noising_with_the_tool_agrees() {
    Case::each(|case| {
        let tool = ActivationPatching::new(&case.model).unwrap();
        let (clean, corrupted, metric) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"), case.metric());
        let pair = tool.from(&corrupted).into(&clean).unwrap();
        let (stream, heads) = (pair.resid_pre(&metric).unwrap(), pair.heads(&metric).unwrap());
        let ends = [(stream.source, stream.baseline), (heads.source, heads.baseline)];
        for (source, target) in ends {
            case.equal("patch.corrupted_metric", &singles(&[source.unwrap()]));
            case.equal("patch.clean_metric", &singles(&[target]));
        }
        compare(
            &case.name,
            &singles(&stream.values.values.concat()),
            &positions(case, &corrupted, &clean, site::resid_pre),
        );
        compare(&case.name, &singles(&heads.values.values.concat()), &by_head(case, &corrupted, &clean, site::z, 2));
        untouched_before_the_difference(case, &stream);
    });
}

/// Each clean activation patched into the corrupted run, with one full forward per cell.
#[test]
fn patching_with_one_forward_per_cell_agrees() {
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

/// The table and both baselines agree with `TransformerLens`. Normalised values are fractions of the way from corrupted
/// to clean.
#[track_caller]
fn denoised<P: Place>(case: &Case, name: &str, found: &Scores<P>) {
    let source = found.source.unwrap();
    case.equal("patch.clean_metric", &singles(&[source]));
    case.equal("patch.corrupted_metric", &singles(&[found.baseline]));
    case.equal_table(name, &found.values);
    let shares = found.normalized().unwrap().values.concat();
    let back: Vec<f64> = shares.iter().map(|share| found.baseline + share * (source - found.baseline)).collect();
    case.equal(name, &singles(&back));
    let back: Vec<f64> = found.change().values.concat().iter().map(|change| found.baseline + change).collect();
    case.equal(name, &singles(&back));
}

/// From the first token until the prompts differ there is nothing to patch, so the metric keeps every bit.
#[track_caller]
fn untouched_before_the_difference<P: Place>(case: &Case, found: &Scores<P>) {
    let (clean, corrupted) = (case.ids("clean_tokens"), case.ids("corrupted_tokens"));
    let same = clean.iter().zip(&corrupted).take_while(|(a, b)| a == b).count();
    assert!(same > 0 && same < clean.len(), "{}", case.name);
    for row in &found.values.values {
        assert!(
            row[..same].iter().all(|value| value.to_bits() == found.baseline.to_bits()),
            "{}: {row:?} for {}",
            case.name,
            found.baseline
        );
    }
    let moved = found.change().values.iter().flatten().any(|change| change.abs() > 1e-6);
    assert!(moved, "{}: {:?}", case.name, found.values);
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
        case.metric().value(&case.model, &logits, &target).unwrap() as f32
    };
    (0..case.model.config().n_layers)
        .flat_map(|layer| (0..length).map(move |index| (layer, index)))
        .map(|(layer, index)| run(layer, index))
        .collect()
}

/// Replaces one index of one axis by that of `source`.
fn patch_axis<const D: usize>(source: Tensor<D>, axis: usize, index: usize) -> Edit {
    Edit::new(move |x: Tensor<D>| {
        let ranges: [std::ops::Range<usize>; D] =
            std::array::from_fn(|a| if a == axis { index..index + 1 } else { 0..x.dims()[a] });
        x.slice_assign(ranges.clone(), source.clone().slice(ranges))
    })
}
