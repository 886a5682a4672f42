//! Targeted probe perturbation: whether the latents of a class carry that class, and no other.

use arrakis_models::device;
use burn::tensor::{Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::dictionary::Coder;
use crate::error::{Error, Result};

/// Examples of a class, and a probe that tells them from those of other classes.
#[derive(Clone, Debug)]
pub struct Class {
    /// What it is called in errors.
    pub name: String,
    /// `[example, d]`: activations that choose the latents.
    pub train: Tensor<2>,
    /// `[example, d]`: activations that the probes are tested on.
    pub test: Tensor<2>,
    /// The probe: the log odds of an activation are `x · weights + bias`. `[d]`
    pub weights: Vec<f32>,
    /// The log odds at zero.
    pub bias: f32,
}

/// Accuracies of probes before and after the latents of each class were set to zero, with what the dictionary does not
/// reconstruct left in place.
///
/// A latent's effect on a class is `max(mean on the class - mean on others, 0)` times the product of its direction with the
/// probe. The latents with the largest effects are removed. Of other classes the first examples count: together as many
/// as the class has itself, evenly from class to class until there are enough.
///
/// Source: Karvonen et al., <https://arxiv.org/abs/2411.18895>, as `SAEBench` computes it (it draws the examples of other
/// classes at random). A comparison of reseeds finds the score noisy (<https://arxiv.org/abs/2605.18229>): report several
/// seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Targeted {
    /// The latents that were removed for each class, the strongest first. There are fewer where fewer have an effect.
    pub latents: Vec<Vec<usize>>,
    /// The accuracy of each class's probe on activations as they are.
    pub clean: Vec<f64>,
    /// `[removed class][probed class]`: accuracies without the latents of a class.
    pub removed: Vec<Vec<f64>>,
}

impl Targeted {
    /// Removes up to `count` latents for each class.
    ///
    /// # Errors
    ///
    /// Fewer than two classes, a class without examples, activations or probes of another width than the dictionary's, a
    /// `count` of 0, numbers that are not finite.
    pub fn measure(coder: &dyn Coder, classes: &[Class], count: usize) -> Result<Self> {
        let directions = coder.directions();
        check(classes, directions.dims()[1], count)?;
        let latents = |of: fn(&Class) -> &Tensor<2>| -> Result<Vec<Rows>> {
            classes.iter().map(|class| Rows::of(coder.code(of(class).clone())?.0)).collect()
        };
        let (train, test) = (latents(|class| &class.train)?, latents(|class| &class.test)?);
        let activations: Vec<Rows> = classes.iter().map(|class| Rows::of(class.test.clone())).collect::<Result<_>>()?;
        let written = Written::of(&directions, classes)?;
        let chosen: Vec<Vec<usize>> =
            (0..classes.len()).map(|class| strongest(&effects(&train, &written, class), count)).collect();
        let accuracies = |removed: &[usize]| -> Vec<f64> {
            let of = |class| accuracy(&activations, &test, classes, &written, class, removed);
            (0..classes.len()).map(of).collect()
        };
        let removed = chosen.iter().map(|latents| accuracies(latents)).collect();
        Ok(Self { clean: accuracies(&[]), latents: chosen, removed })
    }

    /// The same with latents chosen by shuffled labels: the examples that choose them are dealt out to the classes again, each
    /// getting as many as it has. What a dictionary scores here it owes to the probes and to chance.
    ///
    /// # Errors
    ///
    /// Those of [`Targeted::measure`].
    pub fn shuffled(coder: &dyn Coder, classes: &[Class], count: usize, seed: u64) -> Result<Self> {
        check(classes, coder.directions().dims()[1], count)?;
        let all = Tensor::cat(classes.iter().map(|class| class.train.clone()).collect(), 0);
        let mut order: Vec<i64> = (0..all.dims()[0] as i64).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let order = Tensor::<1, Int>::from_data(TensorData::new(order, [all.dims()[0]]), &all.device());
        let (mixed, mut from) = (all.select(0, order), 0);
        let dealt = classes.iter().map(|class| {
            let rows = class.train.dims()[0];
            from += rows;
            Class { train: mixed.clone().narrow(0, from - rows, rows), ..class.clone() }
        });
        Self::measure(coder, &dealt.collect::<Vec<_>>(), count)
    }

