//! How much of the variance lies between the groups of each grouping.
//!
//! Source: Henderson, "Estimation of variance and covariance components" (1953), method 1, for crossed and nested
//! groupings of any sizes; in balanced tables it is the analysis of variance.

use serde::{Deserialize, Serialize};

/// The variance that one grouping adds to a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VarianceComponent {
    /// The option that names the grouping (`groups`, `nested`, `crossed`), or `values` for what is left within them.
    pub source: String,
    /// How many groups there are; for `values`, how many values.
    pub levels: usize,
    /// The variance, in the squared units of the metric; 0 if the estimate is negative.
    pub variance: f64,
    /// Its share of the sum of all components, in `[0, 1]`.
    pub share: f64,
}

/// The values of a sample, and the level of each in every grouping.
pub(crate) struct Part {
    pub(crate) values: Vec<f64>,
    pub(crate) levels: Vec<Vec<usize>>,
}

/// The components of named groupings, and of the rest: of several samples, each about its own mean, the mean over values.
pub(crate) fn named(names: &[&str], parts: &[Part]) -> Vec<VarianceComponent> {
    let all: usize = parts.iter().map(|part| part.values.len()).sum();
    let (mut variances, mut levels) = (vec![0.0; names.len() + 1], vec![0; names.len()]);
    for part in parts {
        let share = part.values.len() as f64 / all as f64;
        let found = components(&part.values, &part.levels);
        variances.iter_mut().zip(found).for_each(|(sum, variance)| *sum += share * variance);
        levels.iter_mut().zip(&part.levels).for_each(|(sum, levels)| *sum += count(levels));
    }
    let variances: Vec<f64> = variances.into_iter().map(|variance| variance.max(0.0)).collect();
    let total: f64 = variances.iter().sum();
    let sources = names.iter().copied().chain(["values"]).zip(levels.into_iter().chain([all]));
    let component = |((source, levels), variance): ((&str, usize), f64)| VarianceComponent {
        source: source.to_owned(),
        levels,
        variance,
        share: if total > 0.0 { variance / total } else { 0.0 },
    };
    sources.zip(variances).map(component).collect()
}

fn count(levels: &[usize]) -> usize {
    levels.iter().max().map_or(0, |most| most + 1)
}

/// The variance of each grouping and of the rest; an estimate may be negative.
///
/// The uncorrected sum of squares of a grouping has the expectation `sum over groupings g of k_g var_g`, with coefficients
/// counted from the table. Solving for the variances gives unbiased estimates.
pub(crate) fn components(values: &[f64], groupings: &[Vec<usize>]) -> Vec<f64> {
    let n = values.len() as f64;
    let centre = values.iter().sum::<f64>() / n;
    let whole = vec![0; values.len()];
    // Rows: the sum of squares of each grouping and of single values, each less that of the mean.
    let of_mean = Row::of(values, centre, &whole, groupings);
    let mut rows: Vec<Row> = groupings.iter().map(|levels| Row::of(values, centre, levels, groupings)).collect();
    let squares = values.iter().map(|value| (value - centre).powi(2)).sum();
    rows.push(Row { squares, coefficients: vec![n; groupings.len() + 1] });
    for row in &mut rows {
        row.squares -= of_mean.squares;
        row.coefficients.iter_mut().zip(&of_mean.coefficients).for_each(|(mine, its)| *mine -= its);
    }
    solve(rows)
}

/// The sum of squares of a grouping, and the coefficients of the variances in its expectation.
struct Row {
    squares: f64,
    coefficients: Vec<f64>,
}

impl Row {
    fn of(values: &[f64], centre: f64, levels: &[usize], groupings: &[Vec<usize>]) -> Self {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); count(levels)];
        levels.iter().enumerate().for_each(|(index, level)| members[*level].push(index));
        let sum = |member: &[usize]| member.iter().map(|index| values[*index] - centre).sum::<f64>();
        let squares = members.iter().map(|member| sum(member).powi(2) / member.len() as f64).sum();
        let coefficient = |other: &Vec<usize>| members.iter().map(|member| shared(member, other)).sum::<f64>();
        let coefficients = groupings.iter().map(coefficient).chain([members.len() as f64]).collect();
        Self { squares, coefficients }
    }
}

/// The sum of squared counts of the groups of `other` among `member`, over the number of members.
fn shared(member: &[usize], other: &[usize]) -> f64 {
    let mut groups: Vec<usize> = member.iter().map(|index| other[*index]).collect();
    groups.sort_unstable();
    groups.chunk_by(|a, b| a == b).map(|group| (group.len() as f64).powi(2)).sum::<f64>() / member.len() as f64
}

