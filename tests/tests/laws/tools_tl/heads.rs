//! Heads: composition, detection, patterns, ablation.

use arrakis::tools::Tool;
use arrakis::tools::intervene::ablation::{Ablation, AblationKind};
use arrakis::tools::observe::attention_patterns::AttentionPatterns;
use arrakis::tools::observe::head_detector::{ErrorMeasure, Exclude, HeadDetector, HeadKind, detection_pattern};
use arrakis::tools::weights::composer::{Composer, Composition};

use super::case::{Case, singles};

#[test]
fn composition_scores_agree() {
    Case::each(|case| {
        let tool = Composer::new(&case.model).unwrap();
        for (name, kind) in
            [("composition.Q", Composition::Q), ("composition.K", Composition::K), ("composition.V", Composition::V)]
        {
            case.equal_table(name, &tool.scores(kind).unwrap());
        }
    });
}

#[test]
fn detected_heads_agree() {
    Case::each(|case| {
        let tool = HeadDetector::new(&case.model).unwrap();
        let ids = case.ids("repeated_tokens");
        let excluded = [Exclude::Bos, Exclude::CurrentToken];
        for (name, kind) in [
            ("previous_token_head", HeadKind::PreviousToken),
            ("duplicate_token_head", HeadKind::DuplicateToken),
            ("induction_head", HeadKind::Induction),
        ] {
            case.equal(&format!("detect.{name}.pattern"), &singles(&detection_pattern(kind, &ids).concat()));
            for (suffix, measure, exclude) in [
                ("mul", ErrorMeasure::Mul, &[] as &[Exclude]),
                ("abs", ErrorMeasure::Abs, &[]),
                ("mul_excl", ErrorMeasure::Mul, &excluded),
            ] {
                case.equal_table(
                    &format!("detect.{name}.{suffix}"),
                    &tool.detect(&ids, kind, measure, exclude).unwrap(),
                );
            }
        }
    });
}

#[test]
fn attention_patterns_agree() {
    Case::each(|case| {
        let tool = AttentionPatterns::new(&case.model).unwrap();
        let by_layer = |layer: usize| {
            singles(&tool.patterns(case.ids("repeated_tokens"), layer).unwrap().patterns.concat().concat())
        };
        case.equal("repeated.pattern", &(0..case.model.config().n_layers).flat_map(by_layer).collect::<Vec<f32>>());
    });
}

#[test]
fn ablations_agree() {
    Case::each(|case| {
        let tool = Ablation::new(&case.model).unwrap();
        for (name, kind) in [("ablate.heads", AblationKind::Zero), ("ablate.heads_mean", AblationKind::Mean)] {
            let found = tool.heads(case.ids("clean_tokens"), &case.metric(), kind).unwrap();
            case.equal_table(name, &found.values);
            case.equal("patch.clean_metric", &singles(&[found.baseline]));
        }
    });
}
