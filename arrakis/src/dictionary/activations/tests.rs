use std::collections::BTreeMap;

use arrakis_models::{HookedAutoModel, HookedTransformer, TransformerConfig, count_passes, device};

use super::*;
use crate::corpus::Corpus;

const SITE: &str = "blocks.1.resid_post";

fn model() -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
}

/// 69 tokens in documents of many lengths.
fn corpus() -> Corpus {
    let document = |length: usize| (0..length).map(|at| ((at * at * 7 + length * 3 + at) % 20) as u32).collect();
    Corpus::tokens([5, 1, 16, 0, 3, 24, 8, 9, 2, 1].map(document))
}

type Bits = Vec<Vec<u32>>;

/// The next batches as bits, one list a row.
fn given(stream: &mut ActivationStream<'_>, batches: usize) -> Vec<Bits> {
    let next = |_| {
        let batch = stream.next().unwrap().remove(0);
        let width = batch.dims()[1];
        let numbers = device::read(batch).unwrap();
        numbers.chunks(width).map(|row| row.iter().map(|x| x.to_bits()).collect()).collect()
    };
    (0..batches).map(next).collect()
}

/// Bytes for chunks of about this many rows of the 12 numbers of a stream.
fn bytes(rows: u64) -> u64 {
    rows * 2 * 4 * 12
}

fn small<'a>(pass: &Pass<'a>) -> Activations<'a> {
    Activations::new(pass, [SITE]).bytes(bytes(30)).batch(7)
}

#[test]
fn an_epoch_gives_every_token_once_and_the_next_in_another_order() {
    let (model, corpus) = (model(), corpus());
    let pass = Pass::new(&model, &corpus).batch_tokens(20).quiet();
    let mut stream = small(&pass).stream().unwrap();
    let mut epochs = [Vec::new(), Vec::new(), Vec::new()];
    while stream.place().epoch < 2 {
        let rows = given(&mut stream, 1).remove(0);
        epochs[stream.place().epoch as usize].extend(rows);
    }
    assert_eq!(epochs[0].len(), 69);
    assert_ne!(epochs[0], epochs[1]);
    let count = |rows: &Bits| {
        rows.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<_, usize>, row| {
            *counts.entry(row.clone()).or_default() += 1;
            counts
        })
    };
    assert_eq!(count(&epochs[0]), count(&epochs[1]));
}

#[test]
fn the_rows_are_those_of_the_model_and_sites_of_a_batch_are_of_the_same_tokens() {
    let (model, corpus) = (model(), Corpus::tokens([vec![3, 1, 4, 1, 5]]));
    let pass = Pass::new(&model, &corpus).quiet();
    let sites = [SITE, "blocks.1.mlp.hook_post"];
    let batch = Activations::new(&pass, sites).batch(99).stream().unwrap().next().unwrap();
    let cache = model.capture([3, 1, 4, 1, 5], sites).unwrap();
    let rows = |site: &str| cache.activation(site).unwrap().to_vec().unwrap();
    let (stream, post) = (rows(SITE), rows("blocks.1.mlp.post"));
    let found = [device::read(batch[0].clone()).unwrap(), device::read(batch[1].clone()).unwrap()];
    for (row, neurons) in found[0].chunks(12).zip(found[1].chunks(48)) {
        let at = stream.chunks(12).position(|own| own == row).unwrap();
        assert_eq!(neurons, &post[at * 48..(at + 1) * 48]);
    }
}

#[test]
fn a_stream_goes_on_from_a_place_with_the_same_bits() {
    let (model, corpus) = (model(), corpus());
    for limit in [None, Some(40)] {
        let pass = Pass::new(&model, &corpus).batch_tokens(20).skip_first(1).quiet();
        let pass = limit.map_or(pass.clone(), |tokens| pass.limit(tokens));
        let of = small(&pass).seed(3);
        let whole = given(&mut of.stream().unwrap(), 30);
        for stop in [0, 1, 4, 5, 9, 10, 17, 29] {
            let mut first = of.stream().unwrap();
            given(&mut first, stop);
            let place = serde_json::from_str(&serde_json::to_string(first.place()).unwrap()).unwrap();
            assert_eq!(given(&mut of.stream_from(&place).unwrap(), 30 - stop), whole[stop..], "{limit:?} {stop}");
        }
    }
}

