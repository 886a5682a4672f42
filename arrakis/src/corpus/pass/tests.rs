use std::collections::BTreeMap;

use arrakis_models::HookedAutoModel;
use arrakis_models::ground::shard::{Parts, Role};

use super::*;
use crate::corpus::Batch;
use crate::corpus::state::{self, State};
use crate::corpus::testing::{corpus, documents, model};
use crate::corpus::{ActivationHistogram, Covariance, Firing, Loss, Samples, TopActivations, Unit};
use crate::error::Error;

const SITE: &str = "blocks.1.mlp.post";

/// One of each reducer.
#[derive(Clone, Debug, PartialEq)]
struct All {
    covariance: Covariance,
    firing: Firing,
    histogram: ActivationHistogram,
    loss: Loss,
    samples: Samples,
    top: TopActivations,
}

impl All {
    fn new() -> Self {
        let units = [Unit::neuron(1, 3), Unit::head(0, 2), Unit::direction("blocks.2.resid_post", vec![0.5; 12])];
        Self {
            covariance: Covariance::new(SITE),
            firing: Firing::new("mlp_post1").above(0.1),
            histogram: ActivationHistogram::new(Unit::neuron(1, 3), -0.1, 0.3, 5).unwrap(),
            loss: Loss::new(),
            samples: Samples::new(SITE, 9, 4),
            top: TopActivations::new(units, 4).around(2, 1).drawn(12, 7),
        }
    }

    fn each(&mut self) -> [&mut dyn Reducer; 6] {
        let Self { covariance, firing, histogram, loss, samples, top } = self;
        [covariance, firing, histogram, loss, samples, top]
    }

    fn after(pass: &Pass<'_>) -> (Self, PassReport) {
        let mut all = Self::new();
        let report = pass.clone().quiet().run(&mut all.each()).unwrap();
        (all, report)
    }
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?}\n{b:?}");
}

/// The places of the examples, and their activations in one list.
fn flat(all: &All) -> (Vec<(usize, usize)>, Vec<f64>) {
    let (mut places, mut values) = (Vec::new(), Vec::new());
    for unit in all.top.examples(3) {
        let drawn = unit.quantiles.iter().flat_map(|quantile| &quantile.examples);
        for example in unit.top.iter().chain(drawn) {
            places.push((example.document, example.position));
            values.extend(&example.activations);
            assert_eq!(example.activation, example.activations[example.at]);
        }
    }
    (places, values)
}

#[test]
fn the_size_of_the_batches_changes_nothing_but_rounding() {
    let (model, corpus) = (model(), corpus());
    let pass = |tokens| Pass::new(&model, &corpus).overlap(3).skip_first(1).batch_tokens(tokens);
    let (one, report) = All::after(&pass(1));
    assert_eq!((report.documents, report.blank, report.too_short, report.padding), (12, 1, 1, 0));
    assert_eq!(report.forwards, report.windows);
    // Each token but the first of each document.
    let expected: usize = documents().iter().map(|ids| ids.len().saturating_sub(1)).sum();
    assert_eq!((report.tokens, one.firing.count() as usize), (expected, expected));
    for tokens in [7, 40, 64, 100_000] {
        let (many, together) = All::after(&pass(tokens));
        assert_eq!((together.tokens, together.windows, together.whole), (report.tokens, report.windows, true));
        close(&many.covariance.covariance().unwrap().concat(), &one.covariance.covariance().unwrap().concat());
        close(&many.firing.means().unwrap(), &one.firing.means().unwrap());
        assert_eq!(many.firing.rates().unwrap(), one.firing.rates().unwrap());
        assert_eq!(many.histogram, one.histogram);
        assert_eq!(many.samples.tokens(), one.samples.tokens());
        close(&[many.loss.mean().unwrap()], &[one.loss.mean().unwrap()]);
        let ((places, values), (expected, of_one)) = (flat(&many), flat(&one));
        assert_eq!(places, expected);
        close(&values, &of_one);
    }
    assert!(All::after(&pass(100_000)).1.padding > 0, "a large batch has padding to leave out");
}

