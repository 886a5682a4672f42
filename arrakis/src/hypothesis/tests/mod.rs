//! The statistics that a claim can name, one per file: a plain function over slices, and how a claim calls it.
//!
//! A statistic is a unit struct that implements [`Statistic`], and one row of the list below.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::statistic::Statistic;
use crate::error::{Error, Result};

/// Declares the statistics. Of several that fit and suit the values, the first is chosen. A row has four parts:
/// - the file, whose name is also the test's name in files and on the command line;
/// - the type;
/// - what it tests, in words;
/// - the plain functions that [`stats`](super::stats) exports.
macro_rules! statistics {
    ($($file:ident $kind:ident $about:literal { $($function:ident),* },)*) => {
        $(
            mod $file;
        )*

        /// The plain functions of all statistics.
        pub(super) mod functions {
            $(pub use super::$file::{$($function),*};)*
        }

        /// A statistical test, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Test {
            /// Chosen from the measurement and from the claim's options:
            ///
            /// - one value against draws by [`Test::MonteCarlo`];
            /// - several values against a number, and pairs, by [`Test::RobustMean`]; if they are zeros and ones, by
            ///   [`Test::Binomial`] and [`Test::Mcnemar`]; if all differences are equal, by [`Test::SignFlip`];
            /// - two independent samples by [`Test::RobustDifference`]; if neither varies, by [`Test::Permutation`];
            /// - the median, if it is asked for, by [`Test::SignTest`];
            /// - with a margin by [`Test::Tost`];
            /// - with groups by [`Test::ClusterMean`], of two independent samples by [`Test::ClusterDifference`], with groups
            ///   across them by [`Test::CrossedMean`].
            #[default]
            Auto,
            $(#[doc = concat!($about, ".")] $kind,)*
        }

        impl Test {
            /// Every test: [`Test::Auto`], then the others in the order of the automatic choice.
            pub const ALL: &'static [Self] = &[Self::Auto, $(Self::$kind),*];

            /// The name in files and on the command line, such as `sign_flip`.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Auto => "auto",
                    $(Self::$kind => stringify!($file),)*
                }
            }

            /// What it tests, in a few words.
            pub fn about(self) -> &'static str {
                match self {
                    Self::Auto => "The first test that fits the measurement and suits its values",
                    $(Self::$kind => $about,)*
                }
            }

            /// The statistic of this name; `None` for [`Test::Auto`].
            pub(crate) fn statistic(self) -> Option<&'static dyn Statistic> {
                match self {
                    Self::Auto => None,
                    $(Self::$kind => Some(&$file::$kind),)*
                }
            }
        }
    };
}

statistics! {
    monte_carlo MonteCarlo "One value among draws of the null" { monte_carlo },
    binomial Binomial "Zeros and ones against a probability" { binomial, clopper_pearson },
    mcnemar Mcnemar "Pairs of zeros and ones: which is one more often" { mcnemar },
    robust_mean RobustMean "A sample against a number, or pairs: the mean, guarded against skew and long tails" { robust_mean },
    robust_difference RobustDifference "Two independent samples: their means, guarded against unequal spread and skew" { robust_difference },
    permutation Permutation "Two independent samples: exchangeability, by permuting labels" { permutation },
    studentised_permutation StudentisedPermutation "Two independent samples: their means, by permuting labels of a t" { studentised_permutation },
    welch Welch "Two independent samples, approximately normal: their means" { welch, welch_interval },
    mann_whitney MannWhitney "Two independent samples: which tends to be larger, by ranks" { mann_whitney, shift },
    sign_flip SignFlip "A sample against a number, or pairs: symmetry, by flipping signs" { sign_flip, sign_flip_paired },
    sign_test SignTest "A sample against a number, or pairs: the median, by counting signs" { sign_test },
    paired_t PairedT "Pairs, approximately normal: the mean difference" { paired_t },
    wilcoxon Wilcoxon "A sample against a number, or pairs: symmetry, by ranks" { wilcoxon, wilcoxon_paired, pseudo_median },
    one_sample_t OneSampleT "A sample against a number, approximately normal: its mean" { one_sample_t, one_sample_t_interval },
    bootstrap Bootstrap "A sample against a number, or pairs: the mean, by resampling" { bootstrap_test },
    cluster_mean ClusterMean "Like robust_mean, if values of one group are not independent: needs `groups`" { cluster_mean },
    cluster_difference ClusterDifference "Like robust_difference, if values of one group are not independent: needs `groups`" { cluster_difference },
    cluster_sign_flip ClusterSignFlip "Like the sign flip, if values of one group are not independent: needs `groups`" { cluster_sign_flip },
    cluster_bootstrap ClusterBootstrap "Like the bootstrap, if values of one group are not independent: needs `groups`" { cluster_bootstrap_test },
    crossed_mean CrossedMean "The mean, if values share groups in two crossed groupings: needs `groups` and `crossed`" { crossed_mean },
    tost Tost "Equivalence: the mean is within `margin` of the null, approximately normal" { Equivalence, tost, tost_two_sample },
}

