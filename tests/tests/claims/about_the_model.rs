//! Claims about where the embedded model keeps names and years. Two of them are false.

use arrakis::hypothesis::Sample;
use arrakis::prelude::*;
use arrakis::prompts::{Known, PromptSet};

fn names() -> PromptPairs {
    let model = HookedAutoModel::embedded().unwrap();
    PromptSet::draw(Known::NameMover, &model, 24, 5).unwrap().held_out().pairs(&model).unwrap()
}

fn years() -> PromptPairs {
    let model = HookedAutoModel::embedded().unwrap();
    PromptSet::draw(Known::GreaterThan, &model, 16, 5).unwrap().held_out().pairs(&model).unwrap()
}

/// The change of the logit difference without the attention of a layer, for each prompt.
fn without_attention(ablation: &Ablation, pairs: &PromptPairs, layer: usize) -> Result<Sample> {
    let change = ablation.layers(&pairs.clean, &pairs.metric(), AblationKind::Zero)?.change();
    change.sample(&arrakis::tools::place::Sublayer { layer, part: arrakis::tools::place::SublayerPart::Attn })
}

#[use_tools]
#[test_hypothesis(claim = "without the attention of layer 0 the name is less likely", null = 0.0, alternative = Less, test = OneSampleT, family = "attention", bench = Bench::embedded(), args(&names()), seeds = 3, resample = pairs)]
pub(super) fn names_depend_on_attention(
    bench: &Bench,
    pairs: &PromptPairs,
    #[tool] ablation: Ablation,
) -> Result<Sample> {
    without_attention(&ablation, pairs, 0)
}

#[use_tools]
#[test_hypothesis(claim = "without the attention of the last layer the name is less likely", null = 0.0, alternative = Less, test = OneSampleT, family = "attention", bench = Bench::embedded(), args(names()))]
pub(super) fn names_depend_on_the_last_layer(
    bench: &Bench,
    pairs: PromptPairs,
    #[tool] ablation: Ablation,
) -> Result<Sample> {
    without_attention(&ablation, &pairs, bench.model().config().n_layers - 1)
}

#[use_tools]
#[test_hypothesis(claim = "without the attention of layer 0 the name is more likely", null = 0.0, alternative = Greater, test = OneSampleT, family = "attention", bench = Bench::embedded(), args(&names()))]
#[should_panic(expected = "does not hold")]
pub(super) fn the_first_layer_ignores_names(
    bench: &Bench,
    pairs: &PromptPairs,
    #[tool] ablation: Ablation,
) -> Result<Sample> {
    without_attention(&ablation, pairs, 0)
}

#[test_hypothesis(claim = "later years are less likely than earlier ones", null = 0.0, alternative = Less, test = OneSampleT, bench = Bench::embedded(), args(&years()))]
#[should_panic(expected = "does not hold")]
pub(super) fn years_are_later(bench: &Bench, pairs: &PromptPairs) -> Result<Vec<f64>> {
    pairs.metric().values(bench.model(), &pairs.clean)
}
