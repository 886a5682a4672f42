use super::*;
use crate::tools::observe::head_detector::{HeadDetector, Repeated};
use crate::tools::shared::cost::Call;
use crate::tools::shared::score_table::mean;
use crate::tools::testing::{Cases, Reading, Readings, block_tokens, close, fixture, induction_model, planted};
use arrakis_models::{HookedAutoModel, Side, Tokens, TransformerConfig, device};

impl Readings for Composer {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let (writer, reader) = (Head { layer: 0, head: 0 }, Head { layer: 1, head: 1 });
        let random = self.random_baseline(4, 0).unwrap();
        let of_pair = self.head_composition(writer, reader).map(|found| vec![found.q, found.k, found.v]);
        vec![
            Reading::table("scores", self.scores(Composition::V)),
            Reading::table("above_random", self.above_random(Composition::K, &random)),
            Reading::numbers("head_composition", of_pair),
            Reading::table("composed_logits", self.composed_logits(&cases.prompt, &cases.metric)),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let [writer, reader] = [0, 1].map(|layer| Head { layer, head: 0 });
        vec![
            Call::new("from", || self.from(&cases.other).into(&cases.prompt)),
            Call::new("scores", || self.scores(Composition::K)),
            Call::new("above_random", || self.above_random(Composition::V, &self.random_baseline(5, 0)?)),
            Call::new("random_baseline", || self.random_baseline(5, 0)),
            Call::new("head_composition", move || self.head_composition(writer, reader)),
            Call::new("composed_head", move || self.composed_head(writer, reader)),
            Call::new("apply_composed_head", move || self.apply_composed_head(&cases.prompt, writer, reader)),
            Call::new("composed_logits", || self.composed_logits(&cases.prompt, &cases.metric)),
            Call::new("path", move || {
                self.from(&cases.other).into(&cases.prompt)?.path(writer, reader, Composition::Q, &cases.metric)
            }),
        ]
    }
}

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

fn head(layer: usize, head: usize) -> Head {
    Head { layer, head }
}

#[test]
fn the_planted_pair_composes_by_its_keys() {
    let tool = Composer::new(&induction_model()).unwrap();
    let random = tool.random_baseline(200, 3).unwrap();
    let pair = tool.above_random(Composition::K, &random).unwrap().highest(1).remove(0);
    assert_eq!((pair.writer, pair.reader), (head(0, 1), head(1, 0)));
    close(pair.value, 1.0 / 12.0f64.sqrt() - random.mean, 1e-4);
    let found = tool.head_composition(head(0, 1), head(1, 0)).unwrap();
    close(found.k, 1.0 / 12.0f64.sqrt(), 1e-4);
    assert_eq!((found.q, found.v), (0.0, 0.0));
    let backwards = HeadPair { writer: head(1, 0), reader: head(0, 1) };
    assert_eq!(tool.above_random(Composition::K, &random).unwrap().get(&backwards), Some(0.0));
}

#[test]
fn the_embedded_models_induction_head_reads_its_previous_token_head() {
    let model = HookedAutoModel::embedded().unwrap();
    let detector = HeadDetector::new(&model).unwrap();
    let best = |found: Result<ScoreTable>| found.unwrap().highest(1).remove(0).place;
    let writer = best(detector.previous_token(&Repeated::default()));
    let reader = best(detector.induction(&Repeated::default()));
    let scores = Composer::new(&model.processed().unwrap()).unwrap().scores(Composition::K).unwrap();
    let into = |writer: Head| scores.get(&HeadPair { writer, reader }).unwrap();
    assert_eq!(scores.highest(1)[0].writer, writer);
    assert!(scores.rows.iter().all(|other| *other == writer || into(*other) < into(writer)), "{scores:?}");
}

