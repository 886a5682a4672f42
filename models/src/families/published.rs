//! Configs with the keys of those that are published on the Hub: each loads, or is refused for a reason that is true.

use serde::Deserialize;
use serde_json::Value;

use super::config;

#[derive(Deserialize)]
struct Published {
    name: String,
    config: Value,
    refused: Option<String>,
}

#[test]
fn published_configs_load_or_are_refused_for_a_true_reason() {
    let all: Vec<Published> = serde_json::from_str(include_str!("../../tests/fixtures/published.json")).unwrap();
    assert!(all.iter().filter(|one| one.refused.is_none()).count() >= 40);
    let wrong = all.iter().filter_map(|one| match (config(one.config.clone()), &one.refused) {
        (Ok(_), None) => None,
        (Ok(_), Some(why)) => Some(format!("{}: it loads, but {why}", one.name)),
        (Err(error), Some(why)) if error.to_string().contains(why) => None,
        (Err(error), _) => Some(format!("{}: {error}", one.name)),
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
