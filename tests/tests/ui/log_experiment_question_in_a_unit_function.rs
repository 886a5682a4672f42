use arrakis::prelude::*;

#[log_experiment]
#[use_tools]
fn sweep(bench: &Bench, layers: &str, #[tool] lens: LogitLens) {
    let layers: usize = layers.parse()?;
    let _ = (layers, lens);
}

fn main() {}