#[test]
fn one_pass_finds_what_running_every_document_finds() {
    let (model, corpus) = (model(), Corpus::tokens(documents().into_iter().filter(|ids| ids.len() <= 16)));
    let (all, _) = All::after(&Pass::new(&model, &corpus));
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let (mut best, mut losses) = (BTreeMap::new(), Vec::new());
    for (document, ids) in documents().into_iter().filter(|ids| ids.len() <= 16).enumerate() {
        if ids.is_empty() {
            continue;
        }
        let post = model.capture(&ids, [SITE]).unwrap().activation(SITE).unwrap().to_vec().unwrap();
        let own: Vec<Vec<f64>> = post.chunks(48).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();
        let top = own.iter().map(|row| row[3]).fold(f64::MIN, f64::max);
        best.insert(document, top);
        rows.extend(own);
        if ids.len() > 1 {
            let tokens = Tokens::new(vec![ids]).unwrap();
            let loss = model.loss_per_token(model.forward(&tokens).unwrap(), &tokens).unwrap();
            losses.extend(arrakis_models::device::read(loss).unwrap());
        }
    }
    let count = rows.len() as f64;
    let mean: Vec<f64> = (0..48).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count).collect();
    close(all.covariance.mean(), &mean);
    let product = |a: usize, b: usize| rows.iter().map(|row| (row[a] - mean[a]) * (row[b] - mean[b])).sum::<f64>();
    close(&[all.covariance.covariance().unwrap()[3][9]], &[product(3, 9) / (count - 1.0)]);
    let active = rows.iter().filter(|row| row[3] > f64::from(0.1_f32)).count() as f64;
    close(&[all.firing.rates().unwrap()[3]], &[active / count]);
    let mut ranked: Vec<f64> = best.into_values().collect();
    ranked.sort_by(|a, b| b.total_cmp(a));
    let found = &all.top.examples(0)[0];
    close(&found.top.iter().map(|example| example.activation).collect::<Vec<_>>(), &ranked[..4]);
    let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64;
    close(&[all.loss.mean().unwrap()], &[loss]);
    assert_eq!(all.loss.count() as usize, losses.len());
    assert_eq!(all.samples.rows(model.device()).unwrap().dims(), [9, 48]);
}

/// Fails after some batches, as a stop would.
struct Stop(usize);

impl Reducer for Stop {
    fn name(&self) -> String {
        "stop".into()
    }

    fn sites(&self) -> Vec<String> {
        vec![SITE.into()]
    }

    fn update(&mut self, _: &Batch<'_>) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| refuse("stopped".into()))?;
        Ok(())
    }

    fn state(&self) -> Result<State> {
        Ok(State::default())
    }

    fn restore(&mut self, _: State) -> Result<()> {
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        true
    }