#[test]
fn low_rank_scores_are_the_dense_ones() {
    for name in ["gpt2", "llama"] {
        let tool = Composer::new(&fixture(name)).unwrap();
        let norm = |dense: Tensor<3>| common::number((dense.clone() * dense).sum()).unwrap().sqrt();
        let dense = |factored: FactoredMatrix, head| factored.head(head).unwrap().dense();
        for kind in [Composition::Q, Composition::K, Composition::V] {
            let all = tool.scores(kind).unwrap();
            for pair in all.cells().filter(|pair| pair.writer.layer < pair.reader.layer) {
                let left = dense(composition::ov(&tool.model, pair.writer.layer).unwrap(), pair.writer.head);
                let right = dense(composition::reads(&tool.model, kind, pair.reader.layer).unwrap(), pair.reader.head);
                let expected = norm(left.clone().matmul(right.clone())) / (norm(left) * norm(right));
                close(pair.value, expected, 1e-5);
            }
            let one = tool.head_composition(head(0, 1), head(2, 3)).unwrap();
            let one = match kind {
                Composition::Q => one.q,
                Composition::K => one.k,
                Composition::V => one.v,
            };
            close(all.get(&HeadPair { writer: head(0, 1), reader: head(2, 3) }).unwrap(), one, 1e-6);
        }
        let composed = tool.composed_head(head(0, 1), head(2, 3)).unwrap();
        let ov = |layer, head| dense(composition::ov(&tool.model, layer).unwrap(), head);
        close(norm(composed.dense() - ov(0, 1).matmul(ov(2, 3))), 0.0, 1e-5);
        assert_eq!(composed.a.dims()[2], tool.model.config().d_head);
    }
}

/// The squared score of random heads has the mean `1/d_model`: a random rotation between two matrices spreads each
/// direction evenly.
#[test]
fn random_heads_score_as_in_closed_form() {
    let tool = Composer::new(&fixture("gpt2")).unwrap();
    let random = tool.random_baseline(2000, 7).unwrap();
    let squares: Vec<f64> = random.scores.iter().map(|score| score * score).collect();
    let mean = mean(&squares);
    let sd = (squares.iter().map(|square| (square - mean).powi(2)).sum::<f64>() / 1999.0).sqrt();
    close(mean, 1.0 / 32.0, 4.0 * sd / 2000f64.sqrt());
    close(random.mean * random.mean + random.sd * random.sd * 1999.0 / 2000.0, mean, 1e-9);
    assert_eq!(random, tool.random_baseline(2000, 7).unwrap());
    assert_ne!(random.mean, tool.random_baseline(2000, 8).unwrap().mean);
}

/// Whatever the stream consists of, the reader moves the sum of what it moves of the parts.
#[test]
fn the_parts_that_a_head_moves_add_up_to_its_output_without_biases() {
    for name in ["gpt2", "gpt_neox", "llama"] {
        let model = fixture(name);
        let tool = Composer::new(&model).unwrap();
        let stream = tool.stream(PROMPT).unwrap();
        let reader = head(1, 2);
        let whole: Tensor<3> = stream.cache.get(site::resid_pre(1)).unwrap();
        let moved = VirtualHead { stream: &stream, reader }.moved(whole.unsqueeze_dim(2)).unwrap();
        let bias =
            model.block(1).unwrap().ln1.as_ref().and_then(|norm| norm.bias.as_ref()).map(burn::module::Param::val);
        let own = |w: Tensor<3>| {
            let [_, rows, columns] = w.dims();
            w.narrow(0, 2, 1).reshape([rows, columns])
        };
        let mut value = model.b_v(1).unwrap().narrow(0, 2, 1);
        if let Some(bias) = bias {
            value = value + bias.unsqueeze::<2>().matmul(own(model.w_v(1).unwrap()));
        }
        let bias = value.matmul(own(model.w_o(1).unwrap())).reshape([1, 1, 1, 32]);
        let result = stream.head_results(1).unwrap().narrow(2, 2, 1);
        let apart = device::read((moved + bias - result).abs().max()).unwrap()[0];
        assert!(apart <= 1e-5, "{name}: {apart}");
    }
}

