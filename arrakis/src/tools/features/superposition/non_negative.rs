//! Non-negative matrix factorisation: activations as sums of parts.

use arrakis_models::{IntoTokens, SitePattern};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::basis::dot;
use super::{Superposition, refuse};
use crate::error::Result;

/// The most steps.
const STEPS: usize = 2000;

/// A step that moves no number by more than this share of what the first step moved counts as settled.
const SETTLED: f64 = 1e-7;

/// What becomes of activations below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// They are an error.
    #[default]
    Refused,
    /// They count as zero, as after a `ReLU`.
    Zeroed,
}

/// Activations as sums of parts, `x ≈ Σ weight_k part_k`, where no number is below zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NonNegative {
    /// The site.
    pub site: String,
    /// The parts, each of length 1, the one with the most weight first: `[component][d]`.
    pub parts: Vec<Vec<f64>>,
    /// How much of each part is in each token, in the units of the site: `[token][component]`.
    pub weights: Vec<Vec<f64>>,
    /// `‖X - W H‖ / ‖X‖`, the share of the length of all activations that the parts miss.
    pub missed: f64,
    /// Steps until the numbers settled, or the most there are.
    pub steps: usize,
    /// Whether the numbers settled.
    pub settled: bool,
}

impl NonNegative {
    /// The weights of activations under these parts, none below zero: `[token][d]` to `[token][component]`.
    ///
    /// # Errors
    ///
    /// Activations of another width than the site's.
    pub fn project_activations(&self, activations: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        activations.iter().try_for_each(|own| self.check(own.len(), self.parts[0].len(), "an activation"))?;
        let mut weights = vec![vec![0.0; self.parts.len()]; activations.len()];
        let first = descend(activations, &mut weights, &self.parts);
        let mut left = STEPS;
        while left > 0 && descend(activations, &mut weights, &self.parts) > SETTLED * first {
            left -= 1;
        }
        Ok(weights)
    }

    /// The activations that weights stand for: `[token][component]` to `[token][d]`.
    ///
    /// # Errors
    ///
    /// Weights of another number of components.
    pub fn reconstruct_activations(&self, weights: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        weights.iter().try_for_each(|own| self.check(own.len(), self.parts.len(), "a list of weights"))?;
        Ok(product(weights, &self.parts))
    }

    fn check(&self, actual: usize, expected: usize, what: &str) -> Result<()> {
        if actual == expected {
            return Ok(());
        }
        Err(refuse(format!("{what} of `{}` has {expected} numbers, got {actual}", self.site)))
    }
}

impl Superposition {
    /// The `components` parts of a site that are never taken away (NMF): the activations are sums of them, with weights
    /// that are never below zero. Parts overlap less than principal components and need not be orthogonal.
    ///
    /// The method is coordinate descent, step by step as in scikit-learn. It finds a local optimum that depends on the
    /// seed; the same seed gives the same parts. It keeps every token, `tokens · (d + components)` numbers of 8 bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Superposition::activations`]; no components; an activation below zero, unless it counts as zero;
    /// activations that are all zero.
    pub fn non_negative_parts<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        site: impl Into<SitePattern>,
        components: usize,
        negatives: Negatives,
        seed: u64,
    ) -> Result<NonNegative> {
        let site = self.one_site(site)?;
        let rows = accepted(site.as_str(), self.activations(batches, site.clone())?, negatives)?;
        if components == 0 {
            return Err(refuse("there cannot be 0 parts; give at least 1".into()));
        }
        let (weights, parts) = start(&rows, components, seed);
        Ok(factored(site.as_str(), &rows, weights, parts, STEPS))
    }
}

/// Activations without a number below zero.
fn accepted(site: &str, mut rows: Vec<Vec<f64>>, negatives: Negatives) -> Result<Vec<Vec<f64>>> {
    let below = rows.iter().flatten().copied().fold(0.0, f64::min);
    if below < 0.0 && negatives == Negatives::Refused {
        return Err(refuse(format!(
            "`{site}` has the activation {below:.4}, and parts only add up to numbers of at least 0; give a site after a \
             ReLU, or `Negatives::Zeroed`"
        )));
    }
    rows.iter_mut().flatten().for_each(|value| *value = value.max(0.0));
    if rows.iter().flatten().all(|value| *value == 0.0) {
        return Err(refuse(format!("`{site}` is never above 0, so it has no parts")));
    }
    Ok(rows)
}

