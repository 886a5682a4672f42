use arrakis_models::device;
use arrakis_models::dictionary::architectures::{
    BatchTopK, BatchTopKLoss, Gated, GatedLoss, JumpRelu, JumpReluLoss, Matryoshka, MatryoshkaLoss, Sparsity, Standard,
    StandardLoss, TopK, TopKLoss,
};
use arrakis_models::dictionary::{Architecture, AuxK, Dictionary, DictionaryConfig, Init, Objective};
use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::*;
use crate::dictionary::Planted;
use crate::dictionary::metrics::{DeadAfter, mcc};
use crate::error::Result;
use crate::tools::testing::close;

const D: usize = 12;
const FEATURES: usize = 16;

/// More features than dimensions, two of them active on a token, on top of a mean.
fn planted() -> Planted {
    Planted::new(FEATURES, D, 5).rate(0.1).mean(3.0)
}

fn dictionary(architecture: impl Into<Architecture>, seed: u64) -> Dictionary {
    let config = DictionaryConfig::autoencoder(D, FEATURES, architecture);
    Dictionary::new(config, &Init::default(), seed, &Device::flex()).unwrap()
}

fn short() -> Training {
    Training { lr: 0.01, dead_after: DeadAfter::Steps(50), ..Training::steps(900) }
}

/// Twice as many latents as features. How many there are is seldom known; and with as many latents as features, one that
/// settles between two of them leaves one out, whatever the seed.
const LATENTS: usize = 2 * FEATURES;

/// Every architecture, with an objective that makes about as many latents active as there are features. A prefix of half
/// the latents has room for all features, but is trained on a quarter of its error alone.
fn every() -> Vec<(Architecture, Objective)> {
    let batch = BatchTopK { k: 1.6, rescale_acts_by_decoder_norm: true, threshold: 0.0 };
    let jump = JumpReluLoss { coefficient: 0.1, sparsity: Sparsity::Step, bandwidth: 0.3, ..JumpReluLoss::default() };
    let matryoshka = Matryoshka { top: batch, widths: vec![LATENTS / 2, LATENTS] };
    vec![
        (Standard.into(), StandardLoss { coefficient: 0.2, ..StandardLoss::default() }.into()),
        (Gated.into(), GatedLoss { coefficient: 2.0, ..GatedLoss::default() }.into()),
        (TopK { k: 2, ..TopK::default() }.into(), TopKLoss::default().into()),
        (batch.into(), BatchTopKLoss::default().into()),
        (JumpRelu { initial_threshold: 0.05 }.into(), jump.into()),
        (matryoshka.into(), MatryoshkaLoss { weights: vec![0.25, 1.0], ..MatryoshkaLoss::default() }.into()),
    ]
}

/// The seed decides the features, the activations and the first weights. `tests/bench/README.md` has a table of five seeds.
#[test]
fn every_architecture_finds_the_planted_features() {
    let training = Training { lr: 0.02, dead_after: DeadAfter::Steps(50), ..Training::steps(400) };
    for seed in 0..2 {
        let planted = Planted::new(FEATURES, D, seed).rate(0.1).mean(3.0);
        let learner = |(architecture, objective): (Architecture, Objective)| {
            let name = architecture.name();
            let config = DictionaryConfig::autoencoder(D, LATENTS, architecture);
            let own = Dictionary::new(config, &Init::default(), seed, &Device::flex()).unwrap();
            Learner::new(name, own, &training).unwrap().objective(objective).unwrap()
        };
        let learners: Vec<Learner> = every().into_iter().map(learner).collect();
        assert_eq!(learners.len(), Architecture::NAMES.len(), "an architecture is missing");
        let trained = Trainer::new(learners).quiet().run(&mut planted.stream(128, &Device::flex())).unwrap();
        for trained in trained {
            let last = trained.history.last().unwrap();
            let found = mcc(trained.dictionary.w_dec.val(), planted.features(&Device::flex())).unwrap();
            assert!(found >= 0.9, "{} with seed {seed}: {found:.3}, {last}", trained.name);
            assert!(last.explained_variance > 0.6, "{}: {last}", trained.name);
            // The mean and the units of training are folded: the dictionary takes activations as they are.
            let x = planted.batch(10_000, 500, &Device::flex()).1;
            let left = (x.clone() - trained.dictionary.apply(x.clone()).unwrap()).square().mean();
            let all = (x.clone() - x.mean_dim(0)).square().mean();
            let share = device::read(left / all).unwrap()[0];
            assert!(share < 0.45, "{}: {share}", trained.name);
        }
    }
}

fn two() -> Vec<Learner> {
    let resampling = Some(Resampling { every: 7, until: 100, power: 2.0 });
    let standard = Training { resampling, decoder: DecoderRule::UnitNorm, scaled: true, ..short() };
    let standard = Training { steps: 30, ..standard };
    let batch = BatchTopK { k: 2.0, ..BatchTopK::default() };
    vec![
        Learner::new("standard", dictionary(Standard, 1), &standard).unwrap(),
        Learner::new(
            "batch",
            dictionary(batch, 2),
            &Training { steps: 25, dead_after: DeadAfter::Tokens(300), ..short() },
        )
        .unwrap(),
    ]
}

