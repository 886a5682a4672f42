//! The attention stripes of each head on repeated random words.

use arrakis::models::HookedTransformer;
use arrakis::prelude::{HeadDetector, HeadKind, Tool as _};
use arrakis::tools::Score;
use arrakis::tools::place::Head;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::repeats::Repeats;

/// Mean attention of one head, each value from 0 to 1: see [`HeadDetector::stripes_of`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadStripes {
    /// Its layer.
    pub layer: usize,
    /// Its index in the layer.
    pub head: usize,
    /// From a token's second occurrence to the token after its first.
    pub induction: f64,
    /// From every token but the first to the previous one.
    pub previous_token: f64,
    /// From a token's second occurrence to its first.
    pub duplicate_token: f64,
}

/// The stripes of every head, layer by layer.
///
/// # Errors
///
/// Those of a run, if the rows do not fit the model.
pub fn head_stripes(model: &HookedTransformer, repeats: &Repeats) -> Result<Vec<HeadStripes>> {
    let tables = HeadDetector::new(model)?.stripes_of(repeats.rows.clone(), repeats.length)?;
    let score = |wanted: HeadKind, at: &Head| {
        let table = tables.iter().find(|(kind, _)| *kind == wanted).and_then(|(_, table)| table.get(at));
        table.expect("BUG: every kind scores every head")
    };
    let of = |head: Score| HeadStripes {
        layer: head.layer,
        head: head.head,
        induction: score(HeadKind::Induction, &head),
        previous_token: score(HeadKind::PreviousToken, &head),
        duplicate_token: score(HeadKind::DuplicateToken, &head),
    };
    Ok(tables.iter().take(1).flat_map(|(_, table)| table.cells()).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::embedded;

    #[test]
    fn the_embedded_model_has_the_heads_its_facts_list() {
        let (model, facts) = embedded();
        let found = head_stripes(&model, &Repeats::words(crate::recipe::HELD_OUT_SEED, 64)).unwrap();
        assert_eq!(found.len(), facts.heads.len());
        for (found, fact) in found.iter().zip(&facts.heads) {
            assert_eq!((found.layer, found.head), (fact.layer, fact.head));
            for (found, fact) in [
                (found.induction, fact.induction),
                (found.previous_token, fact.previous_token),
                (found.duplicate_token, fact.duplicate_token),
            ] {
                assert!((found - fact).abs() < 1e-5, "{found} is not {fact}");
            }
        }
    }

    #[test]
    fn the_embedded_model_has_an_induction_head_on_words_of_another_seed() {
        let scores = head_stripes(&embedded().0, &Repeats::words(99, 16)).unwrap();
        assert!(scores.iter().any(|head| head.induction > 0.8), "{scores:?}");
        assert!(scores.iter().any(|head| head.layer == 0 && head.previous_token > 0.6), "{scores:?}");
    }
}
