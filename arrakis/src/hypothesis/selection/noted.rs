//! The scores that searches chose during a call, to be recognised if a bare number of theirs becomes its result.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::Search;

/// Chosen scores by the bits of their values: the place, and the search.
#[derive(Debug, Default)]
pub(crate) struct Noted(BTreeMap<u64, (String, Arc<Search>)>);

impl Noted {
    /// Notes a chosen place with its value, or with its value for each prompt.
    pub(crate) fn note(&mut self, values: &[f64], place: &str, search: &Arc<Search>) {
        if let Some(key) = key(values) {
            self.0.insert(key, (place.to_owned(), Arc::clone(search)));
        }
    }

    /// The place and the search that these values come from.
    pub(crate) fn of(&self, values: &[f64]) -> Option<&(String, Arc<Search>)> {
        self.0.get(&key(values)?)
    }
}

/// The bits of the values in one number; `None` for values that other computations also give: whole numbers, and values
/// that are all equal.
fn key(values: &[f64]) -> Option<u64> {
    let telling = match values {
        [] => false,
        [value] => value.fract() != 0.0,
        [first, rest @ ..] => rest.iter().any(|value| value != first),
    };
    telling.then(|| {
        let mut hasher = DefaultHasher::new();
        for value in values {
            value.to_bits().hash(&mut hasher);
        }
        hasher.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_score_is_recognised_by_its_bits_alone() {
        let (mut noted, search) = (Noted::default(), Arc::new(Search { places: 24, ..Search::default() }));
        noted.note(&[0.1 + 0.2], "L1H0", &search);
        noted.note(&[0.5, 0.25], "L1H1", &search);
        noted.note(&[1.0], "L0H0", &search);
        noted.note(&[0.5, 0.5], "L0H1", &search);
        assert_eq!(noted.of(&[0.1 + 0.2]).unwrap().0, "L1H0");
        assert_eq!(noted.of(&[0.5, 0.25]).unwrap().0, "L1H1");
        for other in [&[0.3][..], &[1.0], &[0.5, 0.5], &[0.25, 0.5], &[]] {
            assert!(noted.of(other).is_none(), "{other:?}");
        }
    }
}