fn bits(trained: &[Trained]) -> Vec<Vec<u32>> {
    let of = |trained: &Trained| {
        let own = trained.dictionary.parameters();
        let numbers =
            [own.w_enc, own.w_dec, own.b_dec.unsqueeze()].map(|tensor: Tensor<2>| device::read(tensor).unwrap());
        numbers.concat().into_iter().map(f32::to_bits).collect()
    };
    trained.iter().map(of).collect()
}

#[test]
fn a_training_that_was_stopped_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let run = |stop: usize, resumable: bool| {
        let trainer = Trainer::new(two()).note_every(1).quiet();
        let trainer = if resumable { trainer.resumable(&file, 4) } else { trainer };
        let mut source = planted().stream(40, &Device::flex());
        trainer.run_while(&mut source, |_, progress| progress.step < stop).unwrap()
    };
    let whole = run(usize::MAX, false);
    assert_eq!([whole[0].history.len(), whole[1].history.len()], [30, 25]);
    for stop in [5, 13, 26, usize::MAX] {
        run(stop, true);
    }
    let pieces = run(usize::MAX, true);
    assert_eq!(bits(&pieces), bits(&whole));
    for (piece, whole) in pieces.iter().zip(&whole) {
        assert_eq!((&piece.history, &piece.dead, piece.resampled), (&whole.history, &whole.dead, whole.resampled));
        assert_eq!(piece.dictionary.config, whole.dictionary.config);
    }
}

#[test]
fn dictionaries_on_one_stream_learn_as_each_alone() {
    let together = Trainer::new(two()).quiet().run(&mut planted().stream(40, &Device::flex())).unwrap();
    for (at, learner) in two().into_iter().enumerate() {
        let alone = Trainer::new([learner]).quiet().run(&mut planted().stream(40, &Device::flex())).unwrap();
        assert_eq!(bits(&alone)[0], bits(&together)[at]);
    }
}

/// Half of the latents can never fire: their biases are far below zero.
#[test]
fn resampling_gives_dead_latents_new_weights_and_they_fire() {
    let mut own = dictionary(Standard, 3);
    let bias: Vec<f32> = (0..FEATURES).map(|latent| if latent % 2 == 0 { -100.0 } else { 0.0 }).collect();
    own.b_enc = Some(burn::module::Param::from_tensor(Tensor::from_floats(bias.as_slice(), &Device::flex())));
    let before = device::read(own.w_enc.val()).unwrap();
    let resampling = Some(Resampling { every: 20, until: 25, power: 1.0 });
    let training = Training { resampling, steps: 60, dead_after: DeadAfter::Steps(10), ..short() };
    let run = |training: &Training| {
        let learner = Learner::new("standard", own.clone(), training).unwrap();
        Trainer::new([learner]).note_every(1).quiet().run(&mut planted().stream(64, &Device::flex())).unwrap().remove(0)
    };
    let kept = run(&Training { resampling: None, ..training.clone() });
    assert_eq!((kept.resampled, kept.dead.latents(DeadAfter::Steps(10)).len()), (0, FEATURES / 2));
    let given = run(&training);
    assert_eq!(given.resampled, FEATURES / 2);
    assert_eq!(given.dead.latents(DeadAfter::Steps(10)).len(), 0);
    let after = device::read(given.dictionary.w_enc.val()).unwrap();
    for latent in (0..FEATURES).step_by(2) {
        let moved: f32 = (0..D).map(|at| (after[at * FEATURES + latent] - before[at * FEATURES + latent]).abs()).sum();
        assert!(moved > 0.05, "latent {latent} has its old weights");
    }
    assert_eq!([given.history[19].dead, given.history[20].dead], [0.5, 0.0]);
}

#[test]
fn unit_decoders_stay_unit() {
    let training = Training { steps: 30, decoder: DecoderRule::UnitNorm, centred: false, ..short() };
    let learner = Learner::new("standard", dictionary(Standard, 1), &training).unwrap();
    let trained = Trainer::new([learner]).quiet().run(&mut planted().stream(40, &Device::flex())).unwrap();
    let norms = device::read(trained[0].dictionary.parameters().decoder_norms()).unwrap();
    for norm in norms {
        close(norm, 1.0, 1e-5);
    }
}

/// The target is twice the activation with its first two numbers exchanged, plus one.
struct Pairs(PlantedStream);

impl Source for Pairs {
    fn next(&mut self) -> Result<Vec<Tensor<2>>> {
        let x = self.0.next()?.remove(0);
        let turned = Tensor::cat(vec![x.clone().narrow(1, 1, 1), x.clone().narrow(1, 0, 1)], 1);
        Ok(vec![turned * 2.0 + 1.0, x])
    }

