//! Patches clean activations into the corrupted run, exactly and by gradient: where is the name carried?

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
    let metric = Metric::logit_diff(" Mary", " John");
    let pair = patching.from(CLEAN).into(CORRUPTED)?;
    let (stream, heads) = (pair.resid_pre(&metric)?, pair.heads(&metric)?);
    println!(
        "clean {:+.2}, corrupted {:+.2} nats; {:.0} % of block evaluations saved",
        stream.source.unwrap_or(f64::NAN),
        stream.baseline,
        100.0 * stream.work.saved()
    );
    for head in heads.normalized()?.highest(3) {
        println!("  {} restores {:.0} %", head.label, 100.0 * head.value);
    }
    let estimated = gradient.from(CLEAN).into(CORRUPTED)?.heads(&metric)?.change();
    fig.push(stream.normalized()?.heatmap().diverging().titled("resid_pre, patched"));
    fig.push(heads.normalized()?.heatmap().diverging().annotate(3).titled("heads, patched"));
    fig.push(estimated.heatmap().diverging().annotate(3).titled("heads, by gradient"));
    Ok(())
}

fn main() -> Result<()> {
    carried(&Bench::embedded()?.save_dir("experiments"))
}
