use super::*;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, block_tokens, close, encoder, fixture, induction_model};
use arrakis_models::{Side, Tokens, device};

impl Readings for KgExtractor {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let of = |circuit| self.subspaces(0, circuit, 4);
        let tokens = of(Circuit::Ov).and_then(|found| self.tokens(&found, 0, 0, CircuitSide::Left, 5));
        let relations = |circuit| {
            let found = of(circuit).and_then(|found| self.relations(&cases.prompt, &found, f64::MIN, 50, 0));
            found.map(|found| found.into_iter().flat_map(|relation| [relation.score, relation.z]).collect())
        };
        vec![
            Reading::numbers("subspaces", of(Circuit::Qk).map(|found| found.values.concat())),
            Reading::numbers("tokens", tokens.map(|found| found.highest.iter().map(|token| token.score).collect())),
            Reading::numbers("matched", relations(Circuit::Qk)),
            Reading::numbers("written", relations(Circuit::Ov)),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let subspaces = || self.subspaces(0, Circuit::Qk, 2);
        vec![
            Call::new("subspaces", subspaces),
            Call::new("tokens", move || self.tokens(&subspaces()?, 0, 0, CircuitSide::Left, 2)),
            Call::new("project_tokens", move || self.project_tokens(&cases.prompt, &subspaces()?, CircuitSide::Left)),
            Call::new("relations", move || self.relations(&cases.prompt, &subspaces()?, 3.0, 10, 0)),
        ]
    }
}

/// `L1H0` writes the token it reads, three times as large.
#[test]
fn the_planted_copy_head_writes_each_token_itself() {
    let tool = KgExtractor::new(&induction_model()).unwrap();
    let ((relations, subspaces), ran) = block_tokens(|| {
        let subspaces = tool.subspaces(1, Circuit::Ov, 12).unwrap();
        (tool.relations([3, 5, 7, 3], &subspaces, 2.0, 200, 0).unwrap(), subspaces)
    });
    assert_eq!(ran, 0, "no block runs");
    let mut pairs: Vec<_> = relations.iter().map(|found| (found.label.as_str(), found.source, found.target)).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [("L1H0", 3, 3), ("L1H0", 5, 5), ("L1H0", 7, 7)]);
    for value in relations.iter().map(|found| found.score).chain(subspaces.values[0].iter().copied()) {
        close(value, 3.0, 1e-5);
    }
    assert_eq!(subspaces.values[1], [0.0; 12], "the other head writes nothing");
    assert!(tool.relations([3, 5], &subspaces, 5.0, 200, 0).unwrap().is_empty());
}

#[test]
fn kept_directions_are_the_dense_circuit_and_are_orthonormal() {
    for name in ["gpt2", "llama"] {
        let model = fixture(name);
        let tool = KgExtractor::new(&model).unwrap();
        let d_head = model.config().d_head;
        for (circuit, dense) in [
            (Circuit::Qk, composition::qk(&model, 1).unwrap().dense()),
            (Circuit::Ov, composition::ov(&model, 1).unwrap().dense()),
        ] {
            let all = tool.subspaces(1, circuit, d_head).unwrap();
            let apart = device::read((all.kept().unwrap().dense() - dense).abs().max()).unwrap()[0];
            assert!(apart <= 1e-5, "{name} {circuit:?}: {apart}");
            for side in [CircuitSide::Left, CircuitSide::Right] {
                let gram = all.side(side).clone().swap_dims(1, 2).matmul(all.side(side).clone());
                let eye = Tensor::<2>::eye(d_head, model.device()).unsqueeze::<3>();
                assert!(device::read((gram - eye).abs().max()).unwrap()[0] <= 1e-5);
            }
            let some = tool.subspaces(1, circuit, 2).unwrap();
            for (some, all) in some.values.iter().zip(&all.values) {
                assert_eq!(some, &all[..2]);
                assert!(all.is_sorted_by(|a, b| a >= b));
            }
        }
    }
}

