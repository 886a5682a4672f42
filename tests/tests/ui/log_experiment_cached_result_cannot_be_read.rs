use arrakis::prelude::*;

#[derive(Debug)]
struct Scores(Vec<f64>);

#[log_experiment(cache)]
fn sweep(_bench: &Bench) -> Scores {
    Scores(vec![1.0])
}

fn main() {
    let _ = (sweep, Scores(Vec::new()).0);
}
