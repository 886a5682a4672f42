//! Every attribute, with `arrakis` under another name.

use ark::prelude::*;

struct Scale(f32);

impl Scale {
    #[ark::hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = x * self.0;
        h
    }
}

#[log_experiment(seed = 3, tags = ["renamed"])]
#[use_tools("logit_lens")]
#[plot_results]
#[profile_model]
#[test_hypothesis(claim = "it is large", null = 0.0, test = Auto, alternative = Greater, bench = Bench::embedded())]
fn score(bench: &Bench, #[tool] patterns: AttentionPatterns, #[figure] fig: &mut Figure) -> Result<f64> {
    let _ = (logit_lens, patterns, fig);
    Scale(2.0).forward(bench.model().forward("a")?.flatten(0, 1));
    Ok(1.0)
}

fn main() -> Result<()> {
    score(&Bench::embedded()?).map(drop)
}
