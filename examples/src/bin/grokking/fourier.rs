//! The algorithm that the trained model uses: a sum of waves over `a + b - c`.

use std::f64::consts::TAU;

/// Logits of every pair, `[p * p, p]`, each row centred: a constant changes no probability.
pub(crate) struct Logits {
    p: usize,
    values: Vec<f64>,
}

impl Logits {
    /// Of rows in the order of [`super::model::pairs`].
    pub(crate) fn new(p: usize, rows: &[f32]) -> Self {
        let centred = rows.chunks(p).flat_map(|row| {
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / p as f64;
            row.iter().map(move |x| f64::from(*x) - mean)
        });
        Self { p, values: centred.collect() }
    }

    fn row(&self, [a, b]: [usize; 2]) -> &[f64] {
        &self.values[(a * self.p + b) * self.p..][..self.p]
    }

    /// Logits of a sum `s` and an answer `c`, averaged over the pairs of that sum, `[p, p]`.
    fn by_sum(&self) -> Vec<Vec<f64>> {
        let p = self.p;
        let mut sums = vec![vec![0.0; p]; p];
        for a in 0..p {
            for b in 0..p {
                let sum = &mut sums[(a + b) % p];
                sum.iter_mut().zip(self.row([a, b])).for_each(|(sum, logit)| *sum += logit / p as f64);
            }
        }
        sums
    }

    /// How much of the logits' variance `cos(2πk(a + b - c) / p)` explains, for each frequency `k` from 1.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let (p, by_sum) = (self.p as f64, self.by_sum());
        let total: f64 = self.values.iter().map(|x| x * x).sum();
        let share = |k: usize| {
            let along: f64 = (0..self.p)
                .flat_map(|s| by_sum[s].iter().enumerate().map(move |(c, x)| x * wave(k, s as f64 - c as f64, p)))
                .sum();
            // The wave's squares sum to p²/2 over sums and answers; each sum has p pairs.
            p * along * along / (p * p / 2.0) / total
        };
        (1..=(self.p - 1) / 2).map(share).collect()
    }

    /// The part of the logits that is a wave over `a + b` of one of these frequencies, `[p, p]` by sum and answer.
    fn waves(&self, frequencies: &[usize]) -> Vec<Vec<f64>> {
        let (p, by_sum) = (self.p, self.by_sum());
        let mut waves = vec![vec![0.0; p]; p];
        for k in frequencies {
            for shift in [0.0, 0.25] {
                let basis: Vec<f64> =
                    (0..p).map(|s| wave(*k, s as f64 - shift * p as f64 / *k as f64, p as f64)).collect();
                for c in 0..p {
                    let along: f64 = (0..p).map(|s| by_sum[s][c] * basis[s]).sum::<f64>() * 2.0 / p as f64;
                    (0..p).for_each(|s| waves[s][c] += along * basis[s]);
                }
            }
        }
        waves
    }

    /// Mean loss of these pairs, in nats.
    pub(crate) fn loss(&self, pairs: &[[usize; 2]]) -> f64 {
        self.mean_loss(pairs, |pair| self.row(pair).to_vec())
    }

    /// The same with nothing but the waves of these frequencies.
    pub(crate) fn restricted_loss(&self, pairs: &[[usize; 2]], frequencies: &[usize]) -> f64 {
        let waves = self.waves(frequencies);
        self.mean_loss(pairs, |[a, b]| waves[(a + b) % self.p].clone())
    }

    /// The same without the waves of these frequencies.
    pub(crate) fn excluded_loss(&self, pairs: &[[usize; 2]], frequencies: &[usize]) -> f64 {
        let waves = self.waves(frequencies);
        let rest = |[a, b]: [usize; 2]| {
            let wave = &waves[(a + b) % self.p];
            self.row([a, b]).iter().zip(wave).map(|(logit, wave)| logit - wave).collect()
        };
        self.mean_loss(pairs, rest)
    }

    fn mean_loss(&self, pairs: &[[usize; 2]], row: impl Fn([usize; 2]) -> Vec<f64>) -> f64 {
        let loss = |pair: &[usize; 2]| cross_entropy(&row(*pair), (pair[0] + pair[1]) % self.p);
        pairs.iter().map(loss).sum::<f64>() / pairs.len() as f64
    }

    /// The share of these pairs whose largest logit is the right one.
    pub(crate) fn accuracy(&self, pairs: &[[usize; 2]]) -> f64 {
        let right = |pair: &&[usize; 2]| {
            let (row, answer) = (self.row(**pair), (pair[0] + pair[1]) % self.p);
            row.iter().enumerate().all(|(c, logit)| c == answer || *logit < row[answer])
        };
        pairs.iter().filter(right).count() as f64 / pairs.len() as f64
    }
}

