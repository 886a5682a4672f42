use arrakis::prelude::*;

#[plot_results(title = "Heads")]
fn sweep(_bench: &Bench, #[figure] _fig: &mut Figure) -> f64 {
    1.0
}

fn main() {}
