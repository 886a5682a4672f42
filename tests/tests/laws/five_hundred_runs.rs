//! Hundreds of hooked runs do not make the process larger.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use arrakis::models::device::read;
use arrakis::models::hooks::Plan;
use arrakis::models::{Intervention, Tokens};
use arrakis::prelude::site;
use arrakis_tests::{alone, devices, load};

/// Number of pages in memory, if the system reports it.
fn resident() -> Option<usize> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()
}

fn five_hundred(device: &str) {
    let model = load("gpt2", device);
    let prompt = || Tokens::new(vec![vec![3, 14, 15, 9, 26, 5, 35, 8], vec![2, 7, 18, 28, 18, 28, 4, 5]]).unwrap();
    let run = || {
        let plan = Plan::new()
            .capture("*")
            .grad("*.resid_pre")
            .edit(site::z(0), Intervention::zero().head(0))
            .edit_gradient(site::z(1), Intervention::zero().head(1));
        let run = model.run(prompt(), plan).unwrap();
        let metric = run.output.clone().slice([0..1, 7..8, 5..6]).reshape([1]);
        drop(run.gradients(metric).unwrap());
        (run.output, run.cache)
    };
    for _ in 0..50 {
        drop(run());
    }
    let Some(before) = resident() else { return };
    let first = read(run().0).unwrap();
    for _ in 0..500 {
        drop(run());
    }
    let (after, page) = (resident().unwrap(), 4096);
    assert_eq!(read(run().0).unwrap(), first);
    assert!(after.saturating_sub(before) * page < 32 << 20, "{device}: {before} pages, then {after}");
}

#[test]
fn leave_memory_where_it_was() {
    alone(|| {
        for device in devices() {
            five_hundred(device);
        }
    });
}