pub(super) use cluster_difference::split as groups_of_samples;
pub(super) use cluster_mean::means as group_means;
pub(super) use crossed_mean::levels;

impl Test {
    /// The assumptions about the measurement under which the p-value is valid.
    pub fn assumes(self) -> &'static str {
        self.statistic().map_or("the assumptions of the chosen test", Statistic::assumes)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Test {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let near = |test: &Self| strsim::levenshtein(test.name(), text);
        let nearest = Self::ALL.iter().copied().min_by_key(near).expect("BUG: there are tests");
        if nearest.name() == text {
            return Ok(nearest);
        }
        let names: Vec<&str> = Self::ALL.iter().map(|test| test.name()).collect();
        Err(Error::Statistics {
            test: "test",
            problem: format!("`{text}` is not a test"),
            fix: format!("did you mean `{nearest}`? The tests are {}", names.join(", ")),
        })
    }
}

#[cfg(test)]
mod laws {
    use super::super::data::{Data, Design, Pairing, Terms};
    use super::super::effects::{cliffs_delta, cohen_d, cohen_dz, hedges_g, pearson, rank_biserial, spearman};
    use super::super::ground::guard::mean;
    use super::super::ground::resample::{self, bootstrap as bootstrap_interval};
    use super::super::ground::testing::{assert_close, numbers, reference};
    use super::super::ground::{Alternative, Interval, student};
    use super::functions::{binomial, one_sample_t_interval, pseudo_median, shift, welch_interval};
    use super::*;

    #[test]
    fn names_read_back_and_a_misspelt_one_gets_the_nearest() {
        for test in Test::ALL {
            assert_eq!(test.to_string().parse::<Test>().unwrap(), *test);
            assert_eq!(serde_json::to_value(test).unwrap(), test.name());
        }
        let error = "sign_flop".parse::<Test>().unwrap_err().to_string();
        assert!(error.starts_with("`test`: `sign_flop` is not a test; did you mean `sign_flip`?"), "{error}");
    }

    #[test]
    fn every_statistic_says_what_it_tests_and_what_it_assumes() {
        for test in Test::ALL {
            let (about, assumes) = (test.about(), test.assumes());
            assert!(about.len() > 20 && !about.ends_with('.'), "{test}: {about}");
            assert!(assumes.len() > 10 && !assumes.ends_with('.'), "{test}: {assumes}");
        }
    }

    const NASTY: [&[f64]; 10] = [
        &[1.0],
        &[1.0, 0.0],
        &[0.0; 14],
        &[0.1; 14],
        &[f64::MAX, -f64::MAX, f64::MAX],
        &[f64::MIN_POSITIVE, 5e-324, -5e-324],
        &[1.0, 1.0 + f64::EPSILON, 1.0],
        &[0.0, 1e300, 2e300, 0.0, 1e300, 2e300, 0.0],
        &[f64::NAN, 1.0, 2.0],
        &[f64::INFINITY, f64::NEG_INFINITY],
    ];

