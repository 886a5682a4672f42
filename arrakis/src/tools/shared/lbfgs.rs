//! The minimum of a smooth convex function, by L-BFGS.
//!
//! Source: Nocedal and Wright, "Numerical Optimization" (2006), algorithms 7.4 and 7.5, with a backtracking line search
//! (algorithm 3.1).

use std::collections::VecDeque;

/// Steps that the curvature is estimated from.
const HISTORY: usize = 10;
const MOST_STEPS: usize = 2000;

/// A step and the change of the gradient along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// Their product, which is positive.
    product: f64,
}

/// Minimises a function that returns its value and gradient, from `start`, until no entry of the gradient exceeds
/// `tolerance`. `None` if it does not get there, or meets a number that is not finite.
pub(crate) fn minimize(
    mut of: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    start: Vec<f64>,
    tolerance: f64,
) -> Option<Vec<f64>> {
    let mut at = start;
    let (mut value, mut gradient) = of(&at);
    let mut pairs: VecDeque<Pair> = VecDeque::new();
    for _ in 0..MOST_STEPS {
        if !value.is_finite() {
            return None;
        }
        if gradient.iter().all(|slope| slope.abs() <= tolerance) {
            return Some(at);
        }
        let direction = direction(&gradient, &pairs);
        let slope = dot(&direction, &gradient);
        let (next, next_value, next_gradient) = line_search(&mut of, &at, value, &direction, slope)?;
        let step = difference(&next, &at);
        let change = difference(&next_gradient, &gradient);
        let product = dot(&step, &change);
        if product > 1e-14 * dot(&change, &change) {
            pairs.truncate(HISTORY - 1);
            pairs.push_front(Pair { step, change, product });
        }
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    None
}

/// Minus the estimated inverse of the curvature, times the gradient.
fn direction(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut rest = gradient.to_vec();
    let mut weights = Vec::new();
    for pair in pairs {
        let weight = dot(&pair.step, &rest) / pair.product;
        add(&mut rest, -weight, &pair.change);
        weights.push(weight);
    }
    if let Some(latest) = pairs.front() {
        let scale = latest.product / dot(&latest.change, &latest.change);
        for x in &mut rest {
            *x *= scale;
        }
    }
    for (pair, weight) in pairs.iter().zip(weights).rev() {
        let other = dot(&pair.change, &rest) / pair.product;
        add(&mut rest, weight - other, &pair.step);
    }
    rest.into_iter().map(|x| -x).collect()
}

/// The first of the steps 1, 1/2, 1/4, … that lowers the value enough. Where rounding hides a decrease, an equal value
/// is enough.
fn line_search(
    of: &mut impl FnMut(&[f64]) -> (f64, Vec<f64>),
    at: &[f64],
    value: f64,
    direction: &[f64],
    slope: f64,
) -> Option<(Vec<f64>, f64, Vec<f64>)> {
    let mut length = 1.0;
    for _ in 0..60 {
        let mut next = at.to_vec();
        add(&mut next, length, direction);
        let (next_value, next_gradient) = of(&next);
        if next_value <= value + 1e-4 * length * slope + f64::EPSILON * value.abs() {
            return Some((next, next_value, next_gradient));
        }
        length /= 2.0;
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ill_conditioned_bowl_has_its_minimum_by_hand() {
        let curvature: [f64; 3] = [1.0, 100.0, 1e4];
        let of = |x: &[f64]| {
            let gradient: Vec<f64> = x.iter().zip(curvature).map(|(x, c)| c * (x - c.sqrt())).collect();
            let value = x.iter().zip(curvature).map(|(x, c)| 0.5 * c * (x - c.sqrt()).powi(2)).sum();
            (value, gradient)
        };
        let found = minimize(of, vec![0.0; 3], 1e-9).unwrap();
        for (found, expected) in found.iter().zip([1.0, 10.0, 100.0]) {
            assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        }
    }

    #[test]
    fn a_function_without_a_minimum_is_given_up() {
        assert!(minimize(|x| (-x[0], vec![-1.0]), vec![0.0], 1e-9).is_none());
        assert!(minimize(|_| (f64::NAN, vec![1.0]), vec![0.0], 1e-9).is_none());
    }
}
