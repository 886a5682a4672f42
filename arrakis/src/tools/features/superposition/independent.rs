//! Independent components, by `FastICA`.

use arrakis_models::{IntoTokens, SitePattern, SvdOfColumns, svd_of_columns};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::basis::{Basis, dot, principal, signed};
use super::covariance::add;
use super::{Superposition, refuse};
use crate::corpus::Covariance;
use crate::error::Result;

/// The most steps of `FastICA`. It settles in tens.
const STEPS: usize = 1000;

/// A turn between two steps below this, as one minus the cosine, counts as settled.
const SETTLED: f64 = 1e-10;

impl Superposition {
    /// The `components` independent components of a site (ICA): within the span of as many principal components, the
    /// directions along which activations are least Gaussian. Each source has variance 1; its writer has its size. The
    /// entry of largest size of each writer is positive. The same seed gives the same components.
    ///
    /// The method is parallel `FastICA` with `g = tanh` (Hyvärinen and Oja, 2000), as in scikit-learn. It keeps every
    /// token, `2 · tokens · d` numbers of 8 bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Superposition::compute_activation_covariance`] and [`Superposition::disentangle_superposition`];
    /// components without variance; iterations that do not settle, as with several Gaussian sources.
    pub fn independent_components<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        site: impl Into<SitePattern>,
        components: usize,
        seed: u64,
    ) -> Result<Basis> {
        let site = self.one_site(site)?;
        let rows = self.activations(batches, site.clone())?;
        unmixed(site.as_str(), &rows, components, seed)
    }
}

fn unmixed(site: &str, rows: &[Vec<f64>], components: usize, seed: u64) -> Result<Basis> {
    if rows.len() < 2 {
        return Err(refuse(
            "independent components need at least two tokens; give longer prompts or more of them".into(),
        ));
    }
    let mut covariance = Covariance::new(site);
    let mut values = rows.iter().flatten().map(|value| *value as f32).collect();
    add(&mut covariance, &mut values, rows[0].len())?;
    let pca = principal(&covariance, components)?;
    if let Some(flat) = pca.variances.iter().position(|variance| *variance <= 1e-6 * pca.variance) {
        return Err(refuse(format!(
            "only {flat} of {components} components of `{site}` vary; ask for {flat}, or give more tokens"
        )));
    }
    let sizes: Vec<f64> = pca.variances.iter().map(|variance| variance.sqrt()).collect();
    let mut white = pca.project_activations(rows)?;
    for token in &mut white {
        token.iter_mut().zip(&sizes).for_each(|(x, size)| *x /= size);
    }
    let turn = rotation(&white, seed)?;
    Ok(turned(pca, &sizes, &turn))
}

/// The orthonormal vectors `[source][component]` that read the sources of white data.
fn rotation(white: &[Vec<f64>], seed: u64) -> Result<Vec<Vec<f64>>> {
    let n = white[0].len();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut turn = orthonormal((0..n).map(|_| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()).collect())?;
    for _ in 0..STEPS {
        let next = orthonormal(step(white, &turn))?;
        let cosines = next.iter().zip(&turn).map(|(new, old)| dot(new, old).abs());
        let moved = cosines.map(|cosine| 1.0 - cosine).fold(0.0, f64::max);
        turn = next;
        if moved < SETTLED {
            return Ok(turn);
        }
    }
    Err(refuse(format!(
        "FastICA did not settle in {STEPS} steps; give more tokens or fewer components, or another seed (several Gaussian sources never settle)"
    )))
}

/// One step for each source: `E[x g(w·x)] - E[g'(w·x)] w`.
fn step(white: &[Vec<f64>], turn: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |source: &Vec<f64>| {
        let (mut pulled, mut slope) = (vec![0.0; source.len()], 0.0);
        for token in white {
            let bent = dot(source, token).tanh();
            pulled.iter_mut().zip(token).for_each(|(sum, x)| *sum += bent * x);
            slope += 1.0 - bent * bent;
        }
        let count = white.len() as f64;
        pulled.iter().zip(source).map(|(sum, w)| sum / count - slope / count * w).collect()
    };
    turn.iter().map(of).collect()
}

/// The orthonormal vectors nearest to these, `(W Wᵀ)^(-1/2) W`: the singular vectors without the singular values.
fn orthonormal(vectors: Vec<Vec<f64>>) -> Result<Vec<Vec<f64>>> {
    let SvdOfColumns { u, v, .. } = svd_of_columns(vectors)?;
    let n = u.len();
    let entry = |source: usize, component: usize| (0..n).map(|k| v[k][source] * u[k][component]).sum();
    Ok((0..n).map(|source| (0..n).map(|component| entry(source, component)).collect()).collect())
}

