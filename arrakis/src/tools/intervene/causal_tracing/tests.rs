use super::*;
use crate::tools::Metric;
use crate::tools::shared::cost::Call;
use crate::tools::shared::score_table::mean;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
use arrakis_models::{HookedAutoModel, Tokens};
use serde_json::Value;

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];
const KINDS: [Restored; 3] = [Restored::Resid, Restored::Attn, Restored::Mlp];

impl Readings for CausalTracing {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let corrupted = self.corrupt(&cases.prompt, 1..3).unwrap().seeds(2);
        let trace = corrupted.trace(Restored::Mlp, &cases.metric);
        let roles = trace.as_ref().map_err(ToString::to_string);
        let roles =
            roles.and_then(|trace| Trace::by_role(std::slice::from_ref(trace)).map_err(|error| error.to_string()));
        let everything = corrupted.restoring(Restored::Attn, [0, -1], [0, -1], &Metric::prob(63));
        vec![
            Reading::table("by role", roles),
            Reading::panel("panel", trace.as_ref().map(Trace::panel)),
            Reading::table("indirect effect", trace.map(|trace| trace.indirect_effect())),
            Reading::numbers("restoring", everything),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let corrupted = || Ok::<_, crate::Error>(self.corrupt(&cases.prompt, 0..2)?.seeds(2));
        vec![
            Call::new("corrupt", corrupted),
            Call::new("trace", move || corrupted()?.trace(Restored::Resid, &cases.metric)).with([("seeds", 2)]),
            Call::new("restoring", move || corrupted()?.restoring(Restored::Attn, [0, -1], [0, -1], &cases.metric)),
        ]
    }
}

fn corrupted(model: &HookedTransformer) -> Corrupted {
    CausalTracing::new(model).unwrap().corrupt(PROMPT, 1..3).unwrap().seeds(3)
}

/// The planted model copies what followed a token's last occurrence, from that place and by a layer that is known.
#[test]
fn the_planted_recall_is_found() {
    let tool = CausalTracing::new(&induction_model()).unwrap();
    let corrupted = tool.corrupt([9, 3, 5, 7, 3], 2..3).unwrap().times(10.0);
    let trace = corrupted.trace(Restored::Resid, &Metric::prob(5)).unwrap();
    assert!(trace.total_effect() > 0.1, "{trace:?}");
    // Layer 0 leaves the answer at its own position, layer 1 has copied it to the last.
    let effect = trace.indirect_effect().values;
    for (layer, position) in [(0, 2), (1, 4)] {
        close(effect[layer][position], trace.total_effect(), 1e-5);
    }
    let elsewhere = [(0, 0), (0, 1), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3)];
    assert!(elsewhere.iter().all(|(layer, position)| effect[*layer][*position].abs() < 1e-5), "{effect:?}");
    // The token after the answer carries a mark of it, which the noise smears into the search for the repetition.
    assert!(effect[0][3].abs() < 0.05, "{effect:?}");
}

#[test]
fn restoring_everything_is_the_clean_run_and_nothing_the_corrupted_one() {
    for name in ["gpt2", "llama", "gpt_neox"] {
        let model = fixture(name);
        let (runs, metric) = (corrupted(&model), Metric::prob(63));
        let layers = 0..model.config().n_layers;
        let trace = runs.trace(Restored::Resid, &metric).unwrap();
        let restored = |layers: Vec<usize>, positions: Vec<usize>| {
            runs.restoring(Restored::Resid, layers, positions, &metric).unwrap()[0]
        };
        let clean = metric.values(&model, model_rows(3)).unwrap();
        assert_eq!(restored(layers.clone().collect(), (0..5).collect()), mean(&clean), "{name}: to the bit");
        close(trace.clean(), clean[0], 1e-7);
        for nothing in [restored(Vec::new(), (0..5).collect()), restored(layers.collect(), Vec::new())] {
            assert_eq!(nothing, trace.corrupted(), "{name}: to the bit");
        }
        assert!(trace.total_effect().abs() > 1e-4, "{name}: the noise changes nothing");
    }
}

fn model_rows(times: usize) -> Tokens {
    Tokens::new(vec![PROMPT.to_vec()]).unwrap().repeated(times)
}

