use arrakis::prelude::*;

#[use_tools]
fn sweep(_bench: &Bench, #[tool(logit)] _lens: LogitLens, #[tool = "write_read"] _other: WriteRead) -> f64 {
    1.0
}

fn main() {}