/// Random weights and parts, about as large as the activations.
fn start(rows: &[Vec<f64>], components: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let width = rows[0].len();
    let mean = rows.iter().flatten().sum::<f64>() / (rows.len() * width) as f64;
    let scale = (mean / components as f64).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |count: usize| (0..count).map(|_| scale * rng.random_range(0.0..2.0)).collect::<Vec<f64>>();
    let parts = (0..components).map(|_| draw(width)).collect();
    ((0..rows.len()).map(|_| draw(components)).collect(), parts)
}

/// Alternates between weights and parts until neither moves.
fn factored(
    site: &str,
    rows: &[Vec<f64>],
    mut weights: Vec<Vec<f64>>,
    mut parts: Vec<Vec<f64>>,
    most: usize,
) -> NonNegative {
    let columns = transposed(rows);
    let (mut first, mut steps, mut settled) = (0.0, 0, false);
    while steps < most && !settled {
        let by_token = descend(rows, &mut weights, &parts);
        let (mut by_feature, across) = (transposed(&parts), transposed(&weights));
        let moved = by_token + descend(&columns, &mut by_feature, &across);
        parts = transposed(&by_feature);
        first = if steps == 0 { moved } else { first };
        steps += 1;
        settled = moved <= SETTLED * first;
    }
    let missed = missed(rows, &weights, &parts);
    let (weights, parts) = in_order(&weights, parts);
    NonNegative { site: site.to_owned(), parts, weights, missed, steps, settled }
}

/// One round over the components: each weight moves to the least squares for it alone, but not below zero. Returns how far
/// the gradient was from allowing no move.
fn descend(rows: &[Vec<f64>], weights: &mut [Vec<f64>], parts: &[Vec<f64>]) -> f64 {
    let grams: Vec<Vec<f64>> = parts.iter().map(|a| parts.iter().map(|b| dot(a, b)).collect()).collect();
    let mut violation = 0.0;
    for (row, own) in rows.iter().zip(weights) {
        for (component, part) in parts.iter().enumerate() {
            let gram = &grams[component];
            let slope = dot(gram, own) - dot(row, part);
            violation += if own[component] == 0.0 { slope.min(0.0).abs() } else { slope.abs() };
            if gram[component] > 0.0 {
                own[component] = (own[component] - slope / gram[component]).max(0.0);
            }
        }
    }
    violation
}

fn missed(rows: &[Vec<f64>], weights: &[Vec<f64>], parts: &[Vec<f64>]) -> f64 {
    let back = product(weights, parts);
    let apart = rows.iter().flatten().zip(back.iter().flatten()).map(|(x, back)| (x - back).powi(2)).sum::<f64>();
    (apart / rows.iter().map(|row| dot(row, row)).sum::<f64>()).sqrt()
}

/// Parts of length 1, the one with the most weight first.
fn in_order(weights: &[Vec<f64>], parts: Vec<Vec<f64>>) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut found: Vec<(Vec<f64>, Vec<f64>)> = transposed(weights).into_iter().zip(parts).map(unit).collect();
    found.sort_by(|a, b| dot(&b.0, &b.0).total_cmp(&dot(&a.0, &a.0)));
    let (weights, parts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    (transposed(&weights), parts)
}

fn unit((weights, part): (Vec<f64>, Vec<f64>)) -> (Vec<f64>, Vec<f64>) {
    let length = dot(&part, &part).sqrt();
    let scaled = |numbers: Vec<f64>, by: f64| numbers.into_iter().map(|x| x * by).collect();
    if length > 0.0 { (scaled(weights, length), scaled(part, length.recip())) } else { (weights, part) }
}

fn product(weights: &[Vec<f64>], parts: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |own: &Vec<f64>| {
        let mut sum = vec![0.0; parts[0].len()];
        for (weight, part) in own.iter().zip(parts) {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += weight * part);
        }
        sum
    };
    weights.iter().map(of).collect()
}