#[test]
fn a_chunk_stays_within_the_bytes() {
    let (model, corpus) = (model(), corpus());
    let pass = Pass::new(&model, &corpus).batch_tokens(16).quiet();
    for rows in [16, 30, 50, 1000] {
        let mut stream = small(&pass).bytes(bytes(rows)).stream().unwrap();
        for _ in 0..40 {
            assert!(stream.chunk()[0].dims()[0] as u64 <= rows);
            stream.next().unwrap();
        }
    }
}

#[test]
fn chunks_on_the_disk_have_the_same_bits_and_run_no_model() {
    let (model, corpus, folder) = (model(), corpus(), tempfile::tempdir().unwrap());
    let pass = Pass::new(&model, &corpus).batch_tokens(20).quiet();
    let whole = given(&mut small(&pass).stream().unwrap(), 25);
    let folder = folder.path().join("new");
    let kept = small(&pass).on_disk(&folder);
    assert_eq!(given(&mut kept.stream().unwrap(), 25), whole);
    let (again, passes) = count_passes(|| given(&mut kept.stream().unwrap(), 25));
    assert_eq!((again, passes.forwards), (whole.clone(), 0));
    // Half of the chunks are gone: they are made again.
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    files.iter().step_by(2).for_each(|file| std::fs::remove_file(file).unwrap());
    assert_eq!(given(&mut kept.stream().unwrap(), 25), whole);
    // Another seed shuffles the same files; another site has files of its own.
    let (_, passes) = count_passes(|| given(&mut kept.clone().seed(8).stream().unwrap(), 25));
    assert_eq!(passes.forwards, 0);
    let other = Activations::new(&pass, ["blocks.0.resid_post"]).bytes(bytes(30)).on_disk(&folder);
    assert!(count_passes(|| given(&mut other.stream().unwrap(), 2)).1.forwards > 0);
}

#[test]
fn mistakes_are_named() {
    let (model, corpus, folder) = (model(), corpus(), tempfile::tempdir().unwrap());
    let pass = Pass::new(&model, &corpus).quiet();
    let said = |of: &Activations<'_>| of.stream().map(|_| ()).unwrap_err().to_string();
    assert!(said(&Activations::new(&pass, ["blocks.1.resid_pst"])).contains("did you mean `blocks.1.resid_post`"));
    assert_eq!(
        said(&Activations::new(&pass, ["blocks.1.attn.pattern"])),
        "`Activations`: `blocks.1.attn.pattern` has no vector for each token; name a site `[b, p, ..]`"
    );
    assert_eq!(
        said(&Activations::new(&pass, [SITE]).batch(0)),
        "`Activations`: a batch of 0 tokens trains nothing; give at least 1"
    );
    let none: [&str; 0] = [];
    assert_eq!(
        said(&Activations::new(&pass, none)),
        "`Activations`: no site is given; name one, such as `blocks.1.resid_post`"
    );
    let skipped = Corpus::tokens([vec![1]]);
    let skipped = Pass::new(&model, &skipped).skip_first(1).quiet();
    assert_eq!(
        said(&Activations::new(&skipped, [SITE])),
        "`Activations`: the corpus counts no token; give text, or skip fewer tokens"
    );
    let kept = small(&pass).on_disk(folder.path());
    kept.stream().unwrap();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, "notes").unwrap();
    assert_eq!(
        said(&kept),
        format!("`Activations`: `{}` is not a chunk of activations; delete it to have it made again", file.display())
    );
}