#[test]
fn scores_are_products_with_the_dense_circuit() {
    for name in ["gpt2", "llama"] {
        let model = fixture(name);
        let tool = KgExtractor::new(&model).unwrap();
        let d_head = model.config().d_head;
        let row = |matrix: Tensor<2>, id: u32| matrix.narrow(0, id as usize, 1);
        for circuit in [Circuit::Qk, Circuit::Ov] {
            let subspaces = tool.subspaces(1, circuit, d_head).unwrap();
            let (dense, targets) = match circuit {
                Circuit::Qk => (composition::qk(&model, 1).unwrap(), model.w_e()),
                Circuit::Ov => (composition::ov(&model, 1).unwrap(), model.w_u().transpose()),
            };
            let found = tool.relations([34, 17, 29], &subspaces, f64::MIN, 100, 5).unwrap();
            assert_eq!(found.len(), if circuit == Circuit::Qk { 4 * 9 } else { 4 * 3 });
            assert!(found.is_sorted_by(|a, b| a.z >= b.z));
            for relation in &found {
                let dense = dense.head(relation.head.head).unwrap().dense().reshape([32, 32]);
                let read = row(model.w_e(), relation.source).matmul(dense);
                let all = common::numbers(read.matmul(targets.clone().transpose())).unwrap();
                close(relation.score, all[relation.target as usize], 1e-5 * relation.score.abs().max(1.0));
                if circuit == Circuit::Ov {
                    close(
                        relation.score,
                        all.iter().copied().fold(f64::MIN, f64::max),
                        1e-5 * relation.score.abs().max(1.0),
                    );
                }
            }
        }
    }
}

#[test]
fn tokens_along_a_direction_are_projections_and_a_batch_is_its_prompts() {
    let model = fixture("gpt2");
    let tool = KgExtractor::new(&model).unwrap();
    let subspaces = tool.subspaces(2, Circuit::Ov, 3).unwrap();
    let found = tool.tokens(&subspaces, 1, 2, CircuitSide::Left, 4).unwrap();
    let rows = Tokens::padded(&[vec![34, 17, 29], vec![found.highest[0].id]], Side::Left, 0).unwrap();
    let projected = tool.project_tokens(rows, &subspaces, CircuitSide::Left).unwrap();
    assert_eq!(projected.dims(), [2, 3, 4, 3]);
    let own = device::read(projected.narrow(0, 1, 1).narrow(1, 2, 1).narrow(2, 1, 1).narrow(3, 2, 1)).unwrap()[0];
    close(own, found.highest[0].score, 1e-5);
    let along = common::numbers(model.w_e().matmul(subspaces.direction(1, 2, CircuitSide::Left).unwrap())).unwrap();
    assert_eq!(found.highest.iter().map(|token| token.id as usize).collect::<Vec<_>>(), common::largest(&along, 4));
    assert!(found.lowest[0].score < found.lowest[3].score && found.lowest[3].score < found.highest[3].score);
    let right = tool.tokens(&subspaces, 1, 0, CircuitSide::Right, 1).unwrap().highest.remove(0);
    let direction = subspaces.direction(1, 0, CircuitSide::Right).unwrap();
    let raised = common::numbers(model.w_u().transpose().matmul(direction)).unwrap();
    close(right.score, raised[right.id as usize], 1e-5);
}

#[test]
fn random_pairs_have_no_relations_beyond_chance() {
    let tool = KgExtractor::new(&fixture("llama")).unwrap();
    let subspaces = tool.subspaces(0, Circuit::Qk, 8).unwrap();
    let of = |seed| tool.relations([34, 17, 29, 49], &subspaces, f64::MIN, 2000, seed).unwrap();
    let (found, again) = (of(1), of(1));
    assert_eq!(found, again);
    let mean = found.iter().map(|relation| relation.z).sum::<f64>() / found.len() as f64;
    // 64 pairs of these tokens: their mean z is within four standard errors of 0, if pairs were independent.
    close(mean, 0.0, 4.0 / (found.len() as f64).sqrt());
    for (a, b) in found.iter().zip(of(2)) {
        close(a.z, b.z, 0.5);
    }
}

#[test]
fn mistakes_are_named() {
    let tool = KgExtractor::new(&fixture("gpt2")).unwrap();
    assert_eq!(
        tool.subspaces(0, Circuit::Qk, 9).unwrap_err().to_string(),
        "kg_extractor: a head has 8 directions; give a k from 1 to 8, not 9"
    );
    let subspaces = tool.subspaces(0, Circuit::Ov, 2).unwrap();
    assert_eq!(
        tool.tokens(&subspaces, 0, 2, CircuitSide::Left, 1).unwrap_err().to_string(),
        "direction 2 is out of range: there are 2, numbered from 0"
    );
    assert_eq!(
        tool.relations([1, 2], &subspaces, 2.0, 1, 0).unwrap_err().to_string(),
        "kg_extractor: 1 random pairs have no spread; give at least 2"
    );
    let bert = KgExtractor::new(&encoder()).unwrap();
    let subspaces = bert.subspaces(0, Circuit::Ov, 2).unwrap();
    assert_eq!(
        bert.relations([34, 17], &subspaces, 2.0, 50, 0).unwrap_err().to_string(),
        "kg_extractor: this architecture has a layer with an activation before the logits, so no direction of the stream \
         belongs to a token; read the other side"
    );
}
