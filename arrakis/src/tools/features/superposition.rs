//! The directions a layer uses: covariance, components, and the geometry of features.

mod basis;
mod covariance;
mod geometry;
mod independent;
mod non_negative;
mod toy;

pub use basis::Basis;
pub use geometry::FeatureGeometry;
pub use non_negative::{Negatives, NonNegative};
pub use toy::{Toy, ToyModel};

use arrakis_models::{HookedTransformer, IntoTokens, SitePattern};

use crate::error::{Error, Result};
use crate::tools::Tool;
use crate::tools::shared::token_rows::{TokenRow, each_token};

/// Components of a site's activations, and how features share its dimensions.
///
/// # What it tells you
///
/// - [`Superposition::compute_activation_covariance`]: mean and covariance `[d, d]` of a site over prompts of any lengths,
///   in one pass that keeps no activations.
/// - [`Superposition::disentangle_superposition`]: its principal components (PCA).
///   [`Superposition::independent_components`]: directions along which activations are least Gaussian (ICA).
///   [`Superposition::non_negative_parts`]: parts that activations are sums of, with nothing taken away (NMF).
/// - [`Superposition::feature_geometry`]: for directions of features, such as rows of a decoder or of `W_E`, how many
///   dimensions each one has and how much the others interfere.
/// - [`ToyModel`]: the toy models in which that geometry is known.
///
/// # How to read it
///
/// - Components come as a [`Basis`], by the variance they carry. Projections, reconstructions and interpolations chain, and
///   the mean is taken off and put back.
/// - A feature's dimensionality is 1 if no other feature shares its direction, 1/2 for a pair that points in opposite
///   directions, 2/5 for each corner of a pentagon, 0 for a feature of length zero.
/// - `features_per_dimension` above 1 means superposition: more features than dimensions.
///
/// # When it misleads
///
/// - PCA and ICA find at most `d` directions. They cannot take an overcomplete code apart: that needs a dictionary.
/// - A few tokens, most often the first, may have most of the variance. Look at the reconstruction of single tokens.
/// - ICA cannot tell a component's sign or size, and several Gaussian sources stay mixed.
/// - The geometry is that of the directions you give, and does not see how often each feature is active.
/// - NMF finds a local optimum: compare seeds. With [`Negatives::Zeroed`] it sees no activation below zero.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `compute_activation_covariance`, `activations`, `independent_components`, `non_negative_parts` | `batches` | 0 |
/// | `disentangle_superposition`, `feature_geometry` | 0 | 0 |
///
/// `batches` are those you give. A forward stops after the site.
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let superposition: Superposition = Bench::embedded()?.tool()?;
/// let prompts = ["When Mary and John went to the store,", "John gave a drink to Mary."];
/// let covariance = superposition.compute_activation_covariance(prompts, "blocks.1.resid_post")?;
/// let pca = superposition.disentangle_superposition(&covariance, 3)?;
/// let activations = superposition.activations([prompts[0]], "blocks.1.resid_post")?;
/// let back = pca.reconstruct_activations(&pca.project_activations(&activations)?)?;
/// println!("3 components carry {:.0} % of the variance", 100.0 * pca.explained());
/// # assert_eq!(back.len(), activations.len());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "Toy Models of Superposition", 2022. `FastICA`: Hyvärinen and Oja, 2000. NMF: Lee and Seung, 2001, by the
/// coordinate descent of Cichocki and Phan, 2009.
#[derive(Clone, Debug)]
pub struct Superposition {
    model: HookedTransformer,
}

