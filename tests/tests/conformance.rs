//! Every family × every site, and the laws every run keeps, on tiny checkpoints whose every part matters.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::path::PathBuf;

use arrakis::models::device::read;
use arrakis::models::hooks::{Action, Activation, Edit, Plan};
use arrakis::models::site::SITES;
use arrakis::models::transformer::Transformer;
use arrakis::models::{
    Generation, HookedAutoModel, HookedTransformer, Intervention, LoadOptions, RunOptions, Side, SweepCase, Tokens,
};
use arrakis::prelude::{Tensor, site};

/// One checkpoint a family, and those whose options differ most.
const CASES: &[&str] = &[
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gpt_neox_serial",
    "llama",
    "gemma",
    "phi3",
    "qwen2",
    "mistral",
    "stablelm",
    "stablelm_parallel",
    "gemma2",
    "gemma3",
    "qwen3",
    "phi",
    "gptj",
    "opt",
    "bloom",
    "falcon",
    "olmo2",
    "mixtral",
    "bert",
    "opt_350m",
    "falcon_new",
];

fn load(case: &str) -> HookedTransformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity").join(case);
    let device = std::env::var("ARRAKIS_DEVICE").unwrap_or_else(|_| "cpu".into());
    HookedAutoModel::load(
        folder.to_str().unwrap(),
        &LoadOptions { device: Some(device), quiet: true, ..LoadOptions::default() },
    )
    .unwrap()
}

/// Runs a check on every case; all failures are told, not the first.
fn each(check: impl Fn(&HookedTransformer) -> Result<(), String>) {
    let failures: Vec<String> =
        CASES.iter().filter_map(|case| check(&load(case)).err().map(|problem| format!("{case}: {problem}"))).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn prompt() -> Tokens {
    Tokens::new(vec![vec![3, 14, 15, 9, 26, 5, 35, 8], vec![2, 7, 18, 28, 18, 28, 4, 5]]).unwrap()
}

/// The largest difference; what is no number is no small one.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger = |most: f32, next: f32| if next > most || next.is_nan() { next } else { most };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

fn logits(model: &HookedTransformer, tokens: &Tokens) -> Vec<f32> {
    read(model.forward(tokens).unwrap()).unwrap()
}

fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) -> Result<(), String> {
    let apart = apart(a, b);
    if apart <= tolerance { Ok(()) } else { Err(format!("{what}: {apart} > {tolerance}")) }
}

/// The lengths an axis letter of the site table stands for.
fn expected_dims(model: &HookedTransformer, name: &str, tokens: &Tokens) -> Vec<usize> {
    let config = model.config();
    let inside = name.strip_prefix("blocks.").map_or(name, |rest| rest.split_once('.').unwrap().1);
    if inside.starts_with("mlp.experts.") {
        let width = if inside.rsplit('.').next() == Some("out") { config.d_model } else { config.d_mlp };
        return vec![tokens.batch(), tokens.pos(), width];
    }
    let row = SITES.iter().find(|row| row.name == inside && row.in_block == name.starts_with("blocks.")).unwrap();
    let heads = if matches!(inside, "attn.k" | "attn.v" | "attn.rot_k" | "k_input" | "v_input") {
        config.n_kv_heads
    } else {
        config.n_heads
    };
    row.axes
        .trim_matches(['[', ']'])
        .split(", ")
        .map(|axis| match axis {
            "b" => tokens.batch(),
            "p" | "q" | "k" => tokens.pos(),
            "h" => heads,
            "m" => config.d_model,
            "d" => config.d_head,
            "f" => config.d_mlp,
            "v" => config.d_vocab,
            "e" => config.experts.unwrap().count,
            "1" => 1,
            other => panic!("axis {other}"),
        })
        .collect()
}

#[test]
fn every_site_is_captured_with_the_axes_of_the_table() {
    each(axes_of_the_table);
}