    /// How much accuracy each class's own probe loses with its latents; the mean over classes.
    pub fn intended(&self) -> f64 {
        let own = self.clean.iter().enumerate().map(|(class, clean)| clean - self.removed[class][class]);
        own.sum::<f64>() / self.clean.len() as f64
    }

    /// How much accuracy the probes of other classes lose; the mean over pairs.
    pub fn unintended(&self) -> f64 {
        let classes = self.clean.len();
        let pairs =
            (0..classes).flat_map(|from| (0..classes).map(move |of| (from, of))).filter(|(from, of)| from != of);
        let lost: f64 = pairs.map(|(from, of)| self.clean[of] - self.removed[from][of]).sum();
        lost / (classes * (classes - 1)) as f64
    }

    /// What the latents of a class take from it beyond what they take from others: 1 at best, 0 if they are of all classes
    /// alike.
    pub fn score(&self) -> f64 {
        self.intended() - self.unintended()
    }
}

/// Numbers by row.
struct Rows {
    numbers: Vec<f32>,
    width: usize,
}

impl Rows {
    fn of(tensor: Tensor<2>) -> Result<Self> {
        let (width, numbers) = (tensor.dims()[1], device::read(tensor)?);
        if numbers.iter().any(|x| !x.is_finite()) {
            return Err(refuse("an activation or a latent is not finite; look at the dictionary".into()));
        }
        Ok(Self { numbers, width })
    }

    fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.numbers.chunks_exact(self.width)
    }

    fn len(&self) -> usize {
        self.numbers.len() / self.width
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.numbers[at * self.width..(at + 1) * self.width]
    }
}

/// What each latent adds to the log odds of each class, `[latent][class]`.
struct Written(Rows);

impl Written {
    fn of(directions: &Tensor<2>, classes: &[Class]) -> Result<Self> {
        let flat: Vec<f32> = classes.iter().flat_map(|class| class.weights.clone()).collect();
        let weights = TensorData::new(flat, [classes.len(), directions.dims()[1]]);
        let weights = Tensor::<2>::from_data(weights, &directions.device());
        Ok(Self(Rows::of(directions.clone().matmul(weights.transpose()))?))
    }

    fn to(&self, latent: usize, class: usize) -> f64 {
        f64::from(self.0.row(latent)[class])
    }
}

/// How many examples of each other class stand beside those of one class.
fn of_others(own: usize, classes: usize) -> usize {
    own.div_ceil(classes - 1)
}

/// The effect of each latent on a class.
fn effects(train: &[Rows], written: &Written, class: usize) -> Vec<f64> {
    let taken = of_others(train[class].len(), train.len());
    let others = train.iter().enumerate().filter(|(other, _)| *other != class);
    let own: Vec<&[f32]> = train[class].iter().collect();
    let others: Vec<&[f32]> = others.flat_map(|(_, rows)| rows.iter().take(taken)).take(own.len()).collect();
    let mean =
        |rows: &[&[f32]], latent: usize| rows.iter().map(|row| f64::from(row[latent])).sum::<f64>() / rows.len() as f64;
    let of = |latent| (mean(&own, latent) - mean(&others, latent)).max(0.0) * written.to(latent, class);
    (0..train[class].width).map(of).collect()
}

/// The latents with the largest effects, zeros left out.
fn strongest(effects: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..effects.len()).collect();
    order.sort_by(|a, b| effects[*b].total_cmp(&effects[*a]).then(a.cmp(b)));
    let there = effects.iter().filter(|effect| **effect != 0.0).count();
    order.truncate(count.min(there));
    order
}

