//! What the attributes expand to, as snapshots: `ARRAKIS_BLESS=1 cargo test --workspace --lib -- expansion` writes them.

use std::path::Path;

use super::kind::Kind;

/// The expansion, formatted.
fn expanded(args: &str, item: &str) -> String {
    let tokens = super::expand(Kind::Log, args.parse().unwrap(), &item.parse().unwrap()).unwrap();
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

/// The expansion is the snapshot of this name, which has at most so many lines.
fn check(name: &str, most: usize, expanded: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/experiment/expansions").join(name);
    if std::env::var_os("ARRAKIS_BLESS").is_some() {
        std::fs::write(&path, expanded).unwrap();
    }
    assert_eq!(expanded, std::fs::read_to_string(&path).unwrap());
    assert!(expanded.lines().count() <= most, "{name}: {} lines", expanded.lines().count());
}

#[test]
fn one_attribute_is_short() {
    let item = "fn next(bench: &Bench, layer: usize) -> usize { layer + bench.model().config().n_layers }";
    check("one.rs.txt", 30, &expanded("", item));
}

#[test]
fn five_attributes_are_short() {
    let item = "#[use_tools] #[plot_results(name = \"Heads\")] #[profile_model]
        #[test_hypothesis(claim = \"the head attends\", null = 0.0, alternative = Greater)]
        fn score(bench: &Bench, layer: usize, #[tool] lens: LogitLens, #[figure] fig: &mut Figure) -> Result<f64> {
            drawn(&lens, fig, layer)
        }";
    check("five.rs.txt", 40, &expanded("seed = 7, tags = [\"ioi\"]", item));
}