fn axes_of_the_table(model: &HookedTransformer) -> Result<(), String> {
    let tokens = prompt();
    let (_, cache) = model.run_with_cache(&tokens, ["*"]).map_err(|error| error.to_string())?;
    let mut met: Vec<&str> = cache.sites().collect();
    let mut known = model.sites();
    met.sort_unstable();
    known.sort_unstable();
    if met != known {
        return Err(format!(
            "the table and the run differ: {:?}",
            known.iter().filter(|site| !met.contains(&site.as_str())).collect::<Vec<_>>()
        ));
    }
    for (name, value) in cache.iter() {
        let expected = expected_dims(model, name, &tokens);
        // Learned positions are looked up once for all rows where rows agree.
        if value.dims() != expected {
            return Err(format!("{name} is {:?}, the table says {expected:?}", value.dims()));
        }
    }
    Ok(())
}

#[test]
fn looking_changes_no_bit() {
    each(|model| {
        let tokens = prompt();
        let seen = model.run_with_cache(&tokens, ["*"]).unwrap().0;
        if read(seen).unwrap() == logits(model, &tokens) {
            Ok(())
        } else {
            Err("capturing everything changed the logits".into())
        }
    });
}

#[test]
fn an_edit_at_every_site_changes_the_output_and_fires_once() {
    each(each_edit_moves_the_output);
}

fn each_edit_moves_the_output(model: &HookedTransformer) -> Result<(), String> {
    let tokens = prompt();
    let clean = logits(model, &tokens);
    for name in model.sites() {
        // Shifted by uneven amounts: norms are blind to a constant and to a factor.
        let edit = Edit::any("uneven", |value: Activation, _| {
            let shift =
                (0..value.dims().iter().product::<usize>()).map(|i| ((i * 37 % 11) as f32 - 4.0) * 0.05).collect();
            let shift = Activation::from_vec(shift, &[value.dims().iter().product()], value.device())?.tensor::<1>()?;
            let values = value.to_flat()? + shift;
            Activation::from_vec(read(values)?, value.dims(), value.device())
        });
        let outcome =
            model.run(&tokens, Plan::new().edit(name.as_str(), edit)).map_err(|error| format!("{name}: {error}"))?;
        if outcome.fired.edits != [1] {
            return Err(format!("{name} fired {:?} times", outcome.fired.edits));
        }
        let moved = apart(&read(outcome.output).unwrap(), &clean);
        if moved.is_nan() || moved < 1e-6 {
            return Err(format!("an edit at {name} moved nothing ({moved})"));
        }
    }
    Ok(())
}

#[test]
fn identity_edits_are_exact() {
    each(|model| {
        let tokens = prompt();
        let clean = logits(model, &tokens);
        for name in model
            .sites()
            .into_iter()
            .filter(|name| !name.ends_with("_input") && !name.ends_with("attn_in") && !name.ends_with("mlp_in"))
        {
            let same = Edit::any("same", |value, _| Ok(value));
            let out = read(model.run_with_hooks(&tokens, [(name.as_str(), same)]).unwrap()).unwrap();
            if out != clean {
                return Err(format!("an identity edit at {name} moved the logits by {}", apart(&out, &clean)));
            }
        }
        Ok(())
    });
}

#[test]
fn the_stream_adds_up() {
    each(|model| {
        let tokens = prompt();
        let (_, cache) = model.run_with_cache(&tokens, ["*"]).unwrap();
        let config = model.config();
        for layer in 0..config.n_layers {
            let of = |name: &str| cache.get::<3>(format!("blocks.{layer}.{name}")).unwrap();
            added_up(model, layer, of)?;
            let heads: Tensor<4> = cache.get(site::result(layer)).unwrap();
            let summed: Tensor<3> = heads.sum_dim(2).squeeze_dim(2);
            let bias = model.b_o(layer).unwrap().unsqueeze();
            close("heads", &read(summed + bias).unwrap(), &read(of("attn.out")).unwrap(), 1e-4)?;
            let pattern: Tensor<4> = cache.get(site::pattern(layer)).unwrap();
            let rows = read(pattern.clone().sum_dim(3)).unwrap();
            close("rows of the pattern", &rows, &vec![1.0; rows.len()], 1e-5)?;
            let pattern = read(pattern).unwrap();
            if config.bidirectional {
                both_ways(&pattern)?;
            } else {
                causal(&pattern, tokens.pos(), config.windows[layer])?;
            }
        }
        let last: Tensor<3> = cache.get(site::resid_post(config.n_layers - 1)).unwrap();
        close("logits", &read(model.net().forward_unembed(last)).unwrap(), &logits(model, &tokens), 1e-5)
    });
}

