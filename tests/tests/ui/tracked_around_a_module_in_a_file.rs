use arrakis::prelude::*;

#[tracked]
mod helpers {
    mod more;
}

fn main() {}
