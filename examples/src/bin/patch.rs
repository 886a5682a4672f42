//! Patching clean into corrupted over layer × position, and the same by gradient: where is the name carried?

use arrakis::prelude::*;

const CLEAN: &str = "When Mary and John went to the store, John gave a drink to";
const CORRUPTED: &str = "When Mary and John went to the store, Mary gave a drink to";

#[plot_results(name = "Where the name is carried")]
#[use_tools]
fn carried(
    bench: &Bench,
    #[tool] patching: ActivationPatching,
    #[tool] gradient: AttributionPatching,
    #[figure] fig: &mut Figure,
) -> Result<()> {
    let model = bench.model();
    let metric = Metric::logit_diff(model.to_single_token(" Mary")?, model.to_single_token(" John")?);
    let stream = patching.by_position(CLEAN, CORRUPTED, &metric, StreamSite::ResidPre)?;
    let heads = patching.by_head(CLEAN, CORRUPTED, &metric, HeadSite::Z)?;
    println!(
        "clean {:+.2}, corrupted {:+.2} nats; {:.0} % of block evaluations saved",
        stream.source,
        stream.target,
        100.0 * stream.work.saved()
    );
    for head in heads.normalized().highest(3) {
        println!("  {} brings back {:.0} %", head.label, 100.0 * head.value);
    }
    let estimated = gradient.heads(CLEAN, CORRUPTED, &metric)?;
    fig.push(stream.normalized().heatmap().diverging().titled("resid_pre, patched"));
    fig.push(heads.normalized().heatmap().diverging().annotate(3).titled("heads, patched"));
    fig.push(estimated.heatmap().diverging().annotate(3).titled("heads, by gradient"));
    Ok(())
}

fn main() -> Result<()> {
    carried(&Bench::new(HookedAutoModel::embedded()?).save_dir("experiments"))
}