impl Tool for Superposition {
    const NAME: &'static str = "superposition";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Superposition {
    /// The activations of a site at every token that is not padding, `[token][d]`. `d` counts the numbers on all axes
    /// after the position axis.
    ///
    /// # Errors
    ///
    /// No prompts, an unknown site or several, a site whose axes depend on the prompt, prompts that do not fit the model,
    /// activations that are not finite.
    pub fn activations<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        site: impl Into<SitePattern>,
    ) -> Result<Vec<Vec<f64>>> {
        let (mut rows, site) = (Vec::new(), self.one_site(site)?);
        each_token(Self::NAME, &self.model, batches, &site, |_, TokenRow { values, .. }| {
            rows.push(values.iter().map(|value| f64::from(*value)).collect());
            Ok(())
        })?;
        Ok(rows)
    }

    /// A pattern that fits exactly one site.
    fn one_site(&self, site: impl Into<SitePattern>) -> Result<SitePattern> {
        let (site, known) = (site.into(), self.model.sites());
        match site.select(known.iter().map(String::as_str))?.as_slice() {
            [only] => Ok(only.into()),
            several => {
                let problem = format!("`{site}` fits {} sites; give one, such as `{}`", several.len(), several[0]);
                Err(Error::Tool { tool: Self::NAME, problem })
            }
        }
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: Superposition::NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::stats;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, planted};
    use arrakis_models::TransformerConfig;

    impl Readings for Superposition {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let batch = || [&cases.prompt];
            let covariance = self.compute_activation_covariance(batch(), "blocks.0.attn_out");
            let pca = covariance.as_ref().map_err(ToString::to_string).and_then(|covariance| {
                let pca = self.disentangle_superposition(covariance, 2).map_err(|error| error.to_string());
                pca.map(|pca| pca.variances)
            });
            let parts = self.non_negative_parts(batch(), "blocks.0.mlp.post", 2, Negatives::Zeroed, 0);
            let rows = self.activations(batch(), "blocks.0.attn_out").map(|rows| rows.concat());
            let covariance = covariance.and_then(|covariance| Ok(covariance.covariance()?.concat()));
            vec![
                Reading::numbers("covariance", covariance),
                Reading::numbers("pca", pca),
                Reading::numbers("activations", rows),
                Reading::numbers("parts", parts.map(|found| found.parts.concat())),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let batches = || [&cases.prompt, &cases.other];
            let many: Vec<Vec<u32>> =
                (0..40).map(|row| (0..8).map(|at| (row * 37 + at * 11) % 120).collect()).collect();
            let known = || {
                let mut found = crate::corpus::Covariance::new("embed");
                covariance::add(&mut found, &mut vec![3.0, 3.0, -1.0, -1.0, 2.0, 0.0, 0.0, 2.0], 2)?;
                Ok::<_, Error>(found)
            };
            vec![
                Call::new("compute_activation_covariance", move || {
                    self.compute_activation_covariance(batches(), "blocks.0.attn_out")
                })
                .with([("batches", 2)]),
                Call::new("activations", move || self.activations(batches(), "blocks.0.attn_out"))
                    .with([("batches", 2)]),
                Call::new("independent_components", move || {
                    self.independent_components(many, "blocks.0.mlp.post", 2, 1)
                })
                .with([("batches", 40)]),
                Call::new("non_negative_parts", move || {
                    self.non_negative_parts(batches(), "blocks.0.mlp.post", 2, Negatives::Zeroed, 0)
                })
                .with([("batches", 2)]),
                Call::new("disentangle_superposition", move || self.disentangle_superposition(&known()?, 1)),
                Call::new("feature_geometry", || self.feature_geometry(self.model.w_e())),
            ]
        }
    }

    #[derive(serde::Deserialize)]
    struct Reference {
        points: Vec<Vec<f64>>,
        covariance: Vec<Vec<f64>>,
        pca_components: Vec<Vec<f64>>,
        pca_variances: Vec<f64>,
        ica_sources: Vec<Vec<f64>>,
    }

    /// numpy and scikit-learn on points that a model has as its embeddings: `tests/fixtures/superposition`.
    #[test]
    fn covariance_and_components_are_those_of_numpy_and_scikit_learn() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/superposition/sklearn.json");
        let expected: Reference = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let config = TransformerConfig::plain("points", 1, 4, 1, expected.points.len(), 64);
        let model = planted(&config, |name, row, column| match name {
            "embed.weight" => expected.points[row][column] as f32,
            _ => 0.0,
        });
        let tool = Superposition::new(&model).unwrap();
        let ids: Vec<u32> = (0..expected.points.len() as u32).collect();
        let batches: Vec<&[u32]> = ids.chunks(64).collect();
        let near = |a: &[f64], b: &[f64], tolerance| a.iter().zip(b).for_each(|(a, b)| close(*a, *b, tolerance));
        let covariance = tool.compute_activation_covariance(batches.clone(), "embed").unwrap();
        near(&covariance.covariance().unwrap().concat(), &expected.covariance.concat(), 5e-5);
        let pca = tool.disentangle_superposition(&covariance, 3).unwrap();
        near(&pca.variances, &expected.pca_variances, 5e-5);
        for (own, theirs) in pca.readers.iter().zip(&expected.pca_components) {
            close(own.iter().zip(theirs).map(|(a, b)| a * b).sum::<f64>().abs(), 1.0, 1e-6);
        }
        let ica = tool.independent_components(batches, "embed", 3, 0).unwrap();
        let sources = ica.project_activations(&expected.points).unwrap();
        let column = |rows: &[Vec<f64>], k: usize| rows.iter().map(|row| row[k]).collect::<Vec<f64>>();
        for theirs in (0..3).map(|k| column(&expected.ica_sources, k)) {
            let alike = (0..3).map(|k| stats::pearson(&theirs, &column(&sources, k)).unwrap().abs());
            close(alike.fold(0.0, f64::max), 1.0, 1e-5);
        }
    }

    #[test]
    fn several_sites_are_refused() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let error = tool.activations([[1_u32]], "*.resid_pre").unwrap_err().to_string();
        assert_eq!(error, "superposition: `*.resid_pre` fits 3 sites; give one, such as `blocks.0.resid_pre`");
    }
}