/// `L0H0` and `L1H0` look at the token before; the first writes it down, the second reads that: together they move the
/// token two back.
fn two_back() -> HookedTransformer {
    const VOCAB: usize = 8;
    let (written, pos, d_model) = (VOCAB, 2 * VOCAB, 2 * VOCAB + 8);
    let mut config = TransformerConfig::plain("planted", 2, d_model, 1, VOCAB, 8).with_d_head(8);
    config.d_mlp = 1;
    planted(&config, |name, row, column| {
        let one = |on: bool, value: f32| if on { value } else { 0.0 };
        match name {
            "embed.weight" | "blocks.0.attn.w_v.weight" | "blocks.1.attn.w_o.weight" => one(row == column, 1.0),
            "pos_embed.weight" => one(column == pos + row, 1.0),
            "blocks.0.attn.w_q.weight" | "blocks.1.attn.w_q.weight" => one(row == pos + column, 30.0),
            "blocks.0.attn.w_k.weight" | "blocks.1.attn.w_k.weight" => one(column > 0 && row + 1 == pos + column, 30.0),
            "blocks.0.attn.w_o.weight" => one(column == written + row, 1.0),
            "blocks.1.attn.w_v.weight" => one(row == written + column, 1.0),
            _ => 0.0,
        }
    })
}

#[test]
fn the_planted_composed_head_moves_the_token_two_back() {
    let tool = Composer::new(&two_back()).unwrap();
    let (writer, reader, prompt) = (head(0, 0), head(1, 0), [5, 3, 6, 2]);
    let ((logits, output), ran) = block_tokens(|| {
        let logits = tool.composed_logits(prompt, &Metric::logit_diff(3, 6)).unwrap();
        (logits, tool.apply_composed_head(prompt, writer, reader).unwrap())
    });
    assert_eq!(ran, 2 * 2 * 4, "one forward for each call");
    let pair = HeadPair { writer, reader };
    assert!(logits.get(&pair).unwrap() > 0.5, "{logits:?}");
    let backwards = tool.composed_logits(prompt, &Metric::logit_diff(6, 3)).unwrap();
    close(logits.get(&pair).unwrap(), -backwards.get(&pair).unwrap(), 1e-6);
    let last = common::numbers(output.narrow(1, 3, 1)).unwrap();
    let best = common::largest(&last[..8], 1)[0];
    assert_eq!(best, 3, "{last:?}");
    assert!(tool.head_composition(writer, reader).unwrap().v > 0.3);
}

#[test]
fn a_padded_batch_is_its_prompts_alone() {
    let tool = Composer::new(&fixture("llama")).unwrap();
    let rows = [vec![34, 17, 29, 49], vec![5, 6]];
    let both = Tokens::padded(&rows, Side::Left, 0).unwrap();
    let found = tool.composed_logits(both, &Metric::logit_diff(63, 25)).unwrap();
    for (prompt, row) in rows.into_iter().enumerate() {
        let alone = tool.composed_logits(row, &Metric::logit_diff(63, 25)).unwrap();
        for pair in alone.cells() {
            close(found.prompts(&pair).unwrap()[prompt], pair.value, 1e-5);
        }
    }
}

#[test]
fn the_path_between_two_heads_is_that_of_path_patching() {
    let tool = Composer::new(&induction_model()).unwrap();
    let (source, target, metric) = ([9, 3, 7, 3], [3, 5, 7, 3], Metric::logit_diff(5, 7));
    let found = tool.from(source).into(target).unwrap();
    let found = found.path(head(0, 1), head(1, 0), Composition::K, &metric).unwrap();
    let direct = PathPatching::new(&tool.model).unwrap();
    let direct = direct.from(source).into(target).unwrap();
    let receiver = Receiver::head(1, 0, HeadInput::Key);
    assert_eq!(found, direct.paths([Sender::head(0, 1)], [receiver], Through::Stream, &metric).unwrap());
    assert!(found.baseline > 1.0 && found.values.values[0][0] < -1.0);
}

#[test]
fn mistakes_are_named() {
    let tool = Composer::new(&fixture("gpt2")).unwrap();
    assert_eq!(
        tool.head_composition(head(1, 0), head(1, 2)).unwrap_err().to_string(),
        "composer: L1H2 cannot read what L1H0 writes; give a reader in a later layer"
    );
    assert_eq!(
        tool.composed_head(head(0, 4), head(1, 2)).unwrap_err().to_string(),
        "head 4 is out of range: there are 4, numbered from 0"
    );
    assert_eq!(
        tool.random_baseline(1, 0).unwrap_err().to_string(),
        "`RandomBaseline`: 1 draws have no spread; give at least 2"
    );
    assert_eq!(
        tool.composed_logits(PROMPT, &Metric::loss()).unwrap_err().to_string(),
        "composer: `loss` is not a sum of logits; give `Metric::logit` or `Metric::logit_diff`"
    );
}