/// What a block writes, added; where norms follow each addition, the norm of each sum.
fn added_up(model: &HookedTransformer, layer: usize, of: impl Fn(&str) -> Tensor<3>) -> Result<(), String> {
    let block = model.block(layer).unwrap();
    let (pre, attn_out, mlp_out) = (of("resid_pre"), of("attn_out"), of("mlp_out"));
    let post = if model.net().is_additive() {
        pre + attn_out + mlp_out
    } else {
        let mid = block.ln1.as_ref().unwrap().apply(pre + attn_out);
        close("resid_mid", &read(mid.clone()).unwrap(), &read(of("resid_mid")).unwrap(), 1e-4)?;
        block.ln2.as_ref().unwrap().apply(mid + mlp_out)
    };
    close("resid_post", &read(post).unwrap(), &read(of("resid_post")).unwrap(), 1e-4)
}

/// Every position has weight on every other.
fn both_ways(pattern: &[f32]) -> Result<(), String> {
    match pattern.iter().position(|weight| *weight <= 0.0) {
        None => Ok(()),
        Some(index) => Err(format!("no weight at {index} of a pattern that looks both ways")),
    }
}

/// Nothing above the diagonal, nothing further back than the window.
fn causal(pattern: &[f32], pos: usize, window: Option<usize>) -> Result<(), String> {
    let outside = pattern.iter().enumerate().find(|(index, weight)| {
        let (query, key) = (index / pos % pos, index % pos);
        **weight != 0.0 && (key > query || window.is_some_and(|window| query - key >= window))
    });
    outside.map_or(Ok(()), |(index, weight)| {
        Err(format!("weight {weight} at query {}, key {}", index / pos % pos, index % pos))
    })
}

#[test]
fn batched_is_alone_under_both_paddings() {
    each(|model| {
        let rows = [vec![3, 14, 15, 9, 26, 5], vec![7, 8, 9], vec![30]];
        for side in [Side::Left, Side::Right] {
            let batch = Tokens::padded(&rows, side, 0).unwrap();
            let together = logits(model, &batch);
            let (pos, vocab) = (batch.pos(), model.config().d_vocab);
            for (index, row) in rows.iter().enumerate() {
                let alone = logits(model, &Tokens::new(vec![row.clone()]).unwrap());
                let start = if side == Side::Left { pos - row.len() } else { 0 };
                let own = &together[(index * pos + start) * vocab..][..row.len() * vocab];
                close(&format!("{side:?} row {index}"), own, &alone, 1e-4)?;
            }
        }
        Ok(())
    });
}

#[test]
fn cached_is_uncached_under_hooks() {
    each(|model| {
        let prompts = Tokens::padded(&[vec![3, 14, 15, 9], vec![7, 8]], Side::Left, 0).unwrap();
        if model.config().bidirectional {
            let said = model.generate(&prompts, &Generation::greedy(4)).unwrap_err().to_string();
            return if said.contains("it is an encoder") { Ok(()) } else { Err(said) };
        }
        for site in [site::resid_post(0), site::z(1), site::k(0), site::v(1), site::mlp_out(1)] {
            let plan = Plan::new().edit(site.clone(), Intervention::scale(0.5).edit()).capture(site::resid_pre(1));
            let made = |use_cache| {
                model
                    .generate(&prompts, &Generation { use_cache, plan: plan.clone(), ..Generation::greedy(4) })
                    .unwrap()
            };
            let (cached, uncached) = (made(true), made(false));
            if cached.ids != uncached.ids {
                return Err(format!("{site}: {:?} cached, {:?} not", cached.ids, uncached.ids));
            }
            for (a, b) in cached.logits.iter().flatten().zip(uncached.logits.iter().flatten()) {
                close(site.as_str(), a, b, 1e-3)?;
            }
            if cached.steps[1].get::<3>(site::resid_pre(1)).unwrap().dims() != [2, 1, model.config().d_model] {
                return Err("a decoding step captures its own position".into());
            }
        }
        Ok(())
    });
}