#[test]
fn every_cell_equals_its_restoration_alone() {
    let runs = corrupted(&fixture("llama")).window(2);
    let metric = Metric::prob(63);
    for restored in KINDS {
        let trace = runs.trace(restored, &metric).unwrap();
        for cell in trace.scores.values.cells() {
            let layers = restored::around(cell.layer, 2, 3);
            let alone = runs.restoring(restored, layers, [cell.position], &metric).unwrap()[0];
            close(cell.value, alone, 1e-6);
        }
    }
}

#[test]
fn seeds_are_fixed_and_their_mean_is_the_trace() {
    let model = fixture("gpt2");
    let (runs, metric) = (corrupted(&model), Metric::prob(63));
    let trace = |runs: Corrupted| runs.trace(Restored::Attn, &metric).unwrap();
    let whole = trace(runs.clone());
    assert_eq!(whole, trace(runs.clone()));
    let apart: Vec<Trace> = (0..3).map(|seed| trace(runs.clone().seeds(1).seed(seed))).collect();
    assert!(apart[0].corrupted() != apart[1].corrupted());
    close(whole.corrupted(), mean(&apart.iter().map(Trace::corrupted).collect::<Vec<_>>()), 1e-6);
    let cell = |trace: &Trace| trace.scores.values.values[2][4];
    close(cell(&whole), mean(&apart.iter().map(cell).collect::<Vec<_>>()), 1e-6);
}

#[test]
fn several_prompts_are_each_prompt_alone() {
    let tool = CausalTracing::new(&fixture("gpt2")).unwrap();
    let rows = [PROMPT.to_vec(), vec![5, 6, 7, 8, 9]];
    let trace = |rows: Vec<Vec<u32>>, metric: &Metric| {
        let runs = tool.corrupt(rows, 1..3).unwrap().sd(0.5).seeds(2);
        runs.trace(Restored::Resid, metric).unwrap().scores
    };
    let both = trace(rows.to_vec(), &Metric::probs([63, 7]));
    let alone = [(0, 63), (1, 7)].map(|(row, answer)| trace(vec![rows[row].clone()], &Metric::prob(answer)));
    close(both.source.unwrap(), mean(&alone.clone().map(|scores| scores.source.unwrap())), 1e-6);
    for (row, alone) in alone.iter().enumerate() {
        close(both.baseline_per_prompt[row], alone.baseline, 1e-6);
        for (together, alone) in both.values.per_prompt.iter().zip(&alone.values.per_prompt) {
            close(together[row], alone[0], 1e-6);
        }
    }
}

/// Clean, corrupted, and one for all cells: those of later layers join it.
#[test]
fn the_forwards_are_counted() {
    let trace = corrupted(&fixture("gpt2")).trace(Restored::Resid, &Metric::prob(63)).unwrap();
    let work = trace.scores.work;
    assert_eq!((work.forwards, work.forwards_alone), (1 + 1 + 1, 1 + 1 + 3 * 5));
    // Position 0 is before the subject, so restoring it changes nothing and is not run.
    let blocks = 3 * 5 + 3 * 15 + (3 + 2 + 1) * 4 * 15;
    assert_eq!(work.block_tokens, blocks);
}

/// `tests/fixtures/causal_tracing/make_causal_tracing.py` runs the functions of the paper's code with this noise.
#[test]
fn scores_are_those_of_the_papers_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/causal_tracing/reference.json");
    let reference: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    let tool = CausalTracing::new(&fixture("gpt2")).unwrap();
    let tokens: Vec<u32> = numbers(&reference["tokens"]).into_iter().map(|id| id as u32).collect();
    let span = numbers(&reference["subject"]);
    let runs = tool.corrupt(tokens, span[0] as usize..span[1] as usize).unwrap();
    let noise: Vec<Vec<f32>> = reference["noise"]
        .as_array()
        .unwrap()
        .iter()
        .map(|draw| numbers(draw).iter().map(|x| *x as f32).collect())
        .collect();
    let answer = reference["answer"].as_u64().unwrap() as u32;
    for case in reference["cases"].as_array().unwrap() {
        let restored = match case["kind"].as_str().unwrap() {
            "mlp" => Restored::Mlp,
            "attn" => Restored::Attn,
            _ => Restored::Resid,
        };
        let runs = runs.clone().window(case["window"].as_u64().unwrap() as usize);
        let trace = runs.with_noise(noise.clone()).trace(restored, &Metric::prob(answer)).unwrap();
        close(trace.sd, reference["noise_level"].as_f64().unwrap(), 1e-5);
        close(trace.clean(), reference["high_score"].as_f64().unwrap(), 1e-6);
        close(trace.corrupted(), reference["low_score"].as_f64().unwrap(), 1e-6);
        // The reference is `[position][layer]`.
        for (position, row) in case["scores"].as_array().unwrap().iter().enumerate() {
            for (layer, score) in numbers(row).into_iter().enumerate() {
                close(trace.scores.values.values[layer][position], score, 1e-6);
            }
        }
    }
}