/// How often a class's probe is right on its test examples and as many of others, without some latents.
fn accuracy(
    activations: &[Rows],
    latents: &[Rows],
    classes: &[Class],
    written: &Written,
    class: usize,
    removed: &[usize],
) -> f64 {
    let taken = of_others(activations[class].len(), classes.len());
    let (mut right, mut seen, mut left) = (0, 0_u32, activations[class].len());
    for (of, (rows, latents)) in activations.iter().zip(latents).enumerate() {
        let count = if of == class { rows.len() } else { taken.min(rows.len()).min(left) };
        left -= if of == class { 0 } else { count };
        for (row, latents) in rows.iter().zip(latents.iter()).take(count) {
            let odds = row.iter().zip(&classes[class].weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
            let lost: f64 = removed.iter().map(|latent| f64::from(latents[*latent]) * written.to(*latent, class)).sum();
            right += usize::from((odds + f64::from(classes[class].bias) - lost > 0.0) == (of == class));
            seen += 1;
        }
    }
    right as f64 / f64::from(seen)
}

fn check(classes: &[Class], width: usize, count: usize) -> Result<()> {
    if classes.len() < 2 || count == 0 {
        return Err(refuse(format!(
            "{} classes and {count} latents show nothing; give at least two classes and one latent",
            classes.len()
        )));
    }
    for Class { name, train, test, weights, .. } in classes {
        let ([trained, own], [tested, other]) = (train.dims(), test.dims());
        if trained == 0 || tested == 0 || own != width || other != width || weights.len() != width {
            return Err(refuse(format!(
                "`{name}` has {trained} × {own} numbers to train, {tested} × {other} to test and a probe of {}; the \
                 dictionary writes {width}",
                weights.len()
            )));
        }
    }
    Ok(())
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Targeted", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::close;
    use burn::tensor::Device;
    use serde_json::Value;

    /// Latents `ReLU((x - b) Dᵀ)` that write along `D`.
    struct Tied {
        decoder: Tensor<2>,
        bias: Tensor<1>,
    }

    impl Coder for Tied {
        fn code(&self, x: Tensor<2>) -> Result<(Tensor<2>, Tensor<2>)> {
            let bias = self.bias.clone().unsqueeze();
            let latents = (x - bias.clone()).matmul(self.decoder.clone().transpose()).clamp_min(0.0);
            Ok((latents.clone(), latents.matmul(self.decoder.clone()) + bias))
        }

        fn directions(&self) -> Tensor<2> {
            self.decoder.clone()
        }

        fn fingerprint(&self) -> Result<String> {
            Ok("tied".into())
        }
    }

    fn matrix(rows: &Value) -> Tensor<2> {
        let rows: Vec<Vec<f32>> = serde_json::from_value(rows.clone()).unwrap();
        let shape = [rows.len(), rows[0].len()];
        Tensor::from_data(TensorData::new(rows.concat(), shape), &Device::flex())
    }

    fn numbers(of: &Value) -> Vec<f32> {
        serde_json::from_value(of.clone()).unwrap()
    }

    #[test]
    fn it_is_saebenchs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dictionary/targeted.json");
        let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let bias = Tensor::<1>::from_floats(numbers(&recorded["bias"]).as_slice(), &Device::flex());
        let coder = Tied { decoder: matrix(&recorded["decoder"]), bias };
        let class = |at: usize| Class {
            name: at.to_string(),
            train: matrix(&recorded["train"][at]),
            test: matrix(&recorded["test"][at]),
            weights: numbers(&recorded["weights"][at]),
            bias: recorded["biases"][at].as_f64().unwrap() as f32,
        };
        let classes: Vec<Class> = (0..4).map(class).collect();
        for (at, count) in [1, 2, 5].into_iter().enumerate() {
            let found = Targeted::measure(&coder, &classes, count).unwrap();
            let expected = |name: &str| recorded[name][at].as_f64().unwrap();
            close(found.score(), expected("total"), 1e-6);
            close(found.intended(), expected("intended"), 1e-6);
            close(found.unintended(), expected("unintended"), 1e-6);
            for (class, clean) in found.clean.iter().enumerate() {
                close(*clean, recorded["clean"][class].as_f64().unwrap(), 1e-6);
                let effects = numbers(&recorded["effects"][class]);
                assert!(found.latents[class].windows(2).all(|pair| effects[pair[0]] >= effects[pair[1]]));
                assert_eq!(found.latents[class].len(), count);
            }
        }
    }

    /// Two classes along two axes, and a latent of each that alone carries it.
    #[test]
    fn latents_of_one_class_each_score_one_half_of_their_accuracy() {
        let device = Device::flex();
        let rows = |x: [f32; 2]| Tensor::<2>::from_floats([x, x], &device);
        let class = |name: &str, x: [f32; 2]| Class {
            name: name.into(),
            train: rows(x),
            test: rows(x),
            weights: vec![x[0], x[1]],
            bias: -0.5,
        };
        let coder = Tied { decoder: Tensor::eye(2, &device), bias: Tensor::zeros([2], &device) };
        let classes = [class("a", [1.0, 0.0]), class("b", [0.0, 1.0])];
        let found = Targeted::measure(&coder, &classes, 3).unwrap();
        assert_eq!((found.latents.as_slice(), found.clean.as_slice()), (&[vec![0], vec![1]][..], &[1.0, 1.0][..]));
        // Without its latent a class is never recognised, and the other class is as before.
        assert_eq!((found.intended(), found.unintended(), found.score()), (0.5, 0.0, 0.5));
        let said = Targeted::shuffled(&coder, &classes[..1], 1, 0).unwrap_err().to_string();
        assert!(said.contains("1 classes and 1 latents show nothing"), "{said}");
        let said = Targeted::measure(&coder, &classes[..1], 1).unwrap_err().to_string();
        assert_eq!(said, "`Targeted`: 1 classes and 1 latents show nothing; give at least two classes and one latent");
        let narrow = Class { weights: vec![1.0], ..class("c", [1.0, 0.0]) };
        let said = Targeted::measure(&coder, &[narrow, classes[1].clone()], 1).unwrap_err().to_string();
        assert_eq!(
            said,
            "`Targeted`: `c` has 2 × 2 numbers to train, 2 × 2 to test and a probe of 1; the dictionary writes 2"
        );
    }

    /// Four classes along four axes with noise. Among examples that are dealt anew a class has its latent no more than others.
    #[test]
    fn latents_of_shuffled_labels_take_less_from_their_classes() {
        let device = Device::flex();
        let coder = Tied { decoder: Tensor::eye(4, &device), bias: Tensor::zeros([4], &device) };
        let rows = |class: usize, start: usize| {
            let noise = |at: usize| (((at + start) * 7919 + class * 104_729) % 1009) as f32 / 1009.0 * 0.4;
            let numbers = (0..40 * 4).map(|at| noise(at) + f32::from(u8::from(at % 4 == class)));
            Tensor::from_data(TensorData::new(numbers.collect::<Vec<f32>>(), [40, 4]), &device)
        };
        let class = |at: usize| Class {
            name: at.to_string(),
            train: rows(at, 0),
            test: rows(at, 5000),
            weights: (0..4).map(|axis| f32::from(u8::from(axis == at))).collect(),
            bias: -0.7,
        };
        let classes: Vec<Class> = (0..4).map(class).collect();
        let found = Targeted::measure(&coder, &classes, 1).unwrap();
        assert_eq!((found.latents.concat(), found.score()), (vec![0, 1, 2, 3], 0.5));
        let scores: Vec<f64> =
            (0..20).map(|seed| Targeted::shuffled(&coder, &classes, 1, seed).unwrap().score()).collect();
        let mean = scores.iter().sum::<f64>() / 20.0;
        assert!(mean < 0.25 && scores.iter().all(|score| *score < 0.5), "{scores:?}");
        assert_eq!(scores[3], Targeted::shuffled(&coder, &classes, 1, 3).unwrap().score());
    }
}
