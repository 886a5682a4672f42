use arrakis::prelude::*;

#[log_experiment]
fn sweep(bench: &Bench) -> Result<usize> {
    let layers: usize = "two";
    Ok(layers)
}

fn main() {}
