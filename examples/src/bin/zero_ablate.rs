//! Zero-ablation of heads, one by hand and then all of them in a sweep: what breaks without each head?

use arrakis::prelude::*;

/// A prompt and its answer, for each of two tasks: a name that moves, and a sequence that repeats.
const TASKS: [(&str, &str); 2] = [
    ("When Mary and John went to the store, John gave a drink to", " Mary"),
    (" Tom Anna David Sarah James Mary Tom Anna David Sarah", " James"),
];

/// The most probable next token with one head zeroed, or with none.
fn says(model: &HookedTransformer, prompt: &str, zeroed: Option<(usize, usize)>) -> Result<String> {
    let edits = zeroed.map(|(layer, head)| (site::z(layer), Intervention::zero().head(head)));
    let last = model.run_with_hooks(prompt, edits)?.last().read()?;
    Ok(model.top_of(&last, 1)?[0].text.clone())
}

#[plot_results(name = "What breaks without each head")]
#[use_tools]
fn what_breaks(bench: &Bench, #[tool] ablation: Ablation, #[figure] fig: &mut Figure) -> Result<()> {
    let model = bench.model();
    for (prompt, answer) in TASKS {
        let found = ablation.heads(prompt, &Metric::log_prob(answer), AblationKind::Zero)?;
        println!("{} …{}: log p = {:.3} nats", prompt.trim(), says(model, prompt, None)?, found.baseline);
        for head in found.change().lowest(3) {
            let instead = says(model, prompt, Some((head.layer, head.head)))?;
            println!("  without {} …{instead}: {:+.2} nats", head.label, head.value);
        }
        fig.push(found.change().heatmap().diverging().annotate(2).titled(answer.trim()));
    }
    Ok(())
}

fn main() -> Result<()> {
    what_breaks(&Bench::embedded()?.save_dir("experiments"))
}
