use arrakis::prelude::*;

#[plot_results]
fn sweep(_bench: &Bench, #[figure] #[figure] _fig: &mut Figure) -> f64 {
    1.0
}

fn main() {}
