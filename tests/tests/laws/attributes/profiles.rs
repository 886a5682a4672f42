//! The profile of a call.

use super::*;

#[log_experiment]
#[profile_model]
fn three_forwards(bench: &Bench) -> Result<()> {
    for _ in 0..3 {
        bench.model().run_with_cache([1, 2, 3, 4], ["blocks.0.attn.pattern"])?;
    }
    Ok(())
}

#[profile_model]
fn falls_over(bench: &Bench) -> Result<()> {
    bench.model().forward([1, 2, 3, 4])?;
    panic!("in the middle")
}

#[test]
fn time_and_bytes_add_up() {
    let (folder, bench) = bench();
    three_forwards(&bench).unwrap();
    let profile = bench.last().unwrap().profile.unwrap();
    let scope = |path: &str| profile.scopes.iter().find(|scope| scope.path == path).unwrap();
    assert_eq!((scope("blocks.0").calls, scope("blocks.1.attn").calls), (3, 3));
    assert!(profile.scopes.iter().all(|scope| scope.self_secs <= scope.inclusive_secs));
    assert!(profile.scopes_secs() <= profile.wall_secs);
    let total: f64 = profile.shares.iter().map(|share| share.share).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
    let pattern = profile.sites.iter().find(|site| site.site == "blocks.0.attn.pattern").unwrap();
    assert_eq!(
        (pattern.passes, pattern.dims.as_slice(), pattern.bytes),
        (3, [1, 2, 4, 4].as_slice(), 3 * 2 * 4 * 4 * 4)
    );

    let record = only_run(&bench, "three_forwards");
    let saved = record.profile.unwrap();
    assert_eq!((saved.scopes, saved.sites), (profile.scopes, profile.sites));
    let trace = folder.path().join("three_forwards/profiles").join(format!("{}.trace.json", record.id));
    let trace: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(trace).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() >= 12);
}

#[test]
fn profiling_changes_no_bit_and_leaves_no_trace() {
    let (_folder, bench) = bench();
    let logits = || bench.model().forward([1, 2, 3]).unwrap().into_data();
    let before = logits();
    let fallen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| falls_over(&bench)));
    assert!(fallen.is_err());
    let count = bench.last().unwrap().profile.unwrap().spans.len();
    assert_eq!(before, logits());
    assert_eq!(bench.last().unwrap().profile.unwrap().spans.len(), count);
}
