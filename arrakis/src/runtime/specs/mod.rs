//! The plots that `#[plot_results(..)]` draws by itself, one per file.
//!
//! A plot is a unit struct that implements [`Spec`], and one row of the list below. All plots of a function are drawn
//! from one run on its prompt.

mod array;
mod captured;
mod labels;
mod plots;
mod spec;
mod takes;

pub(super) use plots::Plots;
pub use spec::PlotSpec;

/// Declares the plots. A row has the file, which is also the plot's name in the attribute, and the type.
macro_rules! specs {
    ($($name:ident $kind:ident,)*) => {
        $(mod $name;)*

        /// Every plot under the name that `#[plot_results(..)]` takes.
        pub mod by_name {
            $(
                #[doc = concat!("See `", stringify!($kind), "`.")]
                pub fn $name() -> super::PlotSpec {
                    super::PlotSpec::of(stringify!($name), &super::$name::$kind)
                }
            )*

            /// Every plot.
            #[cfg(test)]
            pub(crate) const ALL: &[fn() -> super::PlotSpec] = &[$($name),*];
        }
    };
}

specs! {
    attention Attention,
    qk Qk,
    attention_stats AttentionStats,
    induction Induction,
    neuron_activations NeuronActivations,
    neuron_trajectories NeuronTrajectories,
    residual_norms ResidualNorms,
    layer_norms LayerNorms,
    heatmap AnySite,
}

#[cfg(test)]
mod tests;
