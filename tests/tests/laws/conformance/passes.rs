//! A pass over a corpus finds the same in batches as one window at a time.

use arrakis::corpus::{Corpus, Covariance, Firing, Loss, Pass, Reducer, Samples, TopActivations, Unit};
use arrakis::models::HookedTransformer;

use super::{close, each};

#[test]
fn a_pass_in_batches_equals_one_window_at_a_time() {
    each(|model| {
        let document = |length: u32| (0..length).map(|at| 1 + (7 * at * at + 3 * length + at) % 50).collect();
        let corpus = Corpus::tokens([5, 12, 1, 8, 20, 3].map(document));
        let alone = found(model, &corpus, 1)?;
        for batch_tokens in [20, 1000] {
            let together = found(model, &corpus, batch_tokens)?;
            let places = if together.1 == alone.1 { Ok(()) } else { Err(format!("{:?}, {:?}", together.1, alone.1)) };
            places.and_then(|()| close(&format!("batches of {batch_tokens}"), &together.0, &alone.0, 1e-4))?;
        }
        Ok(())
    });
}

/// Numbers, and documents with positions.
type Found = (Vec<f32>, Vec<(usize, usize)>);

/// The numbers that a pass finds, and their places.
fn found(model: &HookedTransformer, corpus: &Corpus, batch_tokens: usize) -> Result<Found, String> {
    let vector = vec![0.3; model.config().d_model];
    let units = [Unit::head(1, 0), Unit::direction("blocks.0.resid_post", vector)];
    let mut firing = Firing::new("blocks.1.attn.z");
    let (mut covariance, mut samples) =
        (Covariance::new("blocks.0.resid_post"), Samples::new("blocks.1.mlp_out", 6, 1));
    let (mut top, mut loss) = (TopActivations::new(units, 3).around(1, 1), Loss::new());
    let encoder = model.config().bidirectional;
    let mut reducers: Vec<&mut dyn Reducer> = vec![&mut firing, &mut covariance, &mut samples, &mut top];
    if !encoder {
        reducers.push(&mut loss);
    }
    let pass = Pass::new(model, corpus).window(10).overlap(2).batch_tokens(batch_tokens).quiet();
    pass.run(&mut reducers).map_err(|error| error.to_string())?;
    let read = || -> arrakis::Result<Found> {
        let mut numbers = firing.means()?;
        numbers.extend(covariance.covariance()?.concat());
        numbers.extend(arrakis::models::device::read(samples.rows(model.device())?)?.into_iter().map(f64::from));
        numbers.extend((!encoder).then(|| loss.mean()).transpose()?);
        let examples: Vec<_> = top.examples(0).into_iter().flat_map(|unit| unit.top).collect();
        numbers.extend(examples.iter().flat_map(|example| example.activations.clone()));
        let mut places: Vec<_> = examples.iter().map(|example| (example.document, example.position)).collect();
        places.extend(samples.tokens().iter().map(|drawn| (drawn.document, drawn.position)));
        Ok((numbers.into_iter().map(|number| number as f32).collect(), places))
    };
    read().map_err(|error| error.to_string())
}