/// `cos(2πkx / p)`.
fn wave(k: usize, x: f64, p: f64) -> f64 {
    (TAU * k as f64 * x / p).cos()
}

/// `-ln softmax(logits)[answer]`, exact also for losses far below float32's resolution.
fn cross_entropy(logits: &[f64], answer: usize) -> f64 {
    let others = logits.iter().enumerate().filter(|(c, _)| *c != answer);
    others.map(|(_, logit)| (logit - logits[answer]).exp()).sum::<f64>().ln_1p()
}

/// For each neuron, the largest share of its variance over all pairs that one frequency explains: waves of `a`, of `b`
/// and their products. `post` is `[p * p, d_mlp]`. A neuron that never varies has no share.
pub(crate) fn neuron_shares(p: usize, post: &[f32]) -> Vec<Option<f64>> {
    let d_mlp = post.len() / (p * p);
    let basis = basis(p);
    (0..d_mlp).map(|neuron| best_share(p, &basis, |pair| f64::from(post[pair * d_mlp + neuron]))).collect()
}

/// The orthonormal waves over one input: the constant, then the cosine and sine of each frequency, `[p][p]`.
fn basis(p: usize) -> Vec<Vec<f64>> {
    let size = (p as f64 / 2.0).sqrt();
    let constant = vec![(p as f64).sqrt().recip(); p];
    let pair = |k: usize| {
        [0.0, 0.25].map(|shift| {
            (0..p).map(|x| wave(k, x as f64 - shift * p as f64 / k as f64, p as f64) / size).collect::<Vec<f64>>()
        })
    };
    std::iter::once(constant).chain((1..=(p - 1) / 2).flat_map(pair)).collect()
}

fn best_share(p: usize, basis: &[Vec<f64>], value: impl Fn(usize) -> f64) -> Option<f64> {
    let rows: Vec<Vec<f64>> = (0..p).map(|a| (0..p).map(|b| value(a * p + b)).collect()).collect();
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let along_b: Vec<Vec<f64>> = basis.iter().map(|wave| rows.iter().map(|row| dot(wave, row)).collect()).collect();
    let power = |u: usize, v: usize| dot(&basis[u], &along_b[v]).powi(2);
    let total = rows.iter().flatten().map(|x| x * x).sum::<f64>() - power(0, 0);
    let share = |k: usize| {
        let of = [0, 2 * k - 1, 2 * k];
        let all = of.iter().flat_map(|u| of.iter().map(move |v| (*u, *v))).filter(|pair| *pair != (0, 0));
        all.map(|(u, v)| power(u, v)).sum::<f64>() / total
    };
    (total > 1e-9).then(|| (1..=(p - 1) / 2).map(share).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::super::model::pairs;
    use super::*;

    const P: usize = 11;

    /// `amplitude · cos(2πk(a + b - c) / p)`.
    fn planted(k: usize, amplitude: f64) -> Logits {
        let row =
            |[a, b]: [usize; 2]| (0..P).map(move |c| (amplitude * wave(k, (a + b) as f64 - c as f64, P as f64)) as f32);
        Logits::new(P, &pairs(P).into_iter().flat_map(row).collect::<Vec<f32>>())
    }

    #[test]
    fn a_planted_wave_is_the_only_frequency() {
        let logits = planted(3, 5.0);
        let shares = logits.shares();
        assert!((shares[2] - 1.0).abs() < 1e-6 && shares.iter().sum::<f64>() < 1.0 + 1e-6, "{shares:?}");
        let all = pairs(P);
        assert_eq!(logits.accuracy(&all), 1.0);
        assert!((logits.restricted_loss(&all, &[3]) - logits.loss(&all)).abs() < 1e-6);
        assert!((logits.excluded_loss(&all, &[3]) - (P as f64).ln()).abs() < 1e-5);
        assert!((logits.excluded_loss(&all, &[2]) - logits.loss(&all)).abs() < 1e-6);
    }

    #[test]
    fn a_neuron_of_one_frequency_is_explained_and_one_of_two_is_half() {
        let wave = |k, x: usize| wave(k, x as f64, P as f64) as f32;
        let neurons = |[a, b]: [usize; 2]| [wave(2, a), wave(2, a) * wave(2, b), wave(2, a) + wave(4, b), 1.0];
        let post: Vec<f32> = pairs(P).into_iter().flat_map(neurons).collect();
        let shares = neuron_shares(P, &post);
        for (share, right) in shares.iter().zip([1.0, 1.0, 0.5]) {
            assert!((share.unwrap() - right).abs() < 1e-6, "{shares:?}");
        }
        assert_eq!(shares[3], None, "a constant has no variance to explain");
    }
}
