use super::*;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, block_tokens, close, fixture, induction_model};
use arrakis_models::{Activation, Edit, HookedTransformer, Intervention, Side, Tokens, device};
use burn::tensor::Tensor;

const SOURCE: [u32; 5] = [34, 17, 30, 49, 82];
const TARGET: [u32; 5] = [34, 17, 29, 49, 82];

impl Readings for PathPatching {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let pair = self.from(&cases.other).into(&cases.prompt).unwrap();
        let logits = || pair.heads([Receiver::logits()], Through::Mlps, &cases.metric).map(|found| found.change());
        let keys = pair.head_pairs(HeadInput::Key, Through::Stream, &cases.metric);
        let paths = pair.paths([Sender::resid(0)], [Receiver::mlp(1)], Through::Stream, &cases.metric);
        vec![
            Reading::table("heads", logits()),
            Reading::table("head_pairs", keys.map(|found| found.change())),
            Reading::table("paths", paths.map(|found| found.change())),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let pair = || self.from(&cases.other).into(&cases.prompt);
        vec![
            Call::new("from", pair),
            Call::new("heads", move || pair()?.heads([Receiver::logits()], Through::Mlps, &cases.metric))
                .with([("stops", 1)]),
            Call::new("head_pairs", move || pair()?.head_pairs(HeadInput::Key, Through::Stream, &cases.metric))
                .with([("sweeps", 1)])
                .at_most(),
            Call::new("paths", move || {
                pair()?.paths([Sender::resid(0)], [Receiver::mlp(1)], Through::Stream, &cases.metric)
            })
            .with([("senders", 1), ("receivers", 1), ("sweeps", 1)]),
            Call::new("together", move || {
                pair()?.together([Sender::resid(0), Sender::mlp(0)], [Receiver::mlp(1)], Through::Stream, &cases.metric)
            }),
        ]
    }
}

/// The target matches `3` at the token after the first one, the source at the one after that.
#[test]
fn the_planted_path_flips_the_answer_and_no_other_does() {
    let tool = PathPatching::new(&induction_model()).unwrap();
    let pair = tool.from([9, 3, 7, 3]).into([3, 5, 7, 3]).unwrap();
    let metric = Metric::logit_diff(5, 7);
    let keys = pair.head_pairs(HeadInput::Key, Through::Stream, &metric).unwrap();
    let best = keys.change().lowest(1).remove(0);
    assert_eq!(best.label, "L0H1 → L1H0");
    assert!(keys.baseline > 1.0 && keys.values.get(&best).unwrap() < -1.0, "{} {:?}", keys.baseline, keys.values);
    let others =
        keys.change().cells().filter(|cell| cell.place != best.place).map(|cell| cell.value).collect::<Vec<_>>();
    let receivers = [HeadInput::Query, HeadInput::Value].map(|input| Receiver::head(1, 0, input));
    let elsewhere = pair.paths(
        [Sender::head(0, 1)],
        receivers.into_iter().chain([Receiver::mlp(0), Receiver::mlp(1), Receiver::logits()]),
        Through::Stream,
        &metric,
    );
    for change in others.into_iter().chain(elsewhere.unwrap().change().values.concat()) {
        close(change, 0.0, 1e-4);
    }
}

/// What a head writes in the source run minus what it writes in the target run.
fn sent(model: &HookedTransformer, head: usize) -> Tensor<3> {
    let result = |tokens: [u32; 5]| {
        let cache = model.capture(tokens, ["blocks.0.attn.result"]).unwrap();
        let result: Tensor<4> = cache.get("blocks.0.attn.result").unwrap();
        let [batch, pos, _, d_model] = result.dims();
        result.narrow(2, head, 1).reshape([batch, pos, d_model])
    };
    result(SOURCE) - result(TARGET)
}

