//! Forwards of a stack with and without sites, for `count.py`, which counts their instructions.

#[path = "../stack.rs"]
mod stack;

use burn::tensor::Device;
use stack::{Stack, WIDTH, random};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [which, forwards, rows] = words.as_slice() else {
        return println!("`python tests/bench/instructions/count.py` runs this");
    };
    let [forwards, rows] = [forwards, rows].map(|word| word.parse::<usize>().expect("a number"));
    let device = Device::flex();
    let (stack, x) = (Stack::new(&device), random([rows, WIDTH], &device));
    for _ in 0..forwards {
        std::hint::black_box(if which == "hooked" { stack.forward(x.clone()) } else { stack.plain(x.clone()) });
    }
}
