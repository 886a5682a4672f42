//! What an encoder has and a decoder does not.

use arrakis::models::Tokens;
use arrakis::models::device::read;

use super::{apart, each_device, load, logits};

/// An encoder has token types and masked labels, and no next token.
#[test]
fn an_encoder_tells_texts_apart_and_predicts_what_is_masked() {
    each_device(|device| {
        let (bert, gpt2) = (load("bert", device), load("gpt2", device));
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
        let refused =
            |labels: Vec<Vec<Option<u32>>>| bert.masked_loss(output.clone(), &labels).unwrap_err().to_string();
        assert_eq!(
            refused(labels(None)),
            "there is nothing to compute a loss from: no position has a label; give the original token at each masked position"
        );
        assert_eq!(refused(vec![vec![None]]), "expected 4 labels, one for each position, got 1");
        assert_eq!(refused(labels(Some(999))), "token 999 is out of range: there are 120, numbered from 0");
        let said = bert.loss(output, &typed(vec![0; 4])).unwrap_err().to_string();
        assert_eq!(
            said,
            "the loss of the next token is not supported: this model is an encoder, whose positions see the tokens after them; use `masked_loss`"
        );
    });
}
