//! The tables.

use std::time::Instant;

use arrakis::Result;
use arrakis::hypothesis::{Alternative, Claim, Correction, Estimand, IntoSample, Null, Sample, Suite, Test, Verdict};

use super::draws::{Rng, Shape};

/// A table with a name.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) print: fn(&Asked),
}

/// How many simulations a row has, and the words that it must have.
pub(crate) struct Asked {
    pub(crate) simulations: usize,
    pub(crate) rows: Vec<String>,
}

impl Asked {
    fn wants(&self, cells: &str) -> bool {
        self.rows.iter().all(|word| cells.contains(word.as_str()))
    }

    /// Prints a row, if it is wanted. What claims in each direction come to is counted side by side.
    fn row(&self, values: &str, n: &str, test: Test, count: impl Fn(Alternative) -> Count + Sync) {
        let name = format!("| {values} | {n} | {test} |");
        if !self.wants(&name) {
            return;
        }
        let counted = std::thread::scope(|scope| {
            let count = &count;
            WAYS.map(|way| scope.spawn(move || count(way))).map(|counted| counted.join().expect("a claim is judged"))
        });
        let [greater, less, both] = counted;
        println!("{name} {} | {} | {} | {} |", greater.cell(), less.cell(), both.cell(), both.coverage());
    }
}

pub(crate) const ALL: [Table; 6] = [
    Table { name: "one sample or pairs", print: one_sample },
    Table { name: "two independent samples", print: two_samples },
    Table { name: "groups", print: groups },
    Table { name: "selected among 270", print: selected },
    Table { name: "families", print: families },
    Table { name: "a million values", print: million },
];

/// What verdicts under a true null, or one of known truth, come to.
#[derive(Default)]
struct Count {
    judged: usize,
    holds: usize,
    unwarned: usize,
    intervals: usize,
    covered: usize,
    refused: usize,
}

impl Count {
    /// Adds a verdict on a claim that is false; `truth` is the true distance from the null.
    fn add(&mut self, verdict: Result<Verdict>, truth: f64) {
        let Ok(verdict) = verdict else {
            self.refused += 1;
            return;
        };
        self.judged += 1;
        self.holds += usize::from(verdict.holds);
        self.unwarned += usize::from(verdict.holds && verdict.caution.is_none());
        if let Some(ci) = verdict.ci {
            self.intervals += 1;
            self.covered += usize::from(ci.low <= truth && truth <= ci.high);
        }
    }

    fn percent(part: usize, whole: usize) -> String {
        if whole == 0 { "-".to_owned() } else { format!("{:.1}", 100.0 * part as f64 / whole as f64) }
    }

    /// `false claims (without a caution) | ..`
    fn cell(&self) -> String {
        if self.refused > 0 {
            return format!("{} refused", Self::percent(self.refused, self.judged + self.refused));
        }
        format!("{} ({})", Self::percent(self.holds, self.judged), Self::percent(self.unwarned, self.judged))
    }

    fn coverage(&self) -> String {
        Self::percent(self.covered, self.intervals)
    }
}

fn claim(test: Test, alternative: Alternative) -> Claim {
    Claim { statement: "a true null".into(), test, alternative, ..Claim::default() }
}

fn judged<T>(found: Result<T>) -> T {
    found.unwrap_or_else(|error| panic!("{error}"))
}

fn sample(values: Vec<f64>) -> Sample {
    values.into_sample().expect("the draws are finite")
}

const WAYS: [Alternative; 3] = [Alternative::Greater, Alternative::Less, Alternative::TwoSided];

