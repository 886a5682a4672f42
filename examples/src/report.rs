//! What the study of indirect objects found, said in sentences.

use arrakis::prelude::*;
use serde::Serialize;

/// Every table of the study, `[layer][head]` or `[layer][position]`, in nats of logit(right) - logit(wrong).
#[derive(Debug, Serialize)]
pub struct Study {
    /// Mean of the clean prompts.
    pub clean: f64,
    /// Mean of the corrupted prompts.
    pub corrupted: f64,
    /// Share of clean prompts whose right name is preferred.
    pub accuracy: f64,
    /// What each head writes along the difference, the final norm frozen.
    pub direct: ScoreTable,
    /// The difference with each head zeroed.
    pub zeroed: ScoreTable,
    /// The difference with each head taken from the corrupted run.
    pub patched: ScoreTable,
    /// The corrupted difference with `resid_pre` taken from the clean run, `[layer][position]`, first group.
    pub stream: ScoreTable,
    /// The gradient's estimate of what patching changes.
    pub estimated: ScoreTable,
    /// Pearson's r between the estimate and the exact change.
    pub agreement: f64,
}

/// Who attends where, on random tokens repeated once.
pub fn who_looks_where(bench: &Bench) -> Result<()> {
    let detector = bench.tool::<HeadDetector>()?;
    let repeated = Repeated { bos: bench.model().tokenizer()?.bos(), ..Repeated::default() };
    for (kind, table) in detector.stripes(&repeated)? {
        let top: Vec<String> =
            table.highest(4).iter().map(|head| format!("{} {:.2}", head.label, head.value)).collect();
        println!("{:<16} {}", format!("{kind:?}"), top.join(", "));
    }
    Ok(())
}

/// Five sentences, each with the number that supports it.
pub fn finding(found: &Study, bench: &Bench) {
    let (mover, writer, broken) =
        (&found.patched.lowest(1)[0], &found.direct.highest(1)[0], &found.zeroed.lowest(1)[0]);
    println!("\nfinding");
    println!(
        "1. The model names the indirect object in {:.0} % of the prompts, by {:+.2} nats; with the giver's name swapped the difference is {:+.2}.",
        100.0 * found.accuracy,
        found.clean,
        found.corrupted
    );
    println!(
        "2. {} carries the name: patched from the corrupted run it takes the difference from {:+.2} to {:+.2}.",
        mover.label, found.clean, mover.value
    );
    println!(
        "3. {} writes most of it directly ({:+.2} nats), and zeroing {} hurts most ({:+.2} left).",
        writer.label, writer.value, broken.label, broken.value
    );
    println!(
        "4. Attribution patching agrees with the exact sweep at r = {:.2}: a guide to where to look, not a substitute.",
        found.agreement
    );
    if let Some(verdict) = bench.last_verdict() {
        let held = if verdict.holds { "holds" } else { "does not hold" };
        println!(
            "5. That the strongest mover beats the other heads {held} (p = {:.1e} against {:.1e}, corrected for {} heads).",
            verdict.p_value, verdict.alpha_corrected, verdict.claim.comparisons
        );
    }
}