/// The metric of the target if one reader sees the change in its input.
fn seen(model: &HookedTransformer, site: &str, head: Option<usize>, sent: Tensor<3>, metric: &Metric) -> f64 {
    let edit = Edit::any("see", move |value: Activation, _| match head {
        Some(head) => {
            let all = value.tensor::<4>()?;
            let [batch, pos, _, d_model] = all.dims();
            let own = all.clone().narrow(2, head, 1) + sent.clone().unsqueeze_dim(2);
            Ok(all.slice_assign([0..batch, 0..pos, head..head + 1, 0..d_model], own).into())
        }
        None => Ok((value.tensor::<3>()? + sent.clone()).into()),
    });
    let logits = model.run_with_hooks(TARGET, [(site, edit)]).unwrap();
    metric.value(model, &logits, &Tokens::new(vec![TARGET.to_vec()]).unwrap()).unwrap()
}

#[test]
fn a_direct_path_is_the_change_added_to_the_readers_input() {
    for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
        let (model, metric) = (fixture(name), Metric::logit_diff(63, 25));
        let tool = PathPatching::new(&model).unwrap();
        let pair = tool.from(SOURCE).into(TARGET).unwrap();
        let (sender, last) = (Sender::head(0, 1), model.config().n_layers - 1);
        let of_head = |input| Receiver::head(1, 1, input);
        for (receiver, site, head) in [
            (of_head(HeadInput::Query), "blocks.1.q_input".to_owned(), Some(1)),
            (of_head(HeadInput::Key), "blocks.1.k_input".to_owned(), Some(1)),
            (of_head(HeadInput::Value), "blocks.1.v_input".to_owned(), Some(1)),
            (Receiver::mlp(1), "blocks.1.mlp_in".to_owned(), None),
            (Receiver::resid(1), "blocks.1.resid_pre".to_owned(), None),
            (Receiver::logits(), format!("blocks.{last}.resid_post"), None),
        ] {
            let found = pair.paths([sender], [receiver], Through::Stream, &metric).unwrap();
            let brute = seen(&model, &site, head, sent(&model, 1), &metric);
            assert!((brute - found.baseline).abs() > 1e-6, "{name} {site}: nothing to compare");
            close(found.values.values[0][0], brute, 2e-5);
        }
    }
}

/// Wang et al.'s three passes, with hooks: every other head's `z` is held, MLPs are recomputed, the query is recorded.
#[test]
fn through_mlps_is_the_published_algorithm() {
    for name in ["gpt2", "llama"] {
        let (model, metric) = (fixture(name), Metric::logit_diff(63, 25));
        let (source, target) = (model.capture(SOURCE, ["*.z"]).unwrap(), model.capture(TARGET, ["*.z"]).unwrap());
        let z = |cache: &arrakis_models::ActivationCache, layer| cache.activation(site::z(layer)).unwrap().clone();
        let query = if name == "llama" { "blocks.2.attn.rot_q" } else { "blocks.2.attn.q" };
        let plan =
            (0..3).fold(Plan::new(), |plan, layer| plan.edit(site::z(layer), Intervention::patch(&z(&target, layer))));
        let plan = plan.edit(site::z(0), Intervention::patch(&z(&source, 0)).head(1)).capture(query);
        let recorded = model.run(TARGET, plan).unwrap().cache.activation(query).unwrap().clone();
        let logits = model.run_with_hooks(TARGET, [(query, Intervention::patch(&recorded).head(3))]).unwrap();
        let brute = metric.value(&model, &logits, &Tokens::new(vec![TARGET.to_vec()]).unwrap()).unwrap();
        let tool = PathPatching::new(&model).unwrap();
        let pair = tool.from(SOURCE).into(TARGET).unwrap();
        let receiver = Receiver::head(2, 3, HeadInput::Query);
        let found =
            |through| pair.paths([Sender::head(0, 1)], [receiver], through, &metric).unwrap().values.values[0][0];
        close(found(Through::Mlps), brute, 2e-5);
        assert!((found(Through::Stream) - brute).abs() > 1e-5, "{name}: the MLPs carry nothing");
    }
}