#[test]
fn starting_and_stopping_at_a_layer_is_the_whole_run() {
    each(|model| {
        let tokens = prompt();
        let (whole, cache) = model.run_with_cache(&tokens, ["*.resid_pre"]).unwrap();
        let whole = read(whole).unwrap();
        for layer in 0..model.config().n_layers {
            let resid: Tensor<3> = cache.get(site::resid_pre(layer)).unwrap();
            let options = RunOptions { stop_at_layer: Some(layer as isize), ..RunOptions::default() };
            let stopped = model.run_from(&tokens, Plan::new(), None, &options).unwrap().output;
            if read(stopped).unwrap() != read(resid.clone()).unwrap() {
                return Err(format!("stopped at {layer}"));
            }
            let from_end =
                RunOptions { stop_at_layer: Some(layer as isize - model.config().n_layers as isize), ..options };
            let stopped = model.run_from(&tokens, Plan::new(), None, &from_end).unwrap().output;
            if read(stopped).unwrap() != read(resid.clone()).unwrap() {
                return Err(format!("stopped at {layer}, counted from the end"));
            }
            let resumed =
                model.run_from(&tokens, Plan::new(), Some((layer, resid)), &RunOptions::default()).unwrap().output;
            if read(resumed).unwrap() != whole {
                return Err(format!("resumed at {layer}"));
            }
        }
        let layers = model.config().n_layers;
        let all = RunOptions { stop_at_layer: Some(layers as isize), ..RunOptions::default() };
        let last = model.run_from(&tokens, Plan::new(), None, &all).unwrap().output;
        let ended = model.run_from(&tokens, Plan::new(), Some((layers, last)), &RunOptions::default()).unwrap().output;
        if read(ended).unwrap() != whole {
            return Err("resumed after the last block".into());
        }
        for stop in [layers as isize + 1, -(layers as isize) - 1] {
            let far = RunOptions { stop_at_layer: Some(stop), ..RunOptions::default() };
            if model.run_from(&tokens, Plan::new(), None, &far).is_ok() {
                return Err(format!("stopped at {stop}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_sweep_is_each_edit_alone() {
    each(|model| {
        for side in [Side::Left, Side::Right] {
            let tokens = Tokens::padded(&[vec![3, 14, 15, 9, 26], vec![7, 8, 9]], side, 0).unwrap();
            swept_is_alone(model, &tokens, side == Side::Left).map_err(|problem| format!("{side:?}: {problem}"))?;
        }
        Ok(())
    });
}

/// Selections, edits of several sites, and a closure that asks which tokens it sees.
fn cases_of_a_sweep(model: &HookedTransformer) -> Vec<SweepCase> {
    let mut cases = Vec::new();
    for layer in 0..model.config().n_layers {
        cases.push(SweepCase::new(format!("z{layer}"), site::z(layer), Intervention::zero().head(0).edit()));
        for position in [1, -1] {
            let edit = Intervention::scale(1.5).positions([position]).edit();
            cases.push(SweepCase::new(format!("{layer}@{position}"), site::resid_pre(layer), edit.clone()));
            cases.push(SweepCase::new(format!("v{layer}@{position}"), site::v(layer), edit.clone()));
            cases.push(SweepCase::new(format!("k{layer}@{position}"), site::k(layer), edit));
        }
        let cut = Intervention::new(Action::KnockOut { keys: vec![0] }).positions([-1]).edit();
        cases.push(SweepCase::new(format!("edge{layer}"), site::scores(layer), cut));
    }
    cases.push(SweepCase::new("row", site::resid_pre(1), Intervention::scale(2.0).rows([1]).edit()));
    cases.push(SweepCase::new("token", site::mlp_out(0), Intervention::zero().tokens([8]).edit()));
    let both = vec![
        (site::resid_pre(0).into(), Intervention::scale(1.5).positions([0]).rows([1]).edit()),
        (site::mlp_out(1).into(), by_length()),
    ];
    cases.push(SweepCase { label: "two sites".into(), edits: both });
    cases.push(SweepCase::new("rows", site::resid_post(0), by_length()));
    cases.push(SweepCase::new("all", "*.mlp_out", by_length()));
    cases.push(SweepCase::new("embedding", "embed", by_length()));
    cases.push(SweepCase::new("logits", "logits", by_length()));
    cases
}

/// Each row times the number of its tokens.
fn by_length() -> Edit {
    Edit::at(|x: Tensor<3>, at| {
        let rows = at.rows.unwrap();
        assert_eq!((rows.len(), rows.batch()), (2, (0, 2)));
        let lengths: Vec<f32> =
            rows.real().iter().map(|row| row.iter().filter(|real| **real).count() as f32 / 3.0).collect();
        let lengths: Tensor<1> = Tensor::from_floats(lengths.as_slice(), &x.device());
        x * lengths.reshape([2, 1, 1])
    })
}

/// A metric of every position, padding left out.
fn swept_is_alone(model: &HookedTransformer, tokens: &Tokens, ends_alike: bool) -> Result<(), String> {
    let real: Vec<f32> = tokens.real().iter().flatten().map(|real| f32::from(u8::from(*real))).collect();
    let metric = |logits: Tensor<3>| {
        let [batch, pos, _] = logits.dims();
        let differences = (logits.clone().narrow(2, 3, 1) - logits.narrow(2, 7, 1)).reshape([batch, pos]);
        let real: Tensor<1> = Tensor::from_floats(real.as_slice(), &differences.device());
        let real = real.reshape([batch, tokens.pos()]).narrow(1, tokens.pos() - pos, pos);
        Ok((differences * real).sum_dim(1).reshape([batch]))
    };
    let cases = cases_of_a_sweep(model);
    let alone = |case: &SweepCase, last: bool| {
        let logits = model.run_with_hooks(tokens, case.edits.clone()).unwrap();
        let logits = if last { logits.narrow(1, tokens.pos() - 1, 1) } else { logits };
        read(metric(logits).unwrap()).unwrap()
    };
    for (last, limit) in [(false, 2048), (false, 25), (true, 2048)] {
        if last && !ends_alike {
            continue;
        }
        let sweep = model.sweep(tokens).unwrap().cases(cases.clone()).tokens_per_forward(limit).quiet();
        let found = if last { sweep.last_only() } else { sweep }.run(metric).map_err(|error| error.to_string())?;
        for (case, values) in cases.iter().zip(&found.values) {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            close(&case.label, &values, &alone(case, last), 2e-3)?;
        }
    }
    Ok(())
}

#[test]
fn gradients_are_those_of_finite_differences() {
    each(|model| {
        let tokens = Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap();
        let metric = |logits: Tensor<3>| logits.narrow(1, 3, 1).narrow(2, 5, 1).reshape([1]);
        for at in [site::resid_pre(1), site::z(0), site::mlp_out(0)] {
            let run = model.run(&tokens, Plan::new().grad(at.clone()).capture(at.clone())).unwrap();
            let gradient =
                run.gradients(metric(run.output.clone())).unwrap().activation(&at).unwrap().to_vec().unwrap();
            let value = run.cache.activation(&at).unwrap().clone();
            for index in [0, gradient.len() / 2, gradient.len() - 1] {
                let moved = |step: f32| {
                    let mut values = value.to_vec().unwrap();
                    values[index] += step;
                    let patch = Activation::from_vec(values, value.dims(), value.device()).unwrap();
                    let out =
                        model.run_with_hooks(&tokens, [(at.clone(), Intervention::patch(&patch).edit())]).unwrap();
                    read(metric(out)).unwrap()[0]
                };
                let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                let tolerance = 2e-2 * (1.0 + numeric.abs());
                if (numeric - gradient[index]).abs() > tolerance {
                    return Err(format!("{at}[{index}]: {} by gradient, {numeric} by difference", gradient[index]));
                }
            }
        }
        Ok(())
    });
}

/// What an encoder has and a decoder has not: types, masked labels, and no next token.
#[test]
fn an_encoder_tells_texts_apart_and_predicts_what_is_masked() {
    let (bert, gpt2) = (load("bert"), load("gpt2"));
    let typed = |kinds: Vec<u32>| Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap().with_types(vec![kinds]).unwrap();
    let plain = logits(&bert, &Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap());
    assert_eq!(logits(&bert, &typed(vec![0, 0, 0, 0])), plain);
    let pair = typed(vec![0, 0, 1, 1]);
    assert!(apart(&logits(&bert, &pair), &plain) > 0.1);
    assert_eq!(logits(&bert, &pair.row(0).unwrap()), logits(&bert, &pair));
    let (_, cache) = bert.run_with_cache(&pair, ["token_type_embed"]).unwrap();
    let rows = read(cache.get::<3>("token_type_embed").unwrap()).unwrap();
    let width = bert.config().d_model;
    assert!(rows[..width] == rows[width..2 * width] && rows[..width] != rows[2 * width..3 * width]);

    for (model, kinds, count) in [(&bert, vec![0, 2, 0, 0], 2), (&gpt2, vec![0, 0, 1, 0], 1)] {
        let said = model.forward(typed(kinds.clone())).unwrap_err().to_string();
        let asked = kinds.iter().max().unwrap();
        assert_eq!(said, format!("token type {asked} is out of range: there are {count}, numbered from 0"));
    }

    let vocab = bert.config().d_vocab;
    let row: Vec<f64> = plain[vocab..2 * vocab].iter().map(|logit| f64::from(*logit)).collect();
    let by_hand = row.iter().map(|logit| logit.exp()).sum::<f64>().ln() - row[30];
    let output = bert.forward([3, 14, 15, 9]).unwrap();
    let labels = |label: Option<u32>| vec![vec![None, label, None, None]];
    let loss = read(bert.masked_loss(output.clone(), &labels(Some(30))).unwrap()).unwrap();
    assert!((f64::from(loss[0]) - by_hand).abs() < 1e-4, "{loss:?} is not {by_hand}");
    let refused = |labels: Vec<Vec<Option<u32>>>| bert.masked_loss(output.clone(), &labels).unwrap_err().to_string();
    assert_eq!(refused(labels(None)), "labels of masked positions: expected 1, got 0");
    assert_eq!(refused(vec![vec![None]]), "labels, one a position: expected 4, got 1");
    assert_eq!(refused(labels(Some(999))), "token 999 is out of range: there are 120, numbered from 0");
    let said = bert.loss(output, &typed(vec![0; 4])).unwrap_err().to_string();
    assert_eq!(
        said,
        "a next token is not in this model: it is an encoder, whose positions see the ones behind them; use `masked_loss`"
    );
}

#[test]
fn a_cache_is_unchanged_by_later_runs_and_models_interleave() {
    let (a, b) = (load("gpt2"), load("llama"));
    let (_, first) = a.run_with_cache(prompt(), ["*"]).unwrap();
    let before: Vec<Vec<f32>> = first.iter().map(|(_, value)| value.to_vec().unwrap()).collect();
    let inner = b.clone();
    let nested = Edit::new(move |x: Tensor<3>| {
        inner.run_with_cache(prompt(), ["*"]).unwrap();
        x * 2.0
    });
    let outer = a.run(prompt(), Plan::new().edit(site::resid_pre(1), nested).capture("*.pattern")).unwrap();
    assert_eq!(outer.cache.len(), a.config().n_layers, "a run inside an edit is its own");
    assert_eq!(before, first.iter().map(|(_, value)| value.to_vec().unwrap()).collect::<Vec<_>>());
}

#[test]
fn threads_run_apart() {
    let model = load("gpt_neox");
    let clean = logits(&model, &prompt());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (model, clean) = (&model, &clean);
            scope.spawn(move || {
                for _ in 0..5 {
                    let zero = Intervention::scale(1.0 + thread as f32).edit();
                    let out = read(model.run_with_hooks(prompt(), [(site::resid_pre(0), zero)]).unwrap()).unwrap();
                    assert_eq!(out == *clean, thread == 0);
                }
            });
        }
    });
}

#[test]
fn a_panic_in_an_edit_leaves_nothing_behind() {
    let model = load("gpt2");
    let clean = logits(&model, &prompt());
    let boom = Edit::new(|_: Tensor<3>| -> Tensor<3> { panic!("in an edit") });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        model.run_with_hooks(prompt(), [(site::resid_pre(0), boom)])
    }));
    assert!(caught.is_err());
    assert_eq!(logits(&model, &prompt()), clean);
    assert_eq!(model.run_with_cache(prompt(), ["embed"]).unwrap().1.len(), 1);
}

