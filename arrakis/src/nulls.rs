//! Nulls to name in a claim: what the measurement would be if the thing claimed were not there.
//!
//! Each takes the measurement as a function and gives `null = ..` of `#[test_hypothesis]`: it measures once for each draw,
//! with one thing replaced at random. A function of your own, `|bench, seed| ..`, is a null as well.
//!
//! ```
//! use arrakis::prelude::*;
//! use arrakis::nulls;
//! use arrakis::tools::place::Head;
//!
//! fn attention_to_start(bench: &Bench, head: Head) -> Result<f64> {
//!     let patterns = bench.tool::<AttentionPatterns>()?.patterns([0_u32, 7, 9, 11], head.layer)?;
//!     Ok(patterns.patterns[head.head][3][0])
//! }
//!
//! const HEAD: Head = Head { layer: 0, head: 1 };
//!
//! #[test_hypothesis(claim = "the head looks at the start more than others of its layer", alternative = Greater, draws = 99,
//!                   null = nulls::random_heads(HEAD, attention_to_start))]
//! fn looks_at_the_start(bench: &Bench) -> Result<f64> {
//!     attention_to_start(bench, HEAD)
//! }
//! # fn main() -> Result<()> {
//! # let bench = Bench::embedded()?;
//! # looks_at_the_start(&bench)?;
//! # assert_eq!(bench.last().unwrap().verdict.unwrap().null_values.len(), 99);
//! # Ok(())
//! # }
//! ```

use arrakis_models::transformer::{RandomSource, Transformer};
use arrakis_models::{HookedTransformer, Tokens};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::bench::Bench;
use crate::error::{Error, Result};
use crate::tools::PromptPairs;
use crate::tools::place::Head;

/// The measurement with its labels shuffled among the values: nothing depends on them.
pub fn shuffled_labels<L: Clone + Send>(
    labels: impl IntoIterator<Item = L>,
    mut measure: impl FnMut(&Bench, &[L]) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    let labels: Vec<L> = labels.into_iter().collect();
    move |bench, seed| {
        let mut shuffled = labels.clone();
        shuffled.shuffle(&mut rng(seed));
        measure(bench, &shuffled)
    }
}

/// The measurement of another head of the same layer, each as likely: the head is one like the others.
pub fn random_heads(
    head: Head,
    mut measure: impl FnMut(&Bench, Head) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    move |bench, seed| {
        let heads = bench.model().config().n_heads;
        let others: Vec<usize> = (0..heads).filter(|other| *other != head.head).collect();
        let other = others.choose(&mut rng(seed)).ok_or_else(|| {
            refuse("random_heads", "the layer has no other head; draw random directions or an untrained model instead")
        })?;
        measure(bench, Head { head: *other, ..head })
    }
}

/// The measurement along a random direction of the same norm: the direction means nothing.
pub fn random_directions(
    direction: impl IntoIterator<Item = f32>,
    mut measure: impl FnMut(&Bench, &[f32]) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    let direction: Vec<f32> = direction.into_iter().collect();
    move |bench, seed| {
        let norm = norm(&direction);
        if !(norm > 0.0 && norm.is_finite()) {
            let problem =
                format!("the direction has norm {norm}, and no other has; give a finite one that is not zero");
            return Err(refuse("random_directions", problem));
        }
        let mut rng = rng(seed);
        let drawn: Vec<f32> = direction.iter().map(|_| normal(&mut rng)).collect();
        let scale = norm / self::norm(&drawn);
        measure(bench, &drawn.iter().map(|value| value * scale).collect::<Vec<f32>>())
    }
}

/// The measurement on an untrained model of the same architecture and tokenizer: training put nothing there. Each draw has
/// weights of its own.
pub fn untrained_model(
    mut measure: impl FnMut(&HookedTransformer) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    move |bench, seed| {
        let model = bench.model();
        let net = Transformer::build(&mut RandomSource::new(seed, model.device()), model.config());
        measure(&model.with_net(net))
    }
}

/// The measurement with the tokens of each prompt in random order: the order of the prompt means nothing. The first token
/// stays, because models treat it apart, and so does padding.
pub fn permuted_positions(
    prompts: Tokens,
    mut measure: impl FnMut(&Bench, &Tokens) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    move |bench, seed| {
        let mut rng = rng(seed);
        let row = |(ids, real): (&Vec<u32>, &Vec<bool>)| {
            let places: Vec<usize> = (0..ids.len()).filter(|at| real[*at]).skip(1).collect();
            let mut order = places.clone();
            order.shuffle(&mut rng);
            let mut row = ids.clone();
            places.iter().zip(order).for_each(|(to, from)| row[*to] = ids[from]);
            row
        };
        let rows = prompts.ids().iter().zip(prompts.real()).map(row).collect();
        let permuted = Tokens::new(rows)?.with_mask(prompts.real().to_vec())?;
        measure(bench, &permuted.with_positions(prompts.positions().to_vec())?)
    }
}

