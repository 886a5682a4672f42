//! `#[test_hypothesis]`: a claim, stated before the measurement, judged when the function runs and by `cargo test`.

use arrakis::prelude::*;

/// The best of many heads has a high induction score by chance, so comparing it with random heads would be misleading.
/// The claim therefore states the number of heads examined.
#[log_experiment]
#[test_hypothesis(
    claim = "zeroing the strongest induction head hurts the prediction of repeated tokens",
    metric = "loss with the head zeroed minus loss without, nats",
    null = 0.0,
    alternative = Greater,
    comparisons = 12,
    draws = 999,
    bench = Bench::embedded()
)]
fn induction_is_used(bench: &Bench) -> Result<Vec<f64>> {
    let (model, detector) = (bench.model(), bench.tool::<HeadDetector>()?);
    let repeated = Repeated { bos: model.tokenizer()?.bos(), batch: 24, ..Repeated::default() };
    let best = detector.induction(&repeated)?.highest(1).remove(0);
    let tokens = detector.repeated_tokens(&Repeated { seed: 1, ..repeated })?;
    let second_half = |logits| -> Result<Vec<f32>> {
        let losses = model.loss_per_token(logits, &tokens)?;
        let pos = losses.dims()[1];
        Ok(losses.narrow(1, pos - repeated.length + 1, repeated.length - 1).mean_dim(1).read()?)
    };
    let clean = second_half(model.forward(&tokens)?)?;
    let edit = Intervention::zero().head(best.head);
    let zeroed = second_half(model.run_with_hooks(&tokens, [(site::z(best.layer), edit)])?)?;
    Ok(zeroed.iter().zip(&clean).map(|(zeroed, clean)| f64::from(zeroed - clean)).collect())
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?.save_dir("experiments");
    induction_is_used(&bench)?;
    println!("{}", bench.last().and_then(|run| run.verdict).expect("the claim was judged"));
    Ok(())
}