fn head() {
    println!(
        "| values | n | test | > | < | two-sided | covered, nominal 95 |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
}

/// The true value of what a test is about.
fn truth(test: Test, shape: Shape) -> f64 {
    match test {
        Test::SignTest => shape.median(),
        Test::Wilcoxon => shape.pseudo_median(),
        _ => shape.mean(),
    }
}

fn one_sample(asked: &Asked) {
    head();
    let tests = [Test::Auto, Test::OneSampleT, Test::SignFlip, Test::Wilcoxon, Test::Bootstrap, Test::SignTest];
    for (shape, n) in Shape::ALL.into_iter().flat_map(|shape| [6, 12, 30].map(|n| (shape, n))) {
        for test in tests {
            asked.row(shape.name(), &n.to_string(), test, |way| {
                let (rng, mut count) = (&mut Rng::new(n as u64), Count::default());
                let null = truth(test, shape);
                for _ in 0..asked.simulations {
                    count.add(claim(test, way).judge(sample(shape.sample(rng, n)), Null::Value(null)), 0.0);
                }
                count
            });
        }
    }
}

fn two_samples(asked: &Asked) {
    head();
    let tests = [Test::Auto, Test::Welch, Test::StudentisedPermutation, Test::Permutation, Test::MannWhitney];
    let lengths = [(6, 6), (24, 6), (12, 30), (30, 30)];
    for (shape, spread, (n_a, n_b)) in Shape::ALL.into_iter().flat_map(|shape| {
        [1.0, 4.0].into_iter().flat_map(move |spread| lengths.map(|lengths| (shape, spread, lengths)))
    }) {
        if shape == Shape::Binary && spread > 1.0 {
            continue;
        }
        for test in tests {
            let values = format!("{}, sd 1 and {spread}", shape.name());
            asked.row(&values, &format!("{n_a}, {n_b}"), test, |way| {
                let (rng, mut count) = (&mut Rng::new((n_a * n_b) as u64), Count::default());
                for _ in 0..asked.simulations {
                    let a = shape.sample(rng, n_a);
                    let wide = |x: f64| shape.mean() + spread * (x - shape.mean());
                    let b = shape.sample(rng, n_b).into_iter().map(wide).collect();
                    let claim = Claim { paired: Some(false), ..claim(test, way) };
                    count.add(claim.judge(sample(a), Null::Sample(sample(b))), 0.0);
                }
                count
            });
        }
    }
}

/// Values of `groups` templates of ten prompts each, half of their variance between templates.
fn grouped(rng: &mut Rng, shape: Shape, groups: usize) -> (Vec<f64>, Vec<String>) {
    let mut values = Vec::new();
    for _ in 0..groups {
        let level = shape.draw(rng) - shape.mean();
        values.extend((0..10).map(|_| level + rng.normal()));
    }
    (values, (0..10 * groups).map(|index| format!("template {}", index / 10)).collect())
}

fn groups(asked: &Asked) {
    head();
    let tests = [Test::Auto, Test::ClusterSignFlip, Test::ClusterBootstrap, Test::OneSampleT];
    for (shape, count) in
        [Shape::Normal, Shape::Exponential].into_iter().flat_map(|shape| [6, 12, 30].map(|n| (shape, n)))
    {
        for test in tests {
            asked.row(shape.name(), &format!("10 of {count} templates"), test, |way| {
                let (rng, mut found) = (&mut Rng::new(count as u64), Count::default());
                for _ in 0..asked.simulations {
                    let (values, groups) = grouped(rng, shape, count);
                    let groups = (test != Test::OneSampleT).then_some(groups);
                    found.add(Claim { groups, ..claim(test, way) }.judge(sample(values), Null::Value(0.0)), 0.0);
                }
                found
            });
        }
    }
    for (shape, counts) in [Shape::Normal, Shape::Exponential]
        .into_iter()
        .flat_map(|shape| [(6, 6), (12, 12), (12, 30), (30, 30)].map(|counts| (shape, counts)))
    {
        for test in [Test::Auto, Test::Welch] {
            let n = format!("10 of {} and of {} templates", counts.0, counts.1);
            asked.row(&format!("two {}", shape.name()), &n, test, |way| {
                let (rng, mut found) = (&mut Rng::new(counts.0 as u64), Count::default());
                for _ in 0..asked.simulations {
                    let ((a, of_a), (b, of_b)) = (grouped(rng, shape, counts.0), grouped(rng, shape, counts.1));
                    let of_b = of_b.into_iter().map(|group| format!("other {group}"));
                    let groups = (test == Test::Auto).then(|| of_a.into_iter().chain(of_b).collect());
                    let claim = Claim { groups, paired: Some(false), ..claim(test, way) };
                    found.add(claim.judge(sample(a), Null::Sample(sample(b))), 0.0);
                }
                found
            });
        }
    }
    for (templates, seeds) in [(6, 4), (12, 8)] {
        asked.row("normal", &format!("{templates} templates x {seeds} seeds"), Test::Auto, |way| {
            let (rng, mut found) = (&mut Rng::new(seeds as u64), Count::default());
            for _ in 0..asked.simulations {
                let (a, b) = (Shape::Normal.sample(rng, templates), Shape::Normal.sample(rng, seeds));
                let values = (0..templates * seeds).map(|i| a[i / seeds] + b[i % seeds] + rng.normal()).collect();
                let names =
                    |of: &dyn Fn(usize) -> usize| Some((0..templates * seeds).map(|i| of(i).to_string()).collect());
                let (groups, crossed) = (names(&|i| i / seeds), names(&|i| i % seeds));
                found.add(
                    Claim { groups, crossed, ..claim(Test::Auto, way) }.judge(sample(values), Null::Value(0.0)),
                    0.0,
                );
            }
            found
        });
    }
}

/// The strongest of 270 heads without any effect, tested on the values that chose it.
fn selected(asked: &Asked) {
    println!(
        "| values | n | test | false claims (without a caution) | covered, nominal 90 |\n| --- | --- | --- | --- | --- |"
    );
    for (shape, n, test, estimand) in [
        (Shape::Normal, 30, Test::Auto, None),
        (Shape::Normal, 30, Test::OneSampleT, None),
        (Shape::Exponential, 30, Test::Auto, None),
        (Shape::Exponential, 30, Test::Auto, Some(Estimand::Median)),
    ] {
        let (rng, mut count) = (&mut Rng::new(3), Count::default());
        let null = if estimand.is_some() { shape.median() } else { shape.mean() };
        for _ in 0..asked.simulations.div_ceil(10) {
            let sum = |values: &Vec<f64>| values.iter().sum::<f64>();
            let heads = (0..270).map(|_| shape.sample(rng, n));
            let best = heads.max_by(|a, b| sum(a).total_cmp(&sum(b))).expect("there are heads");
            let claim = Claim { comparisons: 270, selected: true, estimand, ..claim(test, Alternative::Greater) };
            count.add(claim.judge(sample(best), Null::Value(null)), 0.0);
        }
        println!("| {} | {n} | {test} | {} | {} |", shape.name(), count.cell(), count.coverage());
    }
}

/// Families of twenty claims, ten of them true.
fn families(asked: &Asked) {
    println!(
        "| correction | any false claim (FWER) | false among held (FDR) | true claims found |\n| --- | --- | --- | --- |"
    );
    for correction in
        [Correction::Bonferroni, Correction::Holm, Correction::BenjaminiHochberg, Correction::BenjaminiYekutieli]
    {
        let (rng, mut any, mut share, mut found, rounds) = (&mut Rng::new(5), 0, 0.0, 0, asked.simulations.div_ceil(4));
        for _ in 0..rounds {
            let judge = |index: usize, rng: &mut Rng| {
                let values: Vec<f64> = (0..20).map(|_| rng.normal() + if index < 10 { 1.0 } else { 0.0 }).collect();
                judged(claim(Test::OneSampleT, Alternative::Greater).judge(sample(values), Null::Value(0.0)))
            };
            let suite = (0..20).map(|index| judge(index, rng)).collect::<Suite>().correction(correction);
            let rows = judged(suite.rows());
            let (right, wrong) =
                (rows[..10].iter().filter(|row| row.holds).count(), rows[10..].iter().filter(|row| row.holds).count());
            any += usize::from(wrong > 0);
            share += if right + wrong > 0 { wrong as f64 / (right + wrong) as f64 } else { 0.0 };
            found += right;
        }
        let rounds = rounds as f64;
        println!(
            "| {correction} | {:.1} | {:.1} | {:.1} |",
            100.0 * any as f64 / rounds,
            100.0 * share / rounds,
            10.0 * found as f64 / rounds
        );
    }
}

/// The time of every test for a million values, its interval, estimate and effect size included.
fn million(_asked: &Asked) {
    println!("| test | seconds | p |\n| --- | --- | --- |");
    let (rng, n) = (&mut Rng::new(1), 1_000_000);
    let (a, b) = (Shape::Normal.sample(rng, n), Shape::Normal.sample(rng, n));
    let ones = Shape::Binary.sample(rng, n);
    let groups: Vec<String> = (0..n).map(|index| (index / 1000).to_string()).collect();
    let seeds: Vec<String> = (0..n).map(|index| (index % 1000).to_string()).collect();
    for test in Test::ALL.iter().copied().filter(|test| *test != Test::Auto) {
        let name = test.name();
        let grouped = name.starts_with("cluster") || name.starts_with("crossed");
        let both = if test == Test::ClusterDifference {
            groups.iter().map(|group| format!("other {group}")).collect()
        } else {
            vec![]
        };
        let claim = Claim {
            groups: grouped.then(|| groups.iter().cloned().chain(both).collect()),
            crossed: name.starts_with("crossed").then(|| seeds.clone()),
            margin: (test == Test::Tost).then_some(0.1),
            paired: (test == Test::Tost).then_some(true),
            ..claim(test, Alternative::TwoSided)
        };
        let measured = || match test {
            Test::MonteCarlo => (sample(vec![0.1]), Null::Sample(sample(b.clone()))),
            Test::Binomial => (sample(ones.clone()), Null::Value(0.5)),
            Test::Mcnemar => (sample(ones.clone()), Null::Sample(sample(ones.iter().rev().copied().collect()))),
            Test::OneSampleT => (sample(a.clone()), Null::Value(0.0)),
            _ => (sample(a.clone()), Null::Sample(sample(b.clone()))),
        };
        let (observed, null) = measured();
        let begun = Instant::now();
        let verdict = judged(claim.judge(observed, null));
        println!("| {test} | {:.2} | {:.3} |", begun.elapsed().as_secs_f64(), verdict.p_value);
    }
}