    fn place(&self) -> Value {
        self.0.place()
    }

    fn go_to(&mut self, place: &Value) -> Result<()> {
        self.0.go_to(place)
    }
}

#[test]
fn a_transcoder_learns_from_one_site_to_another() {
    let config = DictionaryConfig::skip_transcoder(D, FEATURES, 2, TopK { k: 3, ..TopK::default() });
    let own = Dictionary::new(config, &Init::default(), 1, &Device::flex()).unwrap();
    let training = Training { scaled: true, ..short() };
    let learner = Learner::new("skip", own, &training).unwrap().between(1, 0);
    let mut source = Pairs(planted().stream(128, &Device::flex()));
    let trained = Trainer::new([learner]).quiet().run(&mut source).unwrap().remove(0);
    let batch = source.next().unwrap();
    let off = (trained.dictionary.apply(batch[1].clone()).unwrap() - batch[0].clone()).square().mean();
    assert!(device::read(off).unwrap()[0] < 0.01, "{}", trained.history.last().unwrap());
}

#[test]
fn seeds_have_a_spread_and_agree_on_planted_features() {
    let config = DictionaryConfig::autoencoder(D, FEATURES, TopK { k: 2, ..TopK::default() });
    let mut source = planted().stream(128, &Device::flex());
    let seeds = Seeds::train(&config, &short(), 3, &Device::flex(), &mut source).unwrap();
    let kept = seeds.spread(|trained| Ok(trained.history.last().unwrap().explained_variance)).unwrap();
    assert!(kept.sd > 0.0 && kept.sd < 0.1 && kept.mean > 0.7, "{kept}");
    // Student's t of two degrees of freedom leaves 2.5 % beyond 4.302653.
    let [low, high] = kept.interval.unwrap();
    close(high - kept.mean, 4.302_653 * kept.sd / 3.0_f64.sqrt(), 1e-6);
    close(kept.mean - low, high - kept.mean, 1e-9);
    let same = seeds.spread(|_| Ok(2.0)).unwrap();
    assert_eq!(same.to_string(), "2 ± 0 (2 to 2, 3 values; 95 % interval of the mean 2 to 2)");
    let agreement = seeds.agreement().unwrap();
    assert!(agreement.seeds == 3 && agreement.mean > 0.85, "{agreement}");
    let said = Seeds::train(&config, &short(), 1, &Device::flex(), &mut source).unwrap_err().to_string();
    assert_eq!(said, "`Training`: 1 seeds have no spread; give at least 2, better 3 or more");
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |learners: Vec<Learner>| {
        Trainer::new(learners).quiet().run(&mut planted().stream(20, &Device::flex())).unwrap_err().to_string()
    };
    let training = Training { steps: 2, ..short() };
    let learner = |name: &str| Learner::new(name, dictionary(Standard, 1), &training).unwrap();
    assert_eq!(run(vec![]), "`Training`: there is no dictionary to train; give at least one learner");
    assert_eq!(
        run(vec![learner("a"), learner("a")]),
        "`Training`: two dictionaries are called `a`; give each its own name"
    );
    assert_eq!(
        run(vec![learner("a").between(0, 1)]),
        "`Training`: `a` is to read site 1, but a batch has 1, numbered from 0"
    );
    let wide =
        Dictionary::new(DictionaryConfig::autoencoder(5, 8, Standard), &Init::default(), 1, &Device::flex()).unwrap();
    let wide = run(vec![Learner::new("a", wide, &training).unwrap()]);
    assert!(wide.contains("`d_in` should be 5 long, is 12"), "{wide}");
    let aux = Objective::from(TopKLoss { aux: Some(AuxK::open_ai()), ..TopKLoss::default() });
    assert!(learner("a").objective(aux).map(|_| ()).unwrap_err().to_string().contains("the dictionary is `standard`"));
    let huge =
        Learner::new("a", dictionary(Standard, 1), &Training { lr: 1e30, clip: 1e30, ..training.clone() }).unwrap();
    let huge = run(vec![huge]);
    assert!(huge.starts_with("`Training`: the loss of `a` is ") && huge.contains("give a lower `lr`"), "{huge}");
    let file = folder.path().join("a");
    let saved = |learner: Learner| {
        Trainer::new([learner]).resumable(&file, 1).quiet().run(&mut planted().stream(20, &Device::flex()))
    };
    saved(learner("a")).unwrap();
    let other = Learner::new("a", dictionary(Standard, 1), &training.clone().lr(0.5)).unwrap();
    assert_eq!(
        saved(other).map(|_| ()).unwrap_err().to_string(),
        format!(
            "`Training`: the checkpoint `{}` is of another dictionary or other settings than `a`; delete it to start again, \
             or name another file",
            file.display()
        )
    );
    std::fs::write(&file, "notes").unwrap();
    assert!(saved(learner("a")).map(|_| ()).unwrap_err().to_string().contains("is not the checkpoint of a training"));
}
