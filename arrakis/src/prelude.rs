//! What nearly every experiment needs: `use arrakis::prelude::*;`.
//!
//! Plot kinds, the words of a claim and corpus passes are in their modules, [`plot`], [`hypothesis`] and [`corpus`],
//! which are here: `plot::Line::new(..)`, `hypothesis::Sample`, `corpus::Pass`. So words such as `Line`, `Test` and `Sample` stay yours.

pub use arrakis_macros::{hooked, log_experiment, plot_results, profile_model, test_hypothesis, tracked, use_tools};
pub use arrakis_models::{
    ActivationCache, At, Edit, Generation, HookedAutoConfig, HookedAutoModel, HookedTransformer, Intervention, Plan,
    SweepCase, Tokens, site,
};
pub use arrakis_models::{LastPosition as _, TensorRead as _};
pub use burn::tensor::Tensor;

pub use crate::bench::Bench;
pub use crate::error::{Error, Result};
pub use crate::notebook::Notebook as _;
pub use crate::plot::Figure;
pub use crate::tools::all::*;
pub use crate::tools::{Halves, Metric, Position, PromptPair, PromptPairs, PromptTest, ScoreTable, Scores, Tool};
pub use crate::{corpus, hypothesis, plot};

#[cfg(test)]
mod tests {
    /// What a user's own crate, or another one, may export under words that this crate knows too.
    mod own {
        pub(super) mod prelude {
            macro_rules! words {
                ($($word:ident)*) => {
                    $(pub(crate) struct $word;)*

                    /// The words, one of each.
                    pub(crate) fn all() -> Vec<&'static str> {
                        $(let _ = $word;)*
                        vec![$(stringify!($word)),*]
                    }
                };
            }

            words! {
                Alternative Attention Bar Bars Claim Group Head Heatmap Histogram Interval Line Null Panel Point Repeated
                Sample Scatter Series Suite Summary Test Verdict Violin
            }
        }
    }

    mod from_other_globs {
        use arrakis::prelude::*;
        use burn::prelude::*;

        use super::own::prelude::*;

        #[log_experiment]
        #[plot_results(name = "a line")]
        #[test_hypothesis(claim = "it is large", null = 0.5, alternative = Greater, test = OneSampleT)]
        fn measured(bench: &Bench, #[figure] figure: &mut Figure) -> Result<Vec<f64>> {
            let (_own, series) = ([Line], plot::Series::by_index("loss", [3.0, 2.0, 1.0]));
            figure.push(plot::Line::new("step", "loss (nats)").series(series));
            let layers = bench.model().config().n_layers as f64;
            Ok(vec![layers, layers + 1.0, layers + 2.0])
        }

        /// `Tensor` is one type in both preludes.
        fn flat(tensor: Tensor<2>) -> Tensor<1> {
            let rows: Shape = tensor.shape();
            tensor.reshape([rows.num_elements()])
        }

        #[test]
        fn words_of_another_prelude_stay_its_own() {
            assert_eq!(all().len(), 23);
            let _ = (Test, Line, Bar, Sample, Null, Series, Attention, Heatmap, Verdict, Claim);
            let folder = tempfile::tempdir().unwrap();
            let bench = Bench::embedded().unwrap().save_dir(folder.path());
            let _: fn(Tensor<2>) -> Tensor<1> = flat;
            assert_eq!(measured(&bench).unwrap().len(), 3);
            let verdict: hypothesis::Verdict = bench.last().unwrap().verdict.unwrap();
            assert_eq!(verdict.test, hypothesis::Test::OneSampleT);
        }
    }

    mod defined_here {
        use arrakis::prelude::*;

        struct Test;
        struct Line(f64);
        enum Null {
            Sample,
        }

        #[test_hypothesis(claim = "a line is long", null = vec![0.5; 19], alternative = Greater, test = MonteCarlo, statistic = |line| line.0)]
        fn long(_bench: &Bench) -> Line {
            let _ = (Test, Null::Sample);
            Line(1.0)
        }

        #[test]
        fn words_of_ones_own_file_come_first() {
            let bench = Bench::embedded().unwrap();
            assert_eq!(long(&bench).0, 1.0);
        }
    }
}
