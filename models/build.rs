//! Tells the crate how it is compiled: a model that computes without optimisation says so.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=ARRAKIS_OPT_LEVEL={level}");
}