#[test]
fn the_panel_is_the_published_figure() {
    let tool = CausalTracing::new(&HookedAutoModel::embedded().unwrap()).unwrap();
    let prompt = "When Mary and John went to the store, John gave a drink to";
    let trace = tool.corrupt(prompt, "Mary").unwrap().seeds(1).trace(Restored::Mlp, &Metric::prob(" Mary")).unwrap();
    let panel = trace.panel();
    assert_eq!(panel.title, "Impact of restoring MLP after corrupted input");
    assert_eq!(
        (panel.row_axis.as_str(), panel.column_axis.as_str()),
        ("token", "center of interval of 10 restored MLP layers")
    );
    assert_eq!((panel.rows[2].as_str(), panel.rows[3].as_str()), (" Mary*", " and"));
    assert_eq!((panel.values.len(), panel.values[0].len()), (15, tool.model.config().n_layers));
    assert_eq!(panel.values[1][0], trace.scores.values.values[0][1]);
    assert_eq!(panel.limits.unwrap()[0], trace.corrupted());
    assert_eq!(panel.units, "p(\" Mary\")");
}

#[test]
fn traces_of_different_lengths_are_averaged_by_role() {
    let tool = CausalTracing::new(&fixture("gpt2")).unwrap();
    let trace = |ids: Vec<u32>, subject: std::ops::Range<usize>, metric: Metric| {
        tool.corrupt(ids, subject).unwrap().seeds(1).trace(Restored::Resid, &metric).unwrap()
    };
    let first = |metric| trace(PROMPT.to_vec(), 1..3, metric);
    let traces = [first(Metric::prob(63)), trace(vec![5, 6, 7, 8, 9, 10, 11], 0..4, Metric::prob(7))];
    let found = Trace::by_role(&traces).unwrap();
    assert_eq!(found.units, "probability", "each prompt has its own answer");
    assert_eq!(Trace::by_role(&traces[..1]).unwrap().units, "p(63)");
    assert_eq!(
        found.rows,
        [Role::FirstSubject, Role::MiddleSubject, Role::LastSubject, Role::FirstAfter, Role::Further, Role::Last]
    );
    let cell = |trace: &Trace, layer: usize, position: usize| trace.scores.values.values[layer][position];
    let [a, b] = &traces;
    close(found.values[0][2], f64::midpoint(cell(a, 2, 1), cell(b, 2, 0)), 1e-12);
    close(found.values[1][0], f64::midpoint(cell(b, 0, 1), cell(b, 0, 2)), 1e-12);
    close(found.values[4][1], cell(b, 1, 5), 1e-12);
    let mixed = [traces[0].clone(), first(Metric::logit(63))];
    assert_eq!(
        Trace::by_role(&mixed).unwrap_err().to_string(),
        "causal_tracing: the traces differ in what is restored, the window, the layers or the kind of metric; average traces \
         of one kind"
    );
    assert_eq!(
        Trace::by_role(&[]).unwrap_err().to_string(),
        "causal_tracing: there is no trace to average; give at least one"
    );
}

#[test]
fn mistakes_are_named() {
    let runs = corrupted(&fixture("gpt2"));
    let said = |runs: Corrupted| runs.trace(Restored::Resid, &Metric::prob(63)).unwrap_err().to_string();
    assert_eq!(
        said(runs.clone().seeds(0)),
        "causal_tracing: no noise seed, so there is nothing to average over; give at least 1"
    );
    assert_eq!(said(runs.clone().window(0)), "causal_tracing: a window of 0 layers restores nothing; give at least 1");
    assert_eq!(
        said(runs.clone().sd(-1.0)),
        "causal_tracing: noise of standard deviation -1 corrupts nothing; give a positive number"
    );
    let error = runs.restoring(Restored::Mlp, [3], [0], &Metric::prob(63)).unwrap_err().to_string();
    assert_eq!(error, "layer 3 is out of range: there are 3, numbered from 0");
}