    fn join(&mut self, _: State) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_pass_that_was_stopped_ends_with_the_same_bits() {
    let (model, folder) = (model(), tempfile::tempdir().unwrap());
    let many = Corpus::tokens((0..9).flat_map(|_| documents()));
    let run = |file: &str, stops: &[usize]| {
        let path = folder.path().join(file);
        let pass = Pass::new(&model, &many).batch_tokens(16).resumable(&path, 50).quiet();
        let mut forwards = Vec::new();
        for stop in stops {
            let (mut all, mut stop) = (All::new(), Stop(*stop));
            let [a, b, c, d, e, f] = all.each();
            match pass.run(&mut [a, b, c, d, e, f, &mut stop]) {
                Ok(report) => return (all, report, forwards),
                Err(error) => assert_eq!(error.to_string(), "`Pass`: stopped"),
            }
            forwards.push(state::read(&path).unwrap().is_some());
        }
        panic!("it never ended");
    };
    let (whole, report, _) = run("whole", &[usize::MAX]);
    let (pieces, again, saved) = run("pieces", &[3, 30, 45, usize::MAX]);
    assert_eq!((&pieces, &again), (&whole, &report));
    assert_eq!(saved, [false, true, true], "the first stop comes before the first save");
    let (finished, once_more, _) = run("pieces", &[0]);
    assert_eq!((finished, once_more), (whole, report), "a finished pass needs no forward");
}

#[test]
fn a_pass_of_any_number_of_shards_has_the_bytes_of_one_machine() {
    let model = model();
    let many = Corpus::tokens((0..9).flat_map(|_| documents()));
    let pass = || Pass::new(&model, &many).batch_tokens(16);
    let bytes = |(mut all, report): (All, PassReport)| {
        let states: Vec<State> = all.each().iter().map(|reducer| reducer.state().unwrap()).collect();
        state::bytes(&serde_json::to_string(&report).unwrap(), &states).unwrap()
    };
    let whole = bytes(All::after(&pass()));
    for of in [1, 2, 3, 7] {
        let job = tempfile::tempdir().unwrap();
        for shard in Shard::all(of) {
            let folder = job.path().join(shard.folder());
            std::fs::create_dir_all(&folder).unwrap();
            let run = |stop: usize| {
                let parts = Parts::new(Role::One(shard), job.path(), folder.join("1.jsonl")).of_program("test");
                let (mut all, file) = (All::new(), job.path().join("pass.state"));
                let [a, b, c, d, e, f] = all.each();
                let reducers: &mut [&mut dyn Reducer] = &mut [a, b, c, d, e, f, &mut Stop(stop)];
                parts.within(|| pass().resumable(file, 50).quiet().run(reducers)).unwrap_err().to_string()
            };
            if shard.index == 1 {
                assert_eq!(run(5), "`Pass`: stopped", "a shard that was stopped goes on where it was");
            }
            assert!(run(usize::MAX).starts_with(&format!("this is shard {shard}: its part of a corpus pass is kept")));
        }
        let all = Parts::new(Role::All(of), job.path(), job.path().join("1.jsonl")).of_program("test");
        let merged = all.within(|| {
            let mut all = All::new();
            let [a, b, c, d, e, f] = all.each();
            let report = pass().quiet().run(&mut [a, b, c, d, e, f, &mut Stop(0)]).unwrap();
            (all, report)
        });
        assert_eq!(bytes(merged), whole, "{of} shards");
    }
}

/// A reducer that joins nothing.
struct Own;

impl Reducer for Own {
    fn name(&self) -> String {
        "own".into()
    }
    fn sites(&self) -> Vec<String> {
        vec![SITE.into()]
    }
    fn update(&mut self, _: &Batch<'_>) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> Result<State> {
        Ok(State::default())
    }
    fn restore(&mut self, _: State) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_reducer_that_cannot_join_others_sees_every_batch() {
    let (model, corpus, job) = (model(), corpus(), tempfile::tempdir().unwrap());
    let shard = Parts::new(Role::One(Shard { index: 1, of: 2 }), job.path(), job.path().join("1.jsonl"));
    let (mut used, pass) = (Firing::new(SITE), Pass::new(&model, &corpus).quiet());
    pass.run(&mut [&mut used]).unwrap();
    let once = used.count();
    shard.within(|| pass.run(&mut [&mut used])).unwrap();
    assert_eq!(used.count(), 2 * once, "it has seen tokens, which another shard would add again");
    assert!(shard.within(|| pass.run(&mut [&mut Own])).unwrap().whole);
    let said = Own.join(State::default()).unwrap_err().to_string();
    assert_eq!(said, "`Reducer`: `own` cannot join what another gathered: implement `Reducer::join` for it");
}

#[test]
fn a_saved_pass_of_something_else_is_refused() {
    let (model, corpus, folder) = (model(), corpus(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.state");
    let run = |pass: Pass<'_>, site: &str| pass.resumable(&path, 10).quiet().run(&mut [&mut Firing::new(site)]);
    run(Pass::new(&model, &corpus), SITE).unwrap();
    let said = |what: &str| {
        let file = path.display();
        format!(
            "`Pass`: the state in `{file}` is of a pass with another {what}; delete it to start again, or name another file"
        )
    };
    let error = |pass: Pass<'_>, site: &str| run(pass, site).unwrap_err().to_string();
    assert_eq!(error(Pass::new(&model, &Corpus::tokens([vec![1]])), SITE), said("corpus"));
    let other = HookedAutoModel::lively(model.config(), 2).unwrap();
    assert_eq!(error(Pass::new(&other, &corpus), SITE), said("model"));
    assert_eq!(error(Pass::new(&model, &corpus).window(8), SITE), said("windows or limits"));
    assert_eq!(error(Pass::new(&model, &corpus), "blocks.0.mlp.post"), said("reducers"));
}

#[test]
fn a_limit_ends_after_a_whole_document() {
    let (model, corpus) = (model(), corpus());
    let (all, report) = All::after(&Pass::new(&model, &corpus).limit(20));
    assert_eq!((report.documents, report.tokens, report.whole), (3, 22, false));
    assert_eq!(all.firing.count(), 22);
    assert_eq!(report.to_string(), "22 tokens of 3 documents (up to the limit) in 1 forwards, 26 tokens of padding");
}

#[test]
fn mistakes_are_named() {
    let (model, corpus) = (model(), corpus());
    let said = |pass: Pass<'_>| pass.quiet().run(&mut [&mut Firing::new(SITE)]).unwrap_err().to_string();
    let (empty, blank) = (Corpus::texts(Vec::<String>::new()), Corpus::texts(["", " \n"]));
    assert_eq!(said(Pass::new(&model, &empty)), "`Pass`: the corpus is empty: it has no documents");
    assert_eq!(
        said(Pass::new(&model, &blank)),
        "`Pass`: no token is counted: of 2 documents 2 are blank and 0 too short for `skip_first`"
    );
    assert_eq!(
        said(Pass::new(&model, &corpus).window(17)),
        "`Pass`: a window of 17 tokens does not fit; give a length from 1 to 16"
    );
    assert_eq!(
        said(Pass::new(&model, &corpus).window(4).overlap(4)),
        "`Pass`: windows of 4 tokens count nothing with an overlap of 4 and 0 skipped; give less than 4 of each"
    );
    let text = Corpus::texts(["a"]);
    let error = Pass::new(&model, &text).quiet().run(&mut [&mut Firing::new(SITE)]).unwrap_err();
    assert!(matches!(error, Error::Models(arrakis_models::Error::NoTokenizer)), "{error}");
    let error = Pass::new(&model, &corpus).run(&mut [&mut Firing::new("blocks.1.mlp.pst")]).unwrap_err().to_string();
    assert!(error.contains("did you mean `blocks.1.mlp.post`"), "{error}");
    let error = Pass::new(&model, &corpus).run(&mut []).unwrap_err().to_string();
    assert_eq!(error, "`Pass`: no reducer is given, so nothing would be kept");
}

#[test]
fn a_number_that_is_not_finite_is_named_with_its_document() {
    let (model, corpus) = (crate::tools::testing::not_finite(), Corpus::tokens([vec![1, 2, 3]]));
    let error = Pass::new(&model, &corpus).quiet().run(&mut [&mut Firing::new("blocks.0.attn.q")]).unwrap_err();
    assert!(
        error.to_string().starts_with("corpus pass: `blocks.0.attn.q` is NaN at position 0 of document 0: "),
        "{error}"
    );
}

#[test]
fn the_bytes_of_a_pass_do_not_grow_with_the_corpus() {
    let (model, corpus) = (model(), corpus());
    let many = Corpus::tokens((0..50).flat_map(|_| documents()));
    let firing = Firing::new(SITE);
    let bytes = |corpus: &Corpus| Pass::new(&model, corpus).batch_tokens(64).bytes(&[&firing]).unwrap();
    assert_eq!(bytes(&corpus), bytes(&many));
    assert!(bytes(&corpus) >= 4 * 48 * 64, "the captures of a batch of 64 tokens are counted");
}