/// Gaussian elimination with pivots; a grouping that the table cannot tell apart gets 0.
fn solve(mut rows: Vec<Row>) -> Vec<f64> {
    let n = rows.len();
    let mut found = vec![0.0; n];
    for column in 0..n {
        let size = |row: &Row| row.coefficients[column].abs();
        let pivot = (column..n).max_by(|&a, &b| size(&rows[a]).total_cmp(&size(&rows[b]))).unwrap_or(column);
        rows.swap(column, pivot);
        if size(&rows[column]) < 1e-9 {
            continue;
        }
        let (above, below) = rows.split_at_mut(column + 1);
        let lead = &above[column];
        for row in below {
            let factor = row.coefficients[column] / lead.coefficients[column];
            row.coefficients.iter_mut().zip(&lead.coefficients).for_each(|(mine, its)| *mine -= factor * its);
            row.squares -= factor * lead.squares;
        }
    }
    for column in (0..n).rev() {
        let known: f64 = (column + 1..n).map(|other| rows[column].coefficients[other] * found[other]).sum();
        let lead = rows[column].coefficients[column];
        found[column] = if lead.abs() < 1e-9 { 0.0 } else { (rows[column].squares - known) / lead };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::{assert_close, normals, numbers, reference, seeded};
    use super::*;

    #[test]
    fn statsmodels_gives_the_same_components_of_a_crossed_table() {
        let expected = reference("crossed");
        let values = numbers(&expected["values"]);
        let levels = ["first", "second"].map(|key| serde_json::from_value(expected[key].clone()).unwrap());
        for (found, expected) in components(&values, &levels).iter().zip(numbers(&expected["components"])) {
            assert_close(*found, expected, 1e-9);
        }
    }

    fn part(values: &[f64], levels: &[&[usize]]) -> Part {
        Part { values: values.to_vec(), levels: levels.iter().map(|levels| levels.to_vec()).collect() }
    }

    #[test]
    fn a_hand_computed_case_of_one_grouping() {
        // Means 2 and 6 of pairs that differ by 2: within 2, between (16 - 2) / 2.
        let found = named(&["groups"], &[part(&[1.0, 3.0, 5.0, 7.0], &[&[0, 0, 1, 1]])]);
        assert_close(found[1].variance, 2.0, 1e-12);
        assert_close(found[0].variance, 7.0, 1e-12);
        assert_close(found[0].share, 7.0 / 9.0, 1e-12);
        assert_eq!((found[0].source.as_str(), found[0].levels, found[1].levels), ("groups", 2, 4));
    }

    #[test]
    fn samples_are_taken_about_their_own_means() {
        // The case above twice, far apart; then beside one without spread within, and 8 between.
        let first = || part(&[1.0, 3.0, 5.0, 7.0], &[&[0, 0, 1, 1]]);
        let found = named(&["groups"], &[first(), part(&[101.0, 103.0, 105.0, 107.0], &[&[0, 0, 1, 1]])]);
        assert_close(found[0].variance, 7.0, 1e-12);
        assert_close(found[1].variance, 2.0, 1e-12);
        assert_eq!((found[0].levels, found[1].levels), (4, 8));
        let found = named(&["groups"], &[first(), part(&[1.0, 1.0, 5.0, 5.0], &[&[0, 0, 1, 1]])]);
        assert_close(found[0].variance, f64::midpoint(7.0, 8.0), 1e-12);
        assert_close(found[1].variance, 1.0, 1e-12);
    }

    #[test]
    fn nested_and_unbalanced_components_are_found_on_average() {
        let rng = &mut seeded(2);
        let (mut sums, rounds) = ([0.0; 3], 400);
        let groups: Vec<usize> = (0..60).map(|index| usize::min(index / 7, 7)).collect();
        let nested: Vec<usize> = (0..60).map(|index| index / 3).collect();
        for _ in 0..rounds {
            let (of_group, of_nested, noise) = (normals(rng, 8), normals(rng, 20), normals(rng, 60));
            let value = |i: usize| 2.0 * of_group[groups[i]] + of_nested[nested[i]] + 0.5 * noise[i];
            let values: Vec<f64> = (0..60).map(value).collect();
            let found = components(&values, &[groups.clone(), nested.clone()]);
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found / f64::from(rounds));
        }
        assert_close(sums[0], 4.0, 0.4);
        assert_close(sums[1], 1.0, 0.1);
        assert_close(sums[2], 0.25, 0.02);
    }

    #[test]
    fn groupings_that_cannot_be_told_apart_give_no_nan() {
        let found = named(&["groups", "crossed"], &[part(&[1.0, 2.0, 4.0], &[&[0, 1, 2], &[0, 1, 2]])]);
        assert!(found.iter().all(|component| component.variance.is_finite() && component.share.is_finite()));
        assert!(
            named(&["groups"], &[part(&[1.0; 4], &[&[0, 0, 1, 1]])]).iter().all(|component| component.share == 0.0)
        );
    }
}