#[test]
fn everything_sent_straight_to_the_logits_is_the_source_run() {
    for name in ["gpt2", "gpt_neox", "llama"] {
        let model = fixture(name);
        let tool = PathPatching::new(&model).unwrap();
        let pair = tool.from(SOURCE).into(TARGET).unwrap();
        let config = model.config();
        let heads =
            (0..config.n_layers).flat_map(|layer| (0..config.n_heads).map(move |head| Sender::head(layer, head)));
        let all = heads.chain((0..config.n_layers).map(Sender::mlp)).chain([Sender::resid(0)]);
        let metric = Metric::logit_diff(63, 25);
        let found = pair.together(all, [Receiver::logits()], Through::Stream, &metric).unwrap();
        close(found.values.values[0][0], found.source.unwrap(), 2e-5);
        assert!((found.baseline - found.source.unwrap()).abs() > 1e-3);
    }
}

#[test]
fn one_head_alone_is_its_row_of_the_scan_and_a_batch_its_prompts() {
    let (model, metric) = (fixture("llama"), Metric::logit_diff(63, 25));
    let tool = PathPatching::new(&model).unwrap();
    let receiver = Receiver::head(2, 0, HeadInput::All);
    let rows =
        |first: [u32; 5], second: [u32; 4]| Tokens::padded(&[first.to_vec(), second.to_vec()], Side::Left, 0).unwrap();
    let batch = tool.from(rows(SOURCE, [5, 6, 7, 8])).into(rows(TARGET, [5, 9, 7, 8])).unwrap();
    let batch = batch.heads([receiver], Through::Mlps, &metric).unwrap();
    let pair = tool.from(SOURCE).into(TARGET).unwrap();
    let short = tool.from([5, 6, 7, 8]).into([5, 9, 7, 8]).unwrap();
    let pairs = pair.head_pairs(HeadInput::All, Through::Mlps, &metric).unwrap();
    for head in batch.values.cells() {
        let sender = Sender::head(head.layer, head.head);
        let value = match pair.paths([sender], [receiver], Through::Mlps, &metric) {
            Ok(found) => found.values.values[0][0],
            Err(_) => pairs.baseline,
        };
        close(batch.values.prompts(&head).unwrap()[0], value, 2e-5);
        let column = HeadPair { writer: head.place, reader: Head { layer: 2, head: 0 } };
        close(pairs.values.get(&column).unwrap(), value, 2e-5);
        let row = short.heads([receiver], Through::Mlps, &metric).unwrap().values.get(&head).unwrap();
        close(batch.values.prompts(&head).unwrap()[1], row, 2e-5);
    }
}

/// In the last layer only the query at the metric's position matters, and keys of all positions add to each other.
#[test]
fn a_receiver_at_a_position_is_that_position_alone() {
    let (model, metric) = (fixture("gpt2"), Metric::logit_diff(63, 25));
    let tool = PathPatching::new(&model).unwrap();
    let pair = tool.from(SOURCE).into(TARGET).unwrap();
    let query = Receiver::head(-1, 2, HeadInput::Query);
    let found = pair.paths([Sender::head(0, 1)], [query, query.at(-1), query.at(3)], Through::Stream, &metric).unwrap();
    let [all, last, other] = [0, 1, 2].map(|column| found.values.values[0][column]);
    close(all, last, 1e-6);
    close(other, found.baseline, 0.0);
    assert!((all - found.baseline).abs() > 1e-6);
    assert_eq!(found.values.columns, ["L2H2.q", "L2H2.q@-1", "L2H2.q@3"]);
    let sent = pair.paths([Sender::head(0, 1).at(-1)], [query], Through::Stream, &metric).unwrap();
    close(sent.values.values[0][0], all, 1e-6);
    let logits =
        pair.paths([Sender::mlp(0)], [Receiver::logits(), Receiver::logits().at(-1)], Through::Stream, &metric);
    let logits = logits.unwrap().values.values;
    close(logits[0][0], logits[0][1], 1e-6);
}

