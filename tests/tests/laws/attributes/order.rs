//! The five attributes do the same in any order.

use super::*;

/// One function under attributes in a given order, in its own module.
macro_rules! experiment {
    ($module:ident: $(#[$attr:meta])*) => {
        mod $module {
            use super::super::*;

            $(#[$attr])*
            pub(super) fn mean_logit(bench: &Bench, token: u32, #[tool] depth: Depth, #[figure] fig: &mut Figure) -> Result<f64> {
                let logits = bench.model().forward([token, 2, 3])?;
                fig.push(plot::Heatmap::new([[1.0, 2.0]]));
                Ok(f64::from(logits.abs().mean().into_scalar::<f32>()) + depth.n_layers as f64)
            }
        }
    };
}

macro_rules! orders {
    ($($module:ident: $($attr:ident)*;)*) => {
        $(orders!(@ $module [] $($attr)*);)*

        /// The record that each order leaves, and the value it returns.
        fn outcomes(token: u32) -> Vec<(f64, Record)> {
            vec![$({
                let (_folder, bench) = bench();
                let value = $module::mean_logit(&bench, token).unwrap();
                (value, bench.last().unwrap().record.unwrap())
            }),*]
        }
    };
    (@ $module:ident [$($done:tt)*]) => { experiment!($module: $($done)*); };
    (@ $module:ident [$($done:tt)*] log $($rest:ident)*) => { orders!(@ $module [$($done)* #[log_experiment(seed = 3)]] $($rest)*); };
    (@ $module:ident [$($done:tt)*] tools $($rest:ident)*) => { orders!(@ $module [$($done)* #[use_tools]] $($rest)*); };
    (@ $module:ident [$($done:tt)*] plot $($rest:ident)*) => { orders!(@ $module [$($done)* #[plot_results]] $($rest)*); };
    (@ $module:ident [$($done:tt)*] profile $($rest:ident)*) => { orders!(@ $module [$($done)* #[arrakis::profile_model]] $($rest)*); };
    (@ $module:ident [$($done:tt)*] hypothesis $($rest:ident)*) => {
        orders!(@ $module [$($done)* #[test_hypothesis(claim = "logits are large", null = |_bench, seed| seed as f64 * 1e-30, alternative = Greater)]] $($rest)*);
    };
}

orders! {
    a: log tools plot profile hypothesis;
    b: hypothesis profile plot tools log;
    c: tools log hypothesis plot profile;
    d: plot hypothesis log profile tools;
    e: profile plot tools hypothesis log;
    f: tools plot log profile hypothesis;
}

/// What passed each site: the part of a profile that does not depend on time.
fn passed(record: &Record) -> Vec<(&str, u64, u64)> {
    let sites = record.profile.iter().flat_map(|profile| &profile.sites);
    sites.map(|site| (site.site.as_str(), site.passes, site.bytes)).collect()
}

#[test]
fn every_order_leaves_the_same_record() {
    let outcomes = outcomes(1);
    let (value, first) = &outcomes[0];
    assert_eq!(first.result::<f64>().unwrap(), *value);
    assert_eq!((first.seed, first.argument::<u32>("token").unwrap(), first.arguments.len()), (3, 1, 1));
    for (other_value, other) in &outcomes {
        assert_eq!(other_value, value);
        assert_eq!(
            (&other.outcome, &other.arguments, &other.source_hash, other.seed),
            (&first.outcome, &first.arguments, &first.source_hash, first.seed)
        );
        assert_eq!(other.verdict, first.verdict);
        assert!(other.verdict.as_ref().unwrap().holds && other.problems.is_empty());
        assert_eq!(passed(other), passed(first));
        assert_eq!(other.figures.len(), first.figures.len());
    }
}

/// The other attributes do not recognise one that is imported under another name. It joins them at run time.
mod renamed {
    use arrakis::{log_experiment as keep, profile_model as time};

    use super::*;

    #[keep]
    #[time]
    pub(super) fn outside(_bench: &Bench) -> u32 {
        7
    }

    #[use_tools]
    #[time]
    #[keep]
    pub(super) fn inside(_bench: &Bench, #[tool] depth: Depth) -> usize {
        depth.n_layers
    }
}

#[test]
fn attributes_under_other_names_join_one_record() {
    let (_folder, bench) = bench();
    assert_eq!((renamed::outside(&bench), renamed::inside(&bench)), (7, 2));
    for name in ["outside", "inside"] {
        assert!(only_run(&bench, name).profile.is_some(), "{name}");
    }
}
