//! What single latents know: probes that read one or a few of them, beside probes on the activations themselves.

use std::fmt;

use arrakis_models::device;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Examples, KProber, KSparse, Ranking};
use crate::dictionary::Coder;
use crate::error::{Error, Result};
use crate::fmt::short;

/// k-sparse probes of one label on the latents of one dictionary or baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SparseProbes {
    /// Whose latents they read; `activations` for the site's own coordinates.
    pub name: String,
    /// The probes, in the order of the numbers of latents that were asked for. Each has its accuracy on groups that it did not
    /// see, and that of the same probe on shuffled labels.
    pub found: Vec<KSparse>,
}

/// Probes that read `ks` latents of each dictionary, chosen by the difference of their means. The first result is of the activations
/// themselves (neurons, or coordinates of the stream): a dictionary that does no better has not separated the label. Compare
/// with [`baselines`](crate::dictionary::baselines): components, and random directions.
/// [`Monosemanticity::probes`](crate::tools::features::Monosemanticity::probes) does.
///
/// `activations` are `[example, d]`, with a label and a group for each: see [`Examples::grouped`]. The prober has the penalty,
/// the folds and the number of shuffles.
///
/// Source: Gurnee et al., <https://arxiv.org/abs/2305.01610>; for dictionaries `SAEBench`, <https://arxiv.org/abs/2503.09532>.
///
/// # Errors
///
/// Those of [`KProber::sparse`] and [`Examples::new`], activations of another width than a dictionary's.
pub fn sparse_probes(
    prober: &KProber,
    activations: &Tensor<2>,
    labels: &[bool],
    groups: &[usize],
    coders: &[(&str, &dyn Coder)],
    ks: &[usize],
) -> Result<Vec<SparseProbes>> {
    let probes = |name: &str, rows: Tensor<2>| -> Result<SparseProbes> {
        let examples = Examples::new(by_row(rows)?, labels.to_vec())?.grouped(groups)?;
        let found = prober.sparse(&examples, ks.iter().copied(), Ranking::MeanDifference)?;
        Ok(SparseProbes { name: name.to_owned(), found })
    };
    let mut all = vec![probes("activations", activations.clone())?];
    for (name, coder) in coders {
        all.push(probes(name, coder.code(activations.clone())?.0)?);
    }
    Ok(all)
}

fn by_row(rows: Tensor<2>) -> Result<Vec<Vec<f64>>> {
    let (width, numbers) = (rows.dims()[1], device::read(rows)?);
    let wide = |row: &[f32]| row.iter().map(|x| f64::from(*x)).collect();
    Ok(numbers.chunks_exact(width.max(1)).map(wide).collect())
}

/// The gain of the F1 score from one latent more at which a feature counts as split.
const JUMP: f64 = 0.03;

impl SparseProbes {
    /// The latents among which the label is split: those of the last probe that is better than the one before by more than
    /// 0.03 of F1, from one latent on. One latent is no split.
    ///
    /// Source: Chanin et al., <https://arxiv.org/abs/2409.14507>, as `SAEBench` computes it; its probes choose latents by weight.
    ///
    /// # Errors
    ///
    /// Probes that do not read 1, 2, 3 .. latents.
    pub fn split(&self) -> Result<&[usize]> {
        let in_turn = self.found.iter().enumerate().all(|(at, sparse)| sparse.k == at + 1);
        let Some(first) = self.found.first().filter(|_| in_turn) else {
            let ks: Vec<usize> = self.found.iter().map(|sparse| sparse.k).collect();
            let problem = format!("splits are found by probes of 1, 2, 3 .. latents, these read {ks:?}; give all");
            return Err(Error::Value { of: "SparseProbes", problem });
        };
        let mut best = first;
        for next in &self.found[1..] {
            if next.found.f1 <= best.found.f1 + JUMP {
                break;
            }
            best = next;
        }
        Ok(&best.found.probe.features)
    }
}