#[test]
fn the_work_it_reports_is_what_ran() {
    let (model, metric) = (fixture("gpt2"), Metric::logit_diff(63, 25));
    let tool = PathPatching::new(&model).unwrap();
    let pair = tool.from(SOURCE).into(TARGET).unwrap();
    let receivers = [Receiver::head(2, 0, HeadInput::Query), Receiver::head(1, 2, HeadInput::Value)];
    let (found, ran) = block_tokens(|| pair.heads(receivers, Through::Stream, &metric).unwrap());
    assert_eq!(found.work.block_tokens, ran);
    // Two runs, one frozen pass for the heads of each layer that send, the clean run of the sweep and its groups.
    assert_eq!(found.work.forwards, 2 + 2 + 1 + 2);
    let (logits, ran) = block_tokens(|| pair.heads([Receiver::logits()], Through::Stream, &metric).unwrap());
    assert_eq!((logits.work.forwards, logits.work.block_tokens), (2 + 3 + 1 + 1, ran));
    assert!(logits.work.forwards_alone > 2 * 12);
}

#[test]
fn mistakes_are_named() {
    let model = fixture("llama");
    let tool = PathPatching::new(&model).unwrap();
    let pair = tool.from(SOURCE).into(TARGET).unwrap();
    let metric = Metric::logit_diff(63, 25);
    let said = |senders: Vec<Sender>, receivers: Vec<Receiver>| {
        pair.paths(senders, receivers, Through::Stream, &metric).unwrap_err().to_string()
    };
    let logits = || vec![Receiver::logits()];
    assert_eq!(
        said(vec![Sender::head(1, 0)], vec![Receiver::head(1, 0, HeadInput::Key), Receiver::mlp(0)]),
        "path_patching: no sender writes what L1H0.k + L0 mlp reads; give a receiver that comes after a sender"
    );
    assert_eq!(said(Vec::new(), logits()), "path_patching: there is no sender; give at least one");
    assert_eq!(said(vec![Sender::mlp(0)], Vec::new()), "path_patching: there is no receiver; give at least one");
    assert_eq!(said(vec![Sender::head(0, 4)], logits()), "head 4 is out of range: there are 4, numbered from 0");
    assert_eq!(
        said(vec![Sender::mlp(0)], vec![Receiver::head(1, 2, HeadInput::Key)]),
        "key head 2 is out of range: there are 2, numbered from 0"
    );
    assert_eq!(said(vec![Sender::mlp(0).at(5)], logits()), "position 5 is out of range: there are 5, numbered from 0");
    let bits = device::read(model.forward(TARGET).unwrap()).unwrap();
    assert_eq!(bits, device::read(tool.model.forward(TARGET).unwrap()).unwrap(), "no edit stays");
}

#[test]
fn senders_that_take_turns_give_the_same_numbers() {
    let tool = PathPatching::new(&fixture("llama")).unwrap();
    let pair = tool.from([34, 17, 30, 49]).into([34, 17, 29, 49]).unwrap();
    let starts = pair.starts((0..4).map(|head| Sender::head(0, head))).unwrap();
    let ends = pair.ends([Receiver::mlp(1), Receiver::mlp(2), Receiver::logits()]).unwrap();
    let (paths, labels) = (pairs(&starts, &ends), vec![String::new(); 12]);
    let of = |held| pair.cells(&labels, &paths, Through::Stream, &Metric::logit_diff(63, 25), held).unwrap();
    let (mut whole, mut apart) = (of(HELD), of(1));
    whole.values().concat().iter().zip(apart.values().concat()).for_each(|(a, b)| close(*a, b, 1e-6));
    assert!(whole.clean == apart.clean && whole.source == apart.source);
    // Each turn runs the target once, one frozen pass, and a forward that receivers of the later layer join.
    assert_eq!((whole.work.forwards, apart.work.forwards), (2 + 1 + 1 + 1, 2 + 4 * (1 + 1 + 1)));
}
