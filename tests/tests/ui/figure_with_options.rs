use arrakis::prelude::*;

#[plot_results]
fn sweep(_bench: &Bench, #[figure(name = "x")] _fig: &mut Figure) -> f64 {
    1.0
}

fn main() {}
