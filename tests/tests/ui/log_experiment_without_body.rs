use arrakis::prelude::*;

trait Sweep {
    #[log_experiment]
    fn sweep(&self, bench: &Bench);
}

fn main() {}
