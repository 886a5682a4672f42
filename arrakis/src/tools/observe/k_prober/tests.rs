use super::*;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, passes};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

impl Readings for KProber {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let ids = [&cases.prompt, &cases.other].map(|tokens| tokens.ids()[0].clone());
        let rows = [ids.clone(), ids].concat();
        let labels = [true, false, true, false];
        let tool = self.folds(2).controls(0);
        let examples = tool.examples("blocks.0.resid_mid", rows, 2, &labels).map_err(|error| error.to_string());
        let examples = examples.and_then(|own| own.grouped(&[0, 0, 1, 1]).map_err(|error| error.to_string()));
        let found = examples.clone().and_then(|own| tool.linear(&own).map_err(|error| error.to_string()));
        let sparse = examples
            .and_then(|own| tool.sparse(&own, [1, 3], Ranking::MeanDifference).map_err(|error| error.to_string()));
        vec![
            Reading::numbers("linear", found.map(|found| vec![found.accuracy, found.control, found.probe.bias])),
            Reading::panel("curve", sparse.as_ref().map(|sparse| Self::curve(sparse))),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let rows = [&cases.prompt, &cases.other].map(|tokens| tokens.ids()[0].clone()).to_vec();
        let labels = [true, false];
        vec![
            Call::new("examples", move || self.examples("blocks.0.resid_mid", rows, 1, &labels)),
            Call::new("linear", || self.linear(&planted(20, 2.0, 1))),
            Call::new("sparse", || self.sparse(&planted(20, 2.0, 1), [1], Ranking::MeanDifference)),
        ]
    }
}

/// Noise in 12 dimensions, and along one direction the label.
fn planted(n: usize, strength: f64, seed: u64) -> Examples {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let direction: Vec<f64> = (0..12).map(|i| if i < 3 { [0.6, -0.48, 0.64][i] } else { 0.0 }).collect();
    let labels: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
    let row = |label: &bool| {
        let sign = if *label { strength } else { -strength };
        direction.iter().map(|d| sign * d + rng.random_range(-1.0..1.0)).collect()
    };
    let features: Vec<Vec<f64>> = labels.iter().map(row).collect();
    Examples::new(features, labels).unwrap()
}

fn tool() -> KProber {
    KProber::new(&fixture("gpt2")).unwrap()
}

#[test]
fn a_planted_direction_is_recovered_and_shuffled_labels_are_chance() {
    let found = tool().controls(20).linear(&planted(200, 2.0, 1)).unwrap();
    assert!(found.accuracy > 0.95, "{}", found.accuracy);
    assert!((0.42..0.58).contains(&found.control), "{}", found.control);
    close(found.selectivity(), found.accuracy - found.control, 0.0);
    assert!(found.interval.low < found.accuracy && found.interval.low > 0.9, "{:?}", found.interval);
    let direction = found.probe.direction();
    let cosine = 0.6 * direction[0] - 0.48 * direction[1] + 0.64 * direction[2];
    assert!(cosine > 0.95, "{cosine}");
    assert_eq!((found.examples, found.groups), (200, 200));
}

/// Each group has one label and one place of its own, so that only what groups share can be learned.
#[test]
fn what_only_marks_a_group_helps_no_grouped_split() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let groups: Vec<usize> = (0..120).map(|row| row / 6).collect();
    let places: Vec<Vec<f64>> = (0..20).map(|_| (0..30).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    let labels: Vec<bool> = groups.iter().map(|group| group % 2 == 0).collect();
    let features = groups.iter().map(|group| places[*group].clone()).collect();
    let examples = Examples::new(features, labels).unwrap();
    let alone = tool().controls(0).linear(&examples).unwrap();
    let grouped = tool().controls(0).linear(&examples.grouped(&groups).unwrap()).unwrap();
    assert!(alone.accuracy > 0.99 && grouped.train_accuracy > 0.99, "{} {}", alone.accuracy, grouped.train_accuracy);
    assert!(grouped.accuracy < 0.75, "{}", grouped.accuracy);
    assert_eq!(grouped.groups, 20);
}

#[test]
fn the_planted_features_are_chosen_first() {
    let examples = planted(300, 0.8, 5);
    for ranking in [Ranking::MeanDifference, Ranking::Weight] {
        let found = tool().controls(0).sparse(&examples, [1, 3, 12], ranking).unwrap();
        let mut chosen = found[1].found.probe.features.clone();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2], "{ranking:?}");
        assert!(found[0].found.accuracy < found[1].found.accuracy, "{found:?}");
        let dense = tool().controls(0).linear(&examples).unwrap();
        close(found[2].found.accuracy, dense.accuracy, 1e-12);
    }
}

#[test]
fn examples_are_the_sites_numbers_at_the_position_of_each_prompt() {
    let (tool, rows) = (tool(), [vec![34, 17, 29], vec![82, 49]]);
    let tokens = arrakis_models::Tokens::padded(&rows, arrakis_models::Side::Left, 0).unwrap();
    let read = |at: &str, position: isize| {
        let (found, forwards) = passes("embed", || tool.examples(at, &tokens, position, &[true, false]).unwrap());
        assert_eq!(forwards, 1);
        found
    };
    let (at, position) = ("blocks.1.attn.z", -2);
    let found = read(at, position);
    assert_eq!(found.width(), 32);
    for (row, own) in rows.iter().enumerate() {
        let alone = tool.model.capture(own.as_slice(), [at]).unwrap().activation(at).unwrap().to_vec().unwrap();
        let start = (own.len() - 2) * 32;
        found.features[row].iter().zip(&alone[start..start + 32]).for_each(|(a, b)| close(*a, *b, 1e-5));
    }
}

#[test]
fn mistakes_are_named() {
    let (tool, examples) = (tool(), planted(20, 1.0, 1));
    let said = |at: &str| tool.examples(at, [1, 2], -1, &[true]).unwrap_err().to_string();
    assert_eq!(said("blocks.*.resid_pre"), "k_prober: a probe reads one site, got 3; name one");
    assert_eq!(
        said("blocks.0.attn.pattern"),
        "k_prober: `blocks.0.attn.pattern` has no axis of positions after the batch; choose another site"
    );
    let error = tool.sparse(&examples, [13], Ranking::Weight).unwrap_err().to_string();
    assert_eq!(error, "k_prober: k is 13; give 1 to 12, the number of features");
    let error = tool.c(0.0).linear(&examples).unwrap_err().to_string();
    assert_eq!(error, "k_prober: `c` is 0; give a positive number");
    let error = tool.folds(1).linear(&examples).unwrap_err().to_string();
    assert_eq!(error, "k_prober: 1 folds leave nothing to test on; give at least 2");
    let two = Examples::new(vec![vec![0.0], vec![1.0]], vec![true, false]).unwrap();
    assert_eq!(
        tool.linear(&two).unwrap_err().to_string(),
        "k_prober: a training split has labels of one kind; give more groups of each label, or fewer folds"
    );
}