impl fmt::Display for SparseProbes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        for KSparse { k, found } in &self.found {
            let (accuracy, over) = (short(found.accuracy), short(found.selectivity()));
            write!(f, " {k} latents {accuracy}, {over} over shuffled labels;")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Covariance;
    use crate::dictionary::baselines::{Basis, random_dictionary};
    use crate::tools::Tool;
    use arrakis_models::dictionary::architectures::Standard;
    use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Parameters};
    use arrakis_models::{HookedAutoModel, TransformerConfig};
    use burn::tensor::{Device, TensorData};

    const D: usize = 6;

    /// The label is the sum of two coordinates, which no single coordinate shows; others are noise.
    fn examples() -> (Tensor<2>, Vec<bool>, Vec<usize>) {
        let noise = |at: usize| ((at * 7919 + 17) % 1009) as f32 / 504.5 - 1.0;
        let rows: Vec<f32> = (0..80 * D).map(|at| noise(at) + noise(at * at + 5 * at)).collect();
        let labels = rows.chunks(D).map(|row| row[0] + row[1] > 0.0).collect();
        (Tensor::from_data(TensorData::new(rows, [80, D]), &Device::flex()), labels, (0..80).collect())
    }

    /// A latent along the sum, and one along another coordinate.
    fn along() -> Dictionary {
        let device = Device::flex();
        let w_dec = Tensor::<2>::from_floats([[0.7, 0.7, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]], &device);
        let parameters = Parameters {
            w_enc: Tensor::from_data(w_dec.clone().transpose().into_data(), &device),
            b_enc: Some(Tensor::zeros([2], &device)),
            w_dec,
            b_dec: Tensor::zeros([D], &device),
            w_skip: None,
            threshold: None,
            gate: None,
            centred: true,
        };
        Dictionary::of(DictionaryConfig::autoencoder(D, 2, Standard), parameters).unwrap()
    }

    #[test]
    fn a_latent_of_its_own_beats_coordinates_and_random_directions() {
        let (x, labels, groups) = examples();
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 1, 4, 1, 5, 4), 1).unwrap();
        let prober = KProber::new(&model).unwrap().controls(3);
        let random = random_dictionary(&[0.0; D], 12, 3, 5, &Device::flex()).unwrap();
        let own = along();
        let basis = Basis::coordinates(&[0.0; D], D, &Device::flex()).unwrap();
        let coders: [(&str, &dyn Coder); 3] = [("own", &own), ("random", &random), ("coordinates", &basis)];
        let found = sparse_probes(&prober, &x, &labels, &groups, &coders, &[1, 2]).unwrap();
        let names: Vec<&str> = found.iter().map(|probes| probes.name.as_str()).collect();
        assert_eq!(names, ["activations", "own", "random", "coordinates"]);
        assert!(found.iter().all(|probes| probes.found[0].found.control < 0.65), "shuffled labels: {found:?}");
        let accuracy = |at: usize, k: usize| found[at].found[k].found.accuracy;
        // All components together have what the coordinates have, and none of them has it alone.
        let mut covariance = Covariance::new("embed");
        covariance.add(x.clone()).unwrap();
        let components = Basis::principal(&covariance, D, &Device::flex()).unwrap();
        let of = [("components", &components as &dyn Coder)];
        let components = sparse_probes(&prober, &x, &labels, &groups, &of, &[1, D]).unwrap().remove(1).found;
        let [one, all] = [0, 1].map(|at| components[at].found.accuracy);
        assert!(one < accuracy(1, 0) && all > 0.9, "{components:?}");
        let single = [0, 1, 2].map(|at| accuracy(at, 0));
        assert!(single[1] > 0.85 && single[0] < single[1] - 0.03 && single[2] < single[1], "{single:?}");
        assert!(accuracy(0, 1) > 0.9, "two coordinates have it");
        assert!(found[1].found[0].found.selectivity() > 0.3, "shuffled labels cannot be read");
        // The coordinates themselves give the same probes as a basis of them.
        assert_eq!(found[0].found, found[3].found);
        assert!(found[1].to_string().starts_with("own: 1 latents "), "{}", found[1]);
        // The label is split among two coordinates, and among one latent.
        assert_eq!((found[0].split().unwrap().len(), found[1].split().unwrap().len()), (2, 1));
        let two = SparseProbes { name: "two".into(), found: vec![found[0].found[1].clone()] };
        assert_eq!(
            two.split().unwrap_err().to_string(),
            "`SparseProbes`: splits are found by probes of 1, 2, 3 .. latents, these read [2]; give all"
        );
    }
}
