//! Attribution patching compared with exact patching: how accurate are two forwards and a backward?

use arrakis::prelude::*;
use arrakis::tools::place::Head;

const CLEAN: &str = "When Mary and John went to the store, John gave a drink to";
const CORRUPTED: &str = "When Mary and John went to the store, Mary gave a drink to";

#[plot_results(name = "By gradient and by patching")]
#[use_tools]
fn compared(
    bench: &Bench,
    #[tool] gradient: AttributionPatching,
    #[tool] patching: ActivationPatching,
    #[figure] fig: &mut Figure,
) -> Result<()> {
    let metric = Metric::logit_diff(" Mary", " John");
    let estimated = gradient.from(CLEAN).into(CORRUPTED)?.heads(&metric)?.change();
    let patched = patching.from(CLEAN).into(CORRUPTED)?.heads(&metric)?;
    let exact = patched.change();
    let estimate = |head: &Head| estimated.get(head).unwrap_or(f64::NAN);

    println!("head     by gradient   by patching, nats");
    for head in exact.top(5) {
        println!("{:<6} {:>+13.3} {:>+13.3}", head.label, estimate(&head), head.value);
    }
    let all = exact.top(usize::MAX);
    let points = all.iter().map(|head| (head.value, estimate(head)));
    let labels = all.iter().enumerate().map(|(rank, head)| if rank < 3 { head.label.as_str() } else { "" });
    let cloud = plot::Scatter::new("by patching (nats)", "by gradient (nats)", points).identity().correlation();
    if let Some(r) = cloud.pearson() {
        println!("over all {} heads: r = {r:.3}", all.len());
    }
    println!("patching took {} forwards, the gradient two forwards and a backward", patched.work.forwards);
    fig.push(cloud.labels(labels)?);
    Ok(())
}

fn main() -> Result<()> {
    compared(&Bench::embedded()?.save_dir("experiments"))
}
