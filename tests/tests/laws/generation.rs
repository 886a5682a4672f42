//! Generation under hooks: each row equals that row alone, and each cached step equals the step without a cache.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use arrakis::models::hooks::Capture;
use arrakis::models::{Generated, Generation, HookedTransformer, Intervention, Plan, Side, Tokens};
use arrakis::prelude::site;

/// Learned positions, rotary positions, `ALiBi`, windows, experts, norms on keys.
const CASES: &[&str] =
    &["gpt2", "gpt_neo", "llama", "bloom", "falcon_alibi", "mistral", "gemma2", "gemma3", "qwen3", "mixtral_window"];

const ROWS: [&[u32]; 3] = [&[3, 14, 15, 9, 26], &[7, 8], &[2, 7, 18]];

fn load(case: &str) -> HookedTransformer {
    arrakis_tests::load(case, "cpu")
}

fn batch(side: Side) -> Tokens {
    Tokens::padded(&ROWS.map(<[u32]>::to_vec), side, 0).unwrap()
}

fn each(check: impl Fn(&str, &HookedTransformer)) {
    for case in CASES {
        check(case, &load(case));
    }
}

/// Logits of one row over its steps.
fn of_row(made: &Generated, row: usize) -> Vec<f32> {
    made.logits_of_row(row).unwrap()
}

fn close(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let far = a.iter().zip(b).find(|(a, b)| (*a - *b).is_nan() || (*a - *b).abs() >= 1e-3);
    assert!(far.is_none(), "{what}: {far:?}");
}

/// Every kind of selection: by token, from the end, by absolute position (in the prompt and among the new tokens), by
/// head, neuron and attention edge; and a mean.
fn interventions() -> Vec<(&'static str, String, Intervention)> {
    let knock_out = |keys: Vec<isize>| Intervention::knock_out(keys);
    vec![
        ("tokens", site::resid_pre(1).to_string(), Intervention::scale(0.5).tokens([8, 18, 26])),
        ("the prompt's end", site::resid_pre(1).to_string(), Intervention::scale(2.0).positions([-1])),
        ("the prompt's start", site::z(0).to_string(), Intervention::zero().positions([0]).head(1)),
        ("a made token", site::resid_pre(1).to_string(), Intervention::scale(-1.0).positions([6])),
        ("a neuron", "blocks.0.mlp_out".into(), Intervention::set(3.0).features([2])),
        ("an edge", "blocks.1.attn.scores".into(), knock_out(vec![0]).head(1)),
        ("edges from the end", "blocks.0.attn.scores".into(), knock_out(vec![-2, 5])),
        ("one edge", "blocks.0.attn.scores".into(), knock_out(vec![0]).positions([-1])),
    ]
}

#[test]
fn a_row_equals_the_row_alone_and_cached_equals_uncached_under_every_selection() {
    each(|case, model| {
        for (what, at, intervention) in interventions() {
            let how = |use_cache| {
                Generation::greedy(5).use_cache(use_cache).ignore_eos().edit(at.as_str(), intervention.clone())
            };
            let alone: Vec<Generated> = ROWS.iter().map(|row| model.generate(*row, &how(true)).unwrap()).collect();
            for (side, use_cache) in
                [(Side::Left, true), (Side::Left, false), (Side::Right, true), (Side::Right, false)]
            {
                let made = model.generate(batch(side), &how(use_cache)).unwrap();
                for (row, alone) in alone.iter().enumerate() {
                    let what = format!("{case}, {what}, {side:?}, cached {use_cache}, row {row}");
                    close(&what, &of_row(&made, row), &of_row(alone, 0));
                    assert_eq!(made.ids[row], alone.ids[0], "{what}");
                }
            }
        }
    });
}

/// After 8 tokens all keys are rotated with other factors, so the cached ones are computed again.
#[test]
fn cached_equals_uncached_where_a_longer_text_rotates_differently() {
    let model = load("phi3_longrope");
    for (what, at, intervention) in interventions() {
        let made = |use_cache| {
            let how = Generation::greedy(8).use_cache(use_cache).capture(site::resid_pre(1));
            model.generate(ROWS[0], &how.edit(at.as_str(), intervention.clone())).unwrap()
        };
        let (cached, uncached) = (made(true), made(false));
        close(what, &of_row(&cached, 0), &of_row(&uncached, 0));
        let tokens = |made: &Generated| -> Vec<usize> {
            made.steps.iter().map(|step| step.activation("resid_pre1").unwrap().dims()[1]).collect()
        };
        assert_eq!(tokens(&cached), [5, 1, 1, 1, 9, 1, 1, 1], "{what}");
        assert_eq!(tokens(&uncached), [5, 6, 7, 8, 9, 10, 11, 12], "{what}");
    }
}

