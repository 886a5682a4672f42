//! Decompositions of the residual stream, the logit lens and direct logit attribution.

use arrakis::models::device;
use arrakis::prelude::Tensor;
use arrakis::tools::Tool;
use arrakis::tools::attribute::residual_decomposition::{Depths, NormBefore, Parts, Remainder};
use arrakis::tools::lenses::logit_lens::LogitLens;

use super::case::{Case, compare};

#[test]
fn decompositions_of_the_residual_stream_agree() {
    Case::each(|case| {
        let run = case.residuals();
        let parts = run.decompose_resid(-1, Parts::All).unwrap();
        case.equal_stack("decompose_resid", &parts);
        case.equal_stack("decompose_resid_ln", &run.apply_ln(&parts, NormBefore::Unembedding).unwrap());
        case.equal_stack("stack_head_results", &run.stack_head_results(-1, Remainder::With).unwrap());
        case.equal_stack("full_resid_decomposition", &run.full_decomposition(-1).unwrap());
    });
}

#[test]
fn the_accumulated_stream_agrees() {
    Case::each(|case| {
        let run = case.residuals();
        let stream = run.accumulated_resid(-1, Depths::BlocksAndMiddles).unwrap();
        case.equal_stack("accumulated_resid", &stream);
        case.equal_stack("accumulated_resid_ln", &run.apply_final_norm(&stream));
    });
}

#[test]
fn the_logit_lens_agrees() {
    Case::each(|case| {
        let steps = LogitLens::new(&case.model).unwrap().logits(case.batch()).unwrap();
        let wanted = case.labels("accumulated_resid");
        assert!(wanted.iter().eq(steps.iter().map(|(label, _)| label)), "{}", case.name);
        let last = |(_, logits): (String, Tensor<3>)| {
            let [_, pos, _] = logits.dims();
            device::read(logits.narrow(1, pos - 3, 3)).unwrap()
        };
        case.equal("logit_lens", &steps.into_iter().flat_map(last).collect::<Vec<f32>>());
    });
}

/// The reference is `[component, batch, scale]`: every row with every row's norm scale. Ours is its diagonal.
#[test]
fn logit_attributions_agree() {
    Case::each(|case| {
        let run = case.residuals();
        let (answer, wrong) = case.pair();
        for (name, stack) in [
            ("logit_attrs", run.decompose_resid(-1, Parts::All)),
            ("logit_attrs_heads", run.stack_head_results(-1, Remainder::With)),
        ] {
            let attrs = run.logit_diff_attrs(&stack.unwrap(), [answer], [wrong]).unwrap();
            let [components, batch, pos] = attrs.dims();
            let Some((expected, shape)) = case.expected(name) else { continue };
            // For a single row the reference has no second axis.
            assert!(
                shape == [components, batch, batch] || batch == 1 && shape == [components, 1],
                "{} {name}: {shape:?}",
                case.name
            );
            let diagonal: Vec<f32> =
                (0..components * batch).map(|index| expected[index * batch + index % batch]).collect();
            compare(&format!("{} {name}", case.name), &device::read(attrs.narrow(2, pos - 1, 1)).unwrap(), &diagonal);
        }
    });
}