    /// Every design that `a` and `b` can be given as, with its data.
    fn shapes<'a>(a: &'a [f64], b: &'a [f64]) -> Vec<(Design, Data<'a>)> {
        let ones = |values: &[f64]| values.iter().all(|&value| value == 0.0 || value == 1.0);
        let binary = ones(a) && b[0] > 0.0 && b[0] < 1.0;
        let samples = |pairing| Design::Samples { pairing, binary: ones(a) && ones(b) };
        let mut shapes = vec![
            (Design::Draws, Data::Draws { observed: a[0], null: b }),
            (Design::Number { binary }, Data::Number { observed: a, null: b[0] }),
            (samples(Pairing::Independent), Data::Samples { observed: a, null: b, paired: false }),
        ];
        if a.len() == b.len() {
            shapes.push((samples(Pairing::Paired), Data::Samples { observed: a, null: b, paired: true }));
        }
        shapes
    }

    #[test]
    fn no_sample_makes_a_statistic_panic_or_return_a_nan() {
        let pairs = || NASTY.iter().flat_map(|a| NASTY.iter().map(move |b| (*a, *b)));
        let statistics = || Test::ALL.iter().filter_map(|test| Some((test, test.statistic()?)));
        for ((a, b), alternative) in pairs()
            .flat_map(|pair| [Alternative::Greater, Alternative::Less, Alternative::TwoSided].map(|way| (pair, way)))
        {
            let groups: Vec<String> = (0..a.len()).map(|index| (index % 3).to_string()).collect();
            let crossed: Vec<String> = (0..a.len()).map(|index| (index % 2).to_string()).collect();
            let (margin, groups, crossed) = (Some(0.5), Some(groups.as_slice()), Some(crossed.as_slice()));
            let terms = Terms { alternative, alpha: 0.4, draws: 19, seed: 0, margin, groups, crossed };
            for ((test, statistic), (design, data)) in
                statistics().flat_map(|named| shapes(a, b).into_iter().map(move |shape| (named, shape)))
            {
                if !statistic.fits(design) {
                    continue;
                }
                if let Ok(found) = statistic.run(&terms, data) {
                    assert!(found.p_value > 0.0 && found.p_value <= 1.0, "{test} {a:?} {b:?} {found:?}");
                    assert!(found.statistic.is_finite(), "{test} {a:?} {b:?} {found:?}");
                }
                let ends = |interval: Interval| interval.low.is_finite() && interval.high.is_finite();
                assert!(statistic.interval(&terms, data).ok().flatten().is_none_or(ends), "{test} {a:?} {b:?}");
                assert!(statistic.effect(data).map_or(true, |effect| effect.value.is_finite()), "{test} {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn intervals_are_the_shifts_that_scipys_tests_do_not_reject() {
        let expected = reference("duals");
        let (a, b) = (numbers(&expected["a"]), numbers(&expected["b"]));
        let (margin, groups, crossed) = (None, None, None);
        let alternative = Alternative::TwoSided;
        let terms = Terms { alternative, alpha: 0.05, draws: 999, seed: 0, margin, groups, crossed };
        let (one, two) =
            (Data::Number { observed: &a, null: 0.0 }, Data::Samples { observed: &a, null: &b, paired: false });
        for (test, data) in [
            (Test::Wilcoxon, one),
            (Test::SignTest, one),
            (Test::OneSampleT, one),
            (Test::MannWhitney, two),
            (Test::Welch, two),
        ] {
            let found = test.statistic().unwrap().interval(&terms, data).unwrap().unwrap();
            let expected = numbers(&expected[test.name()]);
            assert_close(found.low, expected[0], 1e-9);
            assert_close(found.high, expected[1], 1e-9);
        }
        assert_close(pseudo_median(&a).unwrap(), expected["pseudo_median"].as_f64().unwrap(), 1e-12);
        assert_close(shift(&a, &b).unwrap(), expected["shift"].as_f64().unwrap(), 1e-12);
    }

    #[test]
    fn a_million_values_give_scipys_numbers() {
        let expected = reference("large");
        for row in expected["binomial"].as_array().unwrap() {
            let [k, n] = ["k", "n"].map(|key| row[key].as_u64().unwrap());
            for alternative in [Alternative::Greater, Alternative::Less, Alternative::TwoSided] {
                let found = binomial(k, n, row["p"].as_f64().unwrap(), alternative).unwrap().p_value;
                assert_close(found, row[alternative.to_string()].as_f64().unwrap(), 1e-9);
            }
        }
        for row in expected["student"].as_array().unwrap() {
            let [t, df, tail] = [0, 1, 2].map(|column| row[column].as_f64().unwrap());
            assert_close(student::p_value(t, df, Alternative::Greater) / tail, 1.0, 1e-9);
        }
    }

    #[test]
    fn no_sample_makes_an_effect_size_or_an_interval_a_nan() {
        for (a, b) in NASTY.iter().flat_map(|a| NASTY.iter().map(move |b| (*a, *b))).chain([(&[][..], &[][..])]) {
            let effects = [cohen_d(a, b), hedges_g(a, b), cohen_dz(a), cliffs_delta(a, b), rank_biserial(a)];
            let more = [pearson(a, b), spearman(a, b)];
            assert!(effects.into_iter().chain(more).flatten().all(f64::is_finite), "{a:?} {b:?}");
            let ends = |interval: Interval| interval.low.is_finite() && interval.high.is_finite();
            let resampled = bootstrap_interval(a, resample::Bootstrap::default(), mean);
            let intervals = [resampled, welch_interval(a, b, 0.9), one_sample_t_interval(a, 0.9)];
            assert!(intervals.into_iter().flatten().all(ends), "{a:?} {b:?}");
        }
    }
}