#[test]
fn five_hundred_runs_leave_memory_where_it_was() {
    let model = load("gpt2");
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").ok()?;
        status.split_whitespace().nth(1)?.parse::<usize>().ok()
    };
    let run = || {
        let plan = Plan::new().capture("*").grad("*.resid_pre").edit(site::z(0), Intervention::zero().head(0).edit());
        let run = model.run(prompt(), plan).unwrap();
        let metric = run.output.clone().slice([0..1, 7..8, 5..6]).reshape([1]);
        drop(run.gradients(metric).unwrap());
        (run.output, run.cache)
    };
    (0..50).for_each(|_| drop(run()));
    let Some(before) = resident() else { return };
    let first = read(run().0).unwrap();
    (0..500).for_each(|_| drop(run()));
    let (after, page) = (resident().unwrap(), 4096);
    assert_eq!(read(run().0).unwrap(), first);
    assert!(after.saturating_sub(before) * page < 32 << 20, "{before} pages, then {after}");
}

/// A check of the suite, on one model.
type Check = fn(&HookedTransformer) -> Result<(), String>;

/// What a family could do wrong, and the check that says so.
#[test]
fn a_deliberately_broken_family_fails_the_suite() {
    let model = load("gpt2");
    let broken = |change: fn(&mut Transformer)| {
        let mut net = model.net().clone();
        change(&mut net);
        model.with_net(net)
    };
    let without_norm = broken(|net| net.ln_final = None);
    let split_otherwise = broken(|net| {
        net.blocks[0].attn.n_heads *= 2;
        net.blocks[0].attn.n_kv_heads *= 2;
    });
    let unheard = broken(|net| {
        let weight = &mut net.blocks[0].attn.w_o.weight;
        *weight = weight.clone().map(|weight| weight.zeros_like());
    });
    let no_number = broken(|net| {
        let weight = &mut net.blocks[1].attn.w_q.weight;
        *weight = weight.clone().map(|weight| weight * f32::NAN);
    });
    let checks: [(&str, HookedTransformer, Check, &str); 4] = [
        ("a norm the config has", without_norm, axes_of_the_table, "the table and the run differ"),
        ("heads of another width", split_otherwise, axes_of_the_table, "the table says"),
        ("heads nobody hears", unheard, each_edit_moves_the_output, "moved nothing"),
        ("weights that are no numbers", no_number, each_edit_moves_the_output, "moved nothing (NaN)"),
    ];
    for (what, model, check, said) in checks {
        let found = check(&model).expect_err(what);
        assert!(found.contains(said), "{what}: {found}");
    }
}