/// The basis of the sources: their readers see white data, their writers undo it.
fn turned(pca: Basis, sizes: &[f64], turn: &[Vec<f64>]) -> Basis {
    let (n, d) = (sizes.len(), pca.mean.len());
    let mix = |source: usize, scale: fn(f64) -> f64| -> Vec<f64> {
        let part = |d: usize| (0..n).map(|k| turn[source][k] * scale(sizes[k]) * pca.readers[k][d]).sum();
        (0..d).map(part).collect()
    };
    let mut sources: Vec<(Vec<f64>, Vec<f64>)> = (0..n)
        .map(|source| {
            let (reader, writer) = (mix(source, f64::recip), mix(source, |size| size));
            let flipped = signed(writer.clone()) != writer;
            let turn = |vector: Vec<f64>| vector.into_iter().map(|x| if flipped { -x } else { x }).collect();
            (turn(reader), turn(writer))
        })
        .collect();
    sources.sort_by(|a, b| dot(&b.1, &b.1).total_cmp(&dot(&a.1, &a.1)));
    let (readers, writers): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let variances = writers.iter().map(|writer: &Vec<f64>| dot(writer, writer)).collect();
    Basis { readers, writers, variances, ..pca }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypothesis::stats;
    use crate::tools::Tool;
    use crate::tools::testing::{close, fixture};

    /// Three sources of unit variance: uniform, a fair sign, and a rare spike.
    fn sources(rng: &mut ChaCha8Rng) -> [f64; 3] {
        let uniform = rng.random_range(-1.0..1.0) * 3f64.sqrt();
        let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let spike = if rng.random_bool(0.1) { 3.0 } else { -1.0 / 3.0 };
        [uniform, sign, spike]
    }

    const MIX: [[f64; 3]; 4] = [[2.0, 0.5, -0.3], [0.1, 1.5, 0.4], [-0.7, 0.2, 1.0], [1.0, 1.0, 0.0]];

    #[test]
    fn a_planted_mixture_is_recovered() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let planted: Vec<[f64; 3]> = (0..4000).map(|_| sources(&mut rng)).collect();
        let mixed = |source: &[f64; 3]| MIX.map(|row| 5.0 + dot(&row, source)).to_vec();
        let rows: Vec<Vec<f64>> = planted.iter().map(mixed).collect();
        let basis = unmixed("embed", &rows, 3, 0).unwrap();
        let found = basis.project_activations(&rows).unwrap();
        let column = |rows: &[[f64; 3]], k: usize| rows.iter().map(|row| row[k]).collect::<Vec<f64>>();
        let components: Vec<[f64; 3]> = found.iter().map(|row| [row[0], row[1], row[2]]).collect();
        let correlation = |source: usize, component: usize| {
            stats::pearson(&column(&planted, source), &column(&components, component)).unwrap()
        };
        for source in 0..3 {
            let best = (0..3).map(|component| correlation(source, component).abs()).fold(0.0, f64::max);
            assert!(best > 0.99, "source {source}: {best}");
            let written: Vec<f64> = MIX.iter().map(|row| row[source]).collect();
            let cosine = |writer: &Vec<f64>| {
                (dot(writer, &written) / (dot(writer, writer) * dot(&written, &written)).sqrt()).abs()
            };
            assert!(basis.writers.iter().map(cosine).fold(0.0, f64::max) > 0.99, "{:?}", basis.writers);
        }
        let back = basis.reconstruct_activations(&found).unwrap();
        back.concat().iter().zip(rows.concat()).for_each(|(a, b)| close(*a, b, 1e-3));
        close(basis.explained(), 1.0, 1e-5);
        assert_eq!(unmixed("embed", &rows, 3, 0).unwrap(), basis, "the same seed gives the same components");
    }

    #[test]
    fn a_site_is_unmixed_and_mistakes_are_named() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let tokens: Vec<Vec<u32>> = (0..40).map(|row| (0..8).map(|at| (row * 37 + at * 11) % 120).collect()).collect();
        let basis = tool.independent_components(tokens, "blocks.0.mlp.post", 2, 1).unwrap();
        assert_eq!((basis.readers.len(), basis.mean.len()), (2, 128));
        close(dot(&basis.readers[0], &basis.writers[0]), 1.0, 1e-9);
        close(dot(&basis.readers[0], &basis.writers[1]), 0.0, 1e-9);
        let error = tool.independent_components([[1_u32, 2, 3]], "embed", 3, 0).unwrap_err().to_string();
        assert_eq!(error, "superposition: only 2 of 3 components of `embed` vary; ask for 2, or give more tokens");
    }
}
