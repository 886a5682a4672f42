//! What a claim makes of a value whose place was searched for.

use super::{Origin, Search};
use crate::error::Result;
use crate::hypothesis::Claim;

impl Claim {
    /// The claim with the comparisons of the search that chose the place, and a sentence about it for the verdict.
    pub(in crate::hypothesis) fn facing(&self, origin: Option<&Origin>) -> Result<(Self, Option<String>)> {
        let Some((origin, search)) = origin.and_then(|origin| Some((origin, origin.search.as_ref()?))) else {
            return Ok((self.clone(), None));
        };
        let chosen = format!("{} is the {} of {} places", origin.place, search.by, search.places);
        let Some(search) = origin.selected() else {
            let prompts = search.prompts.len();
            return Ok((
                self.clone(),
                Some(format!("{chosen} on {prompts} other prompts, so the search counts for nothing")),
            ));
        };
        if (2..search.places).contains(&self.comparisons) {
            let problem = format!("`comparisons` is {}, and {chosen} on the same prompts", self.comparisons);
            return Err(self.refuse(problem, format!("leave `comparisons` out, or {OTHERS}")));
        }
        let comparisons = self.comparisons.max(search.places);
        let on = match origin.shared() {
            Some(shared) => format!("on {shared} of the {} prompts of this test", origin.prompts.len()),
            None => "on prompts that are not known".into(),
        };
        let note = format!("{chosen} {on}, so alpha is divided by {comparisons}; to test it alone, {OTHERS}");
        Ok((Self { comparisons, ..self.clone() }, Some(note)))
    }

    /// Refuses a bare number that provably is the score of a searched place, unless the comparisons are stated.
    pub(crate) fn refuse_hidden(&self, place: &str, search: &Search) -> Result<()> {
        if self.comparisons >= search.places {
            return Ok(());
        }
        let Search { by, places, .. } = search;
        let problem = format!(
            "the result is the score of {place}, the {by} of {places} places, and `comparisons` is {}",
            self.comparisons
        );
        let fix = format!(
            "state `comparisons = {places}`, return `table.sample(&score)`, which counts them, or {OTHERS}; if {place} was \
             named before the search, return `table.sample(&place)`"
        );
        Err(self.refuse(problem, fix))
    }
}

/// How a place is tested on prompts that did not choose it.
const OTHERS: &str = "choose on one half of `PromptPairs::split(seed)` and measure on the other";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::{Null, Sample, Test};

    fn origin(searched: &[&str], measured: &[&str]) -> Origin {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let search = Search { places: 24, by: "highest".into(), prompts: ids(searched) };
        Origin { place: "L1H0".into(), search: Some(search), prompts: ids(measured) }
    }

    fn claim(comparisons: usize) -> Claim {
        Claim { statement: "it copies".into(), test: Test::OneSampleT, comparisons, ..Claim::default() }
    }

    fn judged(claim: &Claim, origin: Origin) -> crate::Result<crate::hypothesis::Verdict> {
        let values = vec![0.5, 0.6, 0.4, 0.7];
        claim.judge(Sample::new(values).unwrap().with_origin(origin), Null::Value(0.0))
    }

    #[test]
    fn the_comparisons_of_a_search_on_the_same_prompts_count() {
        let verdict = judged(&claim(1), origin(&["a", "b"], &["b", "c"])).unwrap();
        assert_eq!((verdict.claim.comparisons, verdict.alpha_corrected), (24, 0.05 / 24.0));
        assert_eq!(
            verdict.notes[0],
            "L1H0 is the highest of 24 places on 1 of the 2 prompts of this test, so alpha is divided by 24; to test it \
             alone, choose on one half of `PromptPairs::split(seed)` and measure on the other"
        );
        assert_eq!(verdict.origin, Some(origin(&["a", "b"], &["b", "c"])));
        let unknown = judged(&claim(30), origin(&[], &["b"])).unwrap();
        assert_eq!(unknown.claim.comparisons, 30);
        assert!(unknown.notes[0].contains("on prompts that are not known"), "{:?}", unknown.notes);
    }

    #[test]
    fn a_search_on_other_prompts_counts_for_nothing() {
        let verdict = judged(&claim(1), origin(&["a", "b"], &["c", "d"])).unwrap();
        assert_eq!(verdict.claim.comparisons, 1);
        assert_eq!(
            verdict.notes[0],
            "L1H0 is the highest of 24 places on 2 other prompts, so the search counts for nothing"
        );
    }

    #[test]
    fn fewer_comparisons_than_were_made_are_refused() {
        assert_eq!(
            judged(&claim(3), origin(&["a"], &["a"])).unwrap_err().to_string(),
            "claim `it copies`: `comparisons` is 3, and L1H0 is the highest of 24 places on the same prompts; leave \
             `comparisons` out, or choose on one half of `PromptPairs::split(seed)` and measure on the other"
        );
        let search = origin(&["a"], &[]).search.unwrap();
        assert!(claim(24).refuse_hidden("L1H0", &search).is_ok());
        assert_eq!(
            claim(1).refuse_hidden("L1H0", &search).unwrap_err().to_string(),
            "claim `it copies`: the result is the score of L1H0, the highest of 24 places, and `comparisons` is 1; state \
             `comparisons = 24`, return `table.sample(&score)`, which counts them, or choose on one half of \
             `PromptPairs::split(seed)` and measure on the other; if L1H0 was named before the search, return \
             `table.sample(&place)`"
        );
    }

    #[test]
    fn a_search_of_one_place_is_none() {
        let mut one = origin(&["a"], &["a"]);
        one.search.as_mut().unwrap().places = 1;
        assert_eq!(one.selected(), None);
        assert_eq!(judged(&claim(1), one).unwrap().claim.comparisons, 1);
    }
}