fn transposed(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Tool;
    use crate::tools::testing::{close, fixture};

    /// Activations along one direction have one part, which misses nothing.
    #[test]
    fn by_hand() {
        let rows: Vec<Vec<f64>> = [1.0, 0.0, 2.5].iter().map(|size| vec![3.0 * size, 0.0, 4.0 * size]).collect();
        let (weights, parts) = start(&rows, 1, 0);
        let found = factored("embed", &rows, weights, parts, STEPS);
        assert!(found.settled && found.missed < 1e-6, "{found:?}");
        found.parts[0].iter().zip([0.6, 0.0, 0.8]).for_each(|(ours, hand)| close(*ours, hand, 1e-6));
        for (own, hand) in found.weights.iter().zip([5.0, 0.0, 12.5]) {
            close(own[0], hand, 1e-6);
        }
        let again = found.project_activations(&rows).unwrap();
        again.concat().iter().zip(found.weights.concat()).for_each(|(a, b)| close(*a, b, 1e-6));
        let back = found.reconstruct_activations(&again).unwrap();
        back.concat().iter().zip(rows.concat()).for_each(|(a, b)| close(*a, b, 1e-5));
    }

    #[derive(Deserialize)]
    struct Reference {
        points: Vec<Vec<f64>>,
        weights: Vec<Vec<f64>>,
        parts: Vec<Vec<f64>>,
        steps: usize,
        weights_after: Vec<Vec<f64>>,
        parts_after: Vec<Vec<f64>>,
        error_settled: f64,
    }

    /// `tests/fixtures/superposition/make_nmf.py`: scikit-learn's coordinate descent from the same numbers.
    #[test]
    fn steps_and_the_optimum_are_scikit_learns() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/superposition/nmf.json");
        let theirs: Reference = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let from = || (theirs.weights.clone(), theirs.parts.clone());
        let (weights, parts) = from();
        let found = factored("embed", &theirs.points, weights, parts, theirs.steps);
        let (weights, parts) = in_order(&theirs.weights_after, theirs.parts_after);
        let pairs = found.weights.concat().into_iter().zip(weights.concat());
        pairs.chain(found.parts.concat().into_iter().zip(parts.concat())).for_each(|(a, b)| close(a, b, 1e-8));
        let (weights, parts) = from();
        let settled = factored("embed", &theirs.points, weights, parts, STEPS);
        let length = theirs.points.iter().map(|row| dot(row, row)).sum::<f64>().sqrt();
        close(settled.missed * length / theirs.error_settled, 1.0, 1e-3);
    }

    /// Each token has one, two or three disjoint parts.
    #[test]
    fn planted_parts_are_recovered() {
        let planted = [[1.0, 2.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 3.0, 1.0]];
        let size = |token: usize, part: usize| {
            if (token % 7 + 1) >> part & 1 == 1 { 1.0 + ((token + part) * 7 % 5) as f64 } else { 0.0 }
        };
        let row = |token: usize| {
            (0..6).map(|d| (0..3).map(|part| size(token, part) * planted[part][d]).sum()).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = (0..60).map(row).collect();
        let (weights, parts) = start(&rows, 3, 1);
        let found = factored("embed", &rows, weights, parts, STEPS);
        assert!(found.missed < 1e-3, "{}", found.missed);
        for part in planted {
            let length = dot(&part, &part).sqrt();
            let best = found.parts.iter().map(|own| dot(own, &part) / length).fold(0.0, f64::max);
            assert!(best > 0.999, "{best}: {:?}", found.parts);
        }
        assert!(found.weights.iter().chain(&found.parts).flatten().all(|value| *value >= 0.0));
    }

    #[test]
    fn a_site_has_parts_and_mistakes_are_named() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let tokens: Vec<Vec<u32>> = (0..5).map(|row| (0..8).map(|at| (row * 37 + at * 11) % 120).collect()).collect();
        let of = |components, negatives| {
            tool.non_negative_parts(tokens.clone(), "blocks.0.mlp.post", components, negatives, 3)
        };
        let found = of(4, Negatives::Zeroed).unwrap();
        assert_eq!((found.parts.len(), found.parts[0].len(), found.weights.len()), (4, 128, 40));
        assert!(found.missed > 0.0 && found.missed < 1.0);
        assert_eq!(found, of(4, Negatives::Zeroed).unwrap(), "the same seed gives the same parts");
        assert!(of(8, Negatives::Zeroed).unwrap().missed < found.missed, "more parts miss less");
        let error = of(4, Negatives::Refused).unwrap_err().to_string();
        assert!(error.starts_with("superposition: `blocks.0.mlp.post` has the activation -0."), "{error}");
        assert!(error.ends_with("give a site after a ReLU, or `Negatives::Zeroed`"), "{error}");
        let error = of(0, Negatives::Zeroed).unwrap_err().to_string();
        assert_eq!(error, "superposition: there cannot be 0 parts; give at least 1");
        let error = found.project_activations(&[vec![1.0]]).unwrap_err().to_string();
        assert_eq!(error, "superposition: an activation of `blocks.0.mlp.post` has 128 numbers, got 1");
    }
}
