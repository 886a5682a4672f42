use arrakis::prelude::*;

#[tracked]
struct Half(f64);

fn main() {
    let _ = Half(1.0).0;
}