/// The measurement on the corrupted prompts in place of the clean ones, resampled with replacement: what was corrupted means
/// nothing.
pub fn corrupted_prompts(
    pairs: PromptPairs,
    mut measure: impl FnMut(&Bench, &PromptPairs) -> Result<f64> + Send,
) -> impl FnMut(&Bench, u64) -> Result<f64> + Send {
    move |bench, seed| {
        let drawn = pairs.resampled(seed);
        measure(bench, &PromptPairs { clean: drawn.corrupted.clone(), ..drawn })
    }
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn norm(direction: &[f32]) -> f32 {
    direction.iter().map(|value| value * value).sum::<f32>().sqrt()
}

fn refuse(of: &'static str, problem: impl Into<String>) -> Error {
    Error::Value { of, problem: problem.into() }
}

/// One standard normal number, by Box and Muller.
fn normal(rng: &mut impl Rng) -> f32 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bench() -> Bench {
        Bench::embedded().unwrap()
    }

    /// The values of some draws, which are those of the same seeds.
    fn drawn(mut null: impl FnMut(&Bench, u64) -> Result<f64>) -> Vec<f64> {
        let bench = bench();
        let draw = |null: &mut dyn FnMut(&Bench, u64) -> Result<f64>| {
            (0..40).map(|seed| null(&bench, seed).unwrap()).collect::<Vec<f64>>()
        };
        let values = draw(&mut null);
        assert_eq!(values, draw(&mut null));
        values
    }

    #[test]
    fn labels_are_shuffled_and_none_is_lost() {
        let first = drawn(shuffled_labels([1, 2, 3, 4], |_, labels| {
            let mut sorted = labels.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3, 4]);
            Ok(f64::from(labels[0]))
        }));
        let distinct: BTreeSet<i64> = first.iter().map(|value| *value as i64).collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn another_head_of_the_layer_is_drawn() {
        let head = Head { layer: 1, head: 2 };
        let heads = drawn(random_heads(head, |_, other| {
            assert_eq!(other.layer, 1);
            Ok(other.head as f64)
        }));
        let distinct: BTreeSet<i64> = heads.iter().map(|value| *value as i64).collect();
        assert_eq!(distinct, (0..bench().model().config().n_heads as i64).filter(|head| *head != 2).collect());
    }

    #[test]
    fn a_random_direction_has_the_norm_and_no_preferred_side() {
        let along = drawn(random_directions([3.0, 4.0, 0.0], |_, direction| {
            assert!((norm(direction) - 5.0).abs() < 1e-4);
            Ok(f64::from(direction[0]))
        }));
        assert!(along.iter().any(|value| *value > 1.0) && along.iter().any(|value| *value < -1.0), "{along:?}");
        let mut zero = random_directions([0.0; 3], |_, _| Ok(0.0));
        assert_eq!(
            zero(&bench(), 0).unwrap_err().to_string(),
            "`random_directions`: the direction has norm 0, and no other has; give a finite one that is not zero"
        );
    }

    #[test]
    fn an_untrained_model_reads_and_does_not_know() {
        let prompt = "When Mary and John went to the store, John gave a drink to";
        let known = |model: &HookedTransformer| {
            Ok(crate::tools::Metric::logit_diff(" Mary", " John").values(model, prompt)?[0])
        };
        let trained = known(bench().model()).unwrap();
        let untrained = drawn(untrained_model(known));
        assert!(untrained.iter().all(|value| value.abs() < trained / 2.0), "{trained} {untrained:?}");
    }

    #[test]
    fn positions_are_permuted_and_the_first_token_and_padding_stay() {
        let prompts = Tokens::padded(&[vec![5, 6, 7, 8, 9], vec![5, 6, 7]], arrakis_models::Side::Left, 0).unwrap();
        let last = drawn(permuted_positions(prompts.clone(), move |_, tokens| {
            assert_eq!((tokens.real(), tokens.positions()), (prompts.real(), prompts.positions()));
            assert_eq!((tokens.ids()[0][0], &tokens.ids()[1][..3]), (5, &[0, 0, 5][..]));
            let mut sorted = tokens.ids()[0].clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [5, 6, 7, 8, 9]);
            Ok(f64::from(tokens.ids()[0][4]))
        }));
        let distinct: BTreeSet<i64> = last.iter().map(|value| *value as i64).collect();
        assert_eq!(distinct, [6, 7, 8, 9].into());
    }

    #[test]
    fn corrupted_prompts_take_the_place_of_clean_ones() {
        let pairs = PromptPairs {
            clean: Tokens::new(vec![vec![1, 2], vec![1, 3], vec![1, 4]]).unwrap(),
            corrupted: Tokens::new(vec![vec![9, 2], vec![9, 3], vec![9, 4]]).unwrap(),
            answers: vec![2, 3, 4],
            wrong: vec![0; 3],
            groups: Vec::new(),
        };
        let sums = drawn(corrupted_prompts(pairs, |_, pairs| {
            assert!(pairs.clean.ids().iter().all(|row| row[0] == 9) && pairs.len() == 3);
            Ok(pairs.answers.iter().sum::<u32>().into())
        }));
        assert!(sums.iter().any(|sum| *sum != sums[0]));
    }
}