#[test]
fn each_row_has_its_own_random_draws() {
    each(|case, model| {
        let how = |stream| Generation::sampled(6).temperature(1.5).top_p(0.95).seed(7).stream(stream);
        let made = model.generate(batch(Side::Left), &how(0)).unwrap();
        for (row, ids) in ROWS.iter().enumerate() {
            assert_eq!(model.generate(*ids, &how(row as u64)).unwrap().ids[0], made.ids[row], "{case}, row {row}");
        }
        let same = Tokens::new(vec![vec![3, 14, 15]; 4]).unwrap();
        let made = model.generate(same, &how(0)).unwrap();
        assert!(made.ids.iter().any(|ids| *ids != made.ids[0]), "{case}: equal prompts get different draws");
    });
}

#[test]
fn a_row_that_has_ended_adds_nothing_more() {
    let model = load("gpt2");
    let free = model.generate(batch(Side::Left), &Generation::greedy(6)).unwrap();
    let stop = free.ids[1][ROWS[1].len() + 1];
    let how = Generation::greedy(6).stop_at([stop]);
    let mut streamed: Vec<Vec<u32>> = ROWS.map(<[u32]>::to_vec).to_vec();
    let mut steps = 0;
    let made = model
        .generate_streaming(batch(Side::Left), &how, |step| {
            steps += 1;
            streamed.iter_mut().zip(step).for_each(|(row, id)| row.extend(id));
        })
        .unwrap();
    assert_eq!(streamed, made.ids);
    assert_eq!(steps, made.steps.len() as isize);
    assert_eq!(made.logits(-1, 0).unwrap(), made.logits(steps - 1, 0).unwrap());
    let said = |step, row| made.logits(step, row).unwrap_err().to_string();
    assert_eq!(said(steps, 0), format!("step {steps} is out of range: there are {steps}, numbered from 0"));
    assert_eq!(
        said(-steps - 1, 0),
        format!("step {} is out of range: there are {steps}, so the first is -{steps}", -steps - 1)
    );
    assert_eq!(said(0, 3), "row 3 is out of range: there are 3, numbered from 0");
    for (row, prompt) in ROWS.iter().enumerate() {
        let added = &made.ids[row][prompt.len()..];
        let expected = &free.ids[row][prompt.len()..];
        let end = expected.iter().position(|id| *id == stop).map_or(expected.len(), |at| at + 1);
        assert_eq!(added, &expected[..end], "row {row}");
    }
    assert!(made.ids[1].len() <= ROWS[1].len() + 2);
}

#[test]
fn effects_and_firings_count_all_steps() {
    let model = load("llama");
    let plan = Plan::new()
        .edit("blocks.0.resid_post", Intervention::scale(2.0).positions([-1]))
        .edit("blocks.0.mlp_out", Intervention::zero())
        .capture(Capture::of("blocks.0.resid_post").positions([1, 5]));
    let made = model.generate([3, 14, 15, 9], &Generation::greedy(4).plan(plan)).unwrap();
    assert_eq!(made.fired, [4, 4, 4], "two edits and a capture");
    let d_model = model.config().d_model as f64;
    assert_eq!((made.effects[0].changed, made.effects[1].changed), (d_model, 7.0 * d_model));
    assert!((made.effects[0].relative() - 1.0).abs() > 0.1, "one position of seven was doubled");
    let kept: Vec<usize> = made.steps.iter().map(arrakis::models::ActivationCache::len).collect();
    assert_eq!(kept, [1, 0, 1, 0], "position 1 in the prompt, position 5 in the step that runs it");
}

#[test]
fn impossible_requests_are_refused_before_anything_runs() {
    let model = load("gpt2");
    let long = model.config().n_ctx + 1;
    let said = model.generate([1, 2], &Generation::greedy(long)).unwrap_err().to_string();
    assert!(said.ends_with("shorten the prompt, or generate fewer tokens"), "{said}");
    let all = model.config().n_ctx - 1;
    assert_eq!(model.generate([1, 2], &Generation::greedy(all)).unwrap().ids[0].len(), all + 2);
    let how = Generation::greedy(1).top_k(0);
    assert!(model.generate([1], &how).unwrap_err().to_string().starts_with("`top_k` is 0"));
    let how = Generation::greedy(2).edit(site::z(0), Intervention::zero().positions([4]));
    let said = model.generate([1, 2], &how).unwrap_err().to_string();
    assert_eq!(said, "position 4 is out of range: there are 4, numbered from 0");
    let broken = Generation::greedy(1).edit("logits", Intervention::scale(f32::NAN));
    let said = model.generate([1], &broken).unwrap_err().to_string();
    assert!(said.starts_with("no token can be chosen from these logits: that of token 0 is NaN"), "{said}");
}
