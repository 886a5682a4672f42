//! The plot kinds, one per file: the data of each, its checks, drawing and table.
//!
//! A kind is a struct that implements [`PlotKind`](super::PlotKind), and one row of the list below.

use serde::{Deserialize, Serialize};

use super::PlotKind;

/// Declares the kinds. A row has four parts:
/// - the file, which is also the builder method of [`Figure`](super::Figure);
/// - the name in data files;
/// - the type;
/// - the types it is made of.
macro_rules! kinds {
    ($($file:ident $name:literal $kind:ident { $($part:ident),* },)*) => {
        $(
            mod $file;
            pub use $file::{$kind, $($part),*};
        )*

        /// One panel of a figure: a plot of some kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        #[non_exhaustive]
        pub enum Panel {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] #[serde(rename = $name)] $kind($kind),)*
        }

        impl Panel {
            /// The names of all kinds, as data files write them.
            pub const KINDS: &'static [&'static str] = &[$($name),*];

            /// The plot inside.
            pub fn plot(&self) -> &dyn PlotKind {
                match self {
                    $(Self::$kind(plot) => plot,)*
                }
            }
        }

        $(impl From<$kind> for Panel {
            fn from(plot: $kind) -> Self {
                Self::$kind(plot)
            }
        })*

        /// The builder methods of a figure, one per kind.
        macro_rules! builders {
            () => {
                $(
                    #[doc = concat!("Adds a panel: see [`", stringify!($kind), "`](super::", stringify!($kind), ").")]
                    #[must_use]
                    pub fn $file(self, plot: super::$kind) -> Self {
                        self.with(plot)
                    }
                )*
            };
        }
        pub(super) use builders;

        /// Panels of every kind that show `values`.
        #[cfg(test)]
        pub(super) fn examples(values: &[f64]) -> Vec<Panel> {
            let mut panels = Vec::new();
            $(panels.extend(<$kind as super::kind::Example>::examples(values).into_iter().map(Panel::from));)*
            panels
        }
    };
}

kinds! {
    heatmap "heatmap" Heatmap {},
    attention "attention" Attention { Head },
    line "line" Line { Series },
    bar "bar" Bars { Bar },
    violin "violin" Violin { Group, Shape },
    scatter "scatter" Scatter { Point },
    tokens "tokens" ColouredTokens {},
    histogram "histogram" Histogram { Reference },
}

/// Numbers of any float type as `f64`, the type that figures keep.
pub(super) fn numbers(values: impl IntoIterator<Item = impl Into<f64>>) -> Vec<f64> {
    values.into_iter().map(Into::into).collect()
}

/// Labels from anything that implements `ToString`: `&str`, `String`, layer numbers.
pub(super) fn strings(labels: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    labels.into_iter().map(|label| label.to_string()).collect()
}

/// `prefix0`, `prefix1` ... for `count` layers, heads or positions.
pub(super) fn counted(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Figure;
    use super::*;

    /// Values that a careless plot would turn into a number, or a panic.
    const UGLY: [&[f64]; 12] = [
        &[],
        &[f64::NAN],
        &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN],
        &[0.0],
        &[1.0, f64::NAN, 3.0, f64::INFINITY, 2.0, f64::NEG_INFINITY],
        &[-1e300, 1e300],
        &[1e-310, 2e-310, 0.0],
        &[1e15, 1e15 + 0.25],
        &[-0.0, f64::NAN, 5e-324],
        &[1e300, f64::INFINITY, 1.0],
        &[1e20, 1e20, 1e20, 1e20, 1e20, 1e20],
        &[-7.0, -7.0, -7.0, -7.0, -7.0, -6.999_999_999_999_999],
    ];

    /// The panels of `values` that can be drawn, each in its own figure.
    fn drawn(values: &[f64]) -> Vec<Figure> {
        let figures = examples(values).into_iter().map(|panel| Figure::new("").with(panel));
        figures.filter(|figure| figure.validate().is_ok()).collect()
    }

    #[test]
    fn a_kind_has_one_name_in_the_list_and_in_its_files() {
        let panels = examples(&[1.0, 2.0]);
        let tag = |panel: &Panel| serde_json::to_value(panel).unwrap()["kind"].as_str().unwrap().to_owned();
        let mut tags: Vec<String> = panels.iter().map(tag).collect();
        tags.dedup();
        assert_eq!(tags, Panel::KINDS, "every kind has an example, in the order of the list");
        for panel in panels {
            let figure = Figure::new("t").with(panel);
            assert_eq!(Figure::from_json(&figure.to_json()).unwrap().to_json(), figure.to_json());
        }
    }

    #[test]
    fn without_a_finite_value_there_is_nothing_to_draw() {
        for values in &UGLY[..3] {
            for panel in examples(values) {
                let error = panel.plot().validate().unwrap_err().to_string();
                assert!(error.starts_with(&format!("nothing to draw in the {}: ", panel.plot().name())), "{error}");
            }
        }
    }

    #[test]
    fn every_kind_draws_data_with_a_finite_value() {
        for values in &UGLY[3..] {
            assert_eq!(drawn(values).len(), examples(values).len(), "{values:?}");
            for figure in drawn(values) {
                assert!(!figure.scene().0.marks.is_empty() && !figure.to_terminal().is_empty());
            }
        }
    }

    #[test]
    fn every_mark_lies_inside_its_figure_whatever_the_values() {
        for values in &UGLY[3..] {
            for figure in drawn(values) {
                let (scene, (wide, high)) = figure.scene();
                for mark in &scene.marks {
                    let inside =
                        |(x, y): (f64, f64)| (-1.0..=wide + 1.0).contains(&x) && (-1.0..=high + 1.0).contains(&y);
                    let points = mark.corners();
                    assert!(points.into_iter().all(inside), "{values:?}: {mark:?} outside {wide} x {high}");
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_reported_in_the_picture_and_in_the_terminal() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for figure in drawn(&[1.0, value, 2.0, 3.0]) {
                let reported =
                    |text: &str| ["NaN", "inf", "not finite", "not\u{a0}finite"].iter().any(|word| text.contains(word));
                let kind = figure.panels[0].plot().name();
                assert!(reported(&figure.to_svg().unwrap()), "the picture of the {kind} hides {value}");
                assert!(reported(&figure.to_terminal()), "the terminal of the {kind} hides {value}");
            }
        }
    }
}
