//! Batches, caches, first and last layers: the same numbers by another path.

use arrakis::models::device::read;
use arrakis::models::hooks::Plan;
use arrakis::models::{Generated, Generation, Intervention, RunOptions, Side, Tokens};
use arrakis::prelude::{Tensor, site};

use super::{close, each, logits, prompt};

#[test]
fn a_batched_row_equals_the_row_alone_under_both_paddings() {
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
fn cached_equals_uncached_under_hooks() {
    each(|model| {
        let prompts = Tokens::padded(&[vec![3, 14, 15, 9], vec![7, 8]], Side::Left, 0).unwrap();
        if model.config().bidirectional {
            let said = model.generate(&prompts, &Generation::greedy(4)).unwrap_err().to_string();
            return if said.starts_with("generation with an encoder is not supported") { Ok(()) } else { Err(said) };
        }
        for site in [site::resid_post(0), site::z(1), site::k(0), site::v(1), site::mlp_out(1)] {
            let plan = Plan::new().edit(site, Intervention::scale(0.5)).capture(site::resid_pre(1));
            let made = |use_cache| {
                model.generate(&prompts, &Generation::greedy(4).use_cache(use_cache).plan(plan.clone())).unwrap()
            };
            let (cached, uncached) = (made(true), made(false));
            if cached.ids != uncached.ids {
                return Err(format!("{site}: {:?} cached, {:?} not", cached.ids, uncached.ids));
            }
            for row in 0..2 {
                let of = |made: &Generated| made.logits_of_row(row).unwrap();
                close(&site.to_string(), &of(&cached), &of(&uncached), 1e-3)?;
            }
            if cached.steps[1].get::<3>(site::resid_pre(1)).unwrap().dims() != [2, 1, model.config().d_model] {
                return Err("a decoding step must capture its own position".into());
            }
        }
        Ok(())
    });
}

#[test]
fn starting_and_stopping_at_a_layer_equals_the_whole_run() {
    each(|model| {
        let tokens = prompt();
        let (whole, cache) = model.run_with_cache(&tokens, ["*.resid_pre"]).unwrap();
        let whole = read(whole).unwrap();
        for layer in 0..model.config().n_layers {
            let resid: Tensor<3> = cache.get(site::resid_pre(layer)).unwrap();
            let options = RunOptions::new().stop_at_layer(layer as isize);
            let stopped = model.run_from(&tokens, Plan::new(), None, &options).unwrap().output;
            if read(stopped).unwrap() != read(resid.clone()).unwrap() {
                return Err(format!("stopped at {layer}"));
            }
            let from_end = options.stop_at_layer(layer as isize - model.config().n_layers as isize);
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
        let all = RunOptions::new().stop_at_layer(layers as isize);
        let last = model.run_from(&tokens, Plan::new(), None, &all).unwrap().output;
        let ended = model.run_from(&tokens, Plan::new(), Some((layers, last)), &RunOptions::default()).unwrap().output;
        if read(ended).unwrap() != whole {
            return Err("resumed after the last block".into());
        }
        for stop in [layers as isize + 1, -(layers as isize) - 1] {
            let far = RunOptions::new().stop_at_layer(stop);
            if model.run_from(&tokens, Plan::new(), None, &far).is_ok() {
                return Err(format!("stopped at {stop}"));
            }
        }
        Ok(())
    });
}
