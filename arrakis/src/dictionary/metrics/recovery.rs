//! What a dictionary costs the model: the loss and the divergence with its output in the place of the activation.

use std::sync::Arc;

use arrakis_models::{Activation, Edit, HookedTransformer, Plan, device, log_softmax};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::site_name::full_name;
use crate::corpus::{Pass, PassReport, Ready};
use crate::error::{Error, Result};

/// Cross entropy and divergence over a corpus, three times: as it is, with a dictionary's output at a site, and with zeros
/// there.
///
/// Tokens that the pass does not count, such as the first ones, keep their activations. Memory: three times the logits of a
/// batch of the pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Tokens whose activation is replaced.
    pub tokens: u64,
    /// Those of them that the model has to predict.
    pub predicted: u64,
    loss: [f64; 3],
    divergence: [f64; 2],
}

/// `[token, d_in]` to `[token, d_out]`.
type Forward = Arc<dyn Fn(Tensor<2>) -> Tensor<2> + Send + Sync>;

impl Recovery {
    /// Runs a pass. `forward` reads the site `from`, `[token, d_in]`, and its output replaces the site `into`; for an
    /// autoencoder they are one.
    ///
    /// # Errors
    ///
    /// A site that the model does not have, an `into` before `from`, an output of another width, an encoder, and those of
    /// [`Pass::run`].
    pub fn measure(
        pass: &Pass<'_>,
        from: &str,
        into: &str,
        forward: impl Fn(Tensor<2>) -> Tensor<2> + Send + Sync + 'static,
    ) -> Result<Self> {
        let of = Replaced { from: full_name(from), into: full_name(into), forward: Arc::new(forward) };
        of.check(pass.model())?;
        let (mut found, mut report, mut feed) = (Self::default(), PassReport::default(), pass.feed(0)?);
        while let Some(shelf) = feed.shelf(&mut report)? {
            for ready in shelf {
                found.add(pass.model(), &ready, &of)?;
                ready.count(&mut report);
            }
        }
        some("Recovery", found.tokens)?;
        Ok(found)
    }

    fn add(&mut self, model: &HookedTransformer, ready: &Ready<'_>, of: &Replaced) -> Result<()> {
        let (tokens, mask) = (ready.tokens(), ready.mask());
        let pos = tokens.pos();
        let clean = model.run(tokens, Plan::new().capture(of.from.as_str()))?;
        let read = clean.cache.activation(&of.from)?.clone();
        let runs = [of.edit(&read, &mask)?, of.zeros(&mask)];
        let mut outputs = vec![clean.output];
        for edit in runs {
            outputs.push(model.run_with_hooks(tokens, [(of.into.as_str(), edit)])?);
        }
        if pos > 1 {
            for (sum, logits) in self.loss.iter_mut().zip(&outputs) {
                let losses = device::read(model.loss_per_token(logits.clone(), tokens)?)?;
                let own = losses.iter().enumerate().filter(|(at, _)| mask[at / (pos - 1) * pos + at % (pos - 1) + 1]);
                *sum += own.map(|(_, loss)| f64::from(*loss)).sum::<f64>();
            }
        }
        let clean = log_softmax(outputs.remove(0));
        for (sum, logits) in self.divergence.iter_mut().zip(outputs) {
            let apart = clean.clone() - log_softmax(logits);
            let apart = device::read((clean.clone().exp() * apart).sum_dim(2))?;
            *sum += apart.iter().zip(&mask).filter(|(_, own)| **own).map(|(apart, _)| f64::from(*apart)).sum::<f64>();
        }
        self.tokens += mask.iter().filter(|own| **own).count() as u64;
        self.predicted += (0..mask.len()).filter(|at| mask[*at] && at % pos > 0).count() as u64;
        Ok(())
    }

    /// Mean cross entropy in nats: as it is, with the dictionary, and with zeros.
    ///
    /// # Errors
    ///
    /// No token has a prediction.
    pub fn losses(&self) -> Result<[f64; 3]> {
        some("Recovery", self.predicted)?;
        Ok(self.loss.map(|sum| sum / self.predicted as f64))
    }

    /// Mean divergence from the model as it is, `KL(model || changed)` in nats: with the dictionary, and with zeros.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn divergences(&self) -> Result<[f64; 2]> {
        some("Recovery", self.tokens)?;
        Ok(self.divergence.map(|sum| sum / self.tokens as f64))
    }

    /// `(zero - dictionary) / (zero - clean)` of the losses: 1 if nothing is lost, 0 if it is as bad as zeros.
    ///
    /// # Errors
    ///
    /// No token has a prediction, and a site whose zeros cost nothing.
    pub fn loss_recovered(&self) -> Result<f64> {
        let [clean, dictionary, zero] = self.losses()?;
        share(zero - dictionary, zero - clean)
    }

    /// `(zero - dictionary) / zero` of the divergences, as [`Recovery::loss_recovered`].
    ///
    /// # Errors
    ///
    /// No token was seen, and a site whose zeros change nothing.
    pub fn divergence_recovered(&self) -> Result<f64> {
        let [dictionary, zero] = self.divergences()?;
        share(zero - dictionary, zero)
    }
}

fn share(part: f64, whole: f64) -> Result<f64> {
    if whole.abs() > 1e-9 {
        return Ok(part / whole);
    }
    Err(refuse(
        "zeros at this site cost nothing, so nothing can be recovered; choose a site that the model uses".into(),
    ))
}

/// What stands at a site instead of the activation.
struct Replaced {
    from: String,
    into: String,
    forward: Forward,
}

impl Replaced {
    fn check(&self, model: &HookedTransformer) -> Result<()> {
        let sites = model.sites();
        for site in [&self.from, &self.into] {
            Plan::new().capture(site.as_str()).check(&sites)?;
        }
        let at = |site: &String| sites.iter().position(|own| own == site);
        if at(&self.from) > at(&self.into) {
            let problem = format!("`{}` comes before `{}`; give the site that is read first", self.into, self.from);
            return Err(refuse(problem));
        }
        Ok(())
    }

    /// The output of the dictionary at the tokens of the mask.
    fn edit(&self, read: &Activation, mask: &[bool]) -> Result<Edit> {
        let slots = mask.len();
        let rows = read.to_flat()?.reshape([slots as i64, -1]);
        Ok(self.at_mask((self.forward)(rows), mask))
    }

    fn zeros(&self, mask: &[bool]) -> Edit {
        self.at_mask(Tensor::zeros([mask.len(), 1], &burn::tensor::Device::flex()), mask)
    }

    /// Rows `[slot, width]`, or `[slot, 1]` for all of a slot, where the mask is true.
    fn at_mask(&self, rows: Tensor<2>, mask: &[bool]) -> Edit {
        let (site, flags): (_, Vec<f32>) =
            (self.into.clone(), mask.iter().map(|own| f32::from(u8::from(*own))).collect());
        Edit::any("dictionary", move |value, _| {
            let (slots, dims) = (flags.len(), value.dims().to_vec());
            let width = dims[2..].iter().product::<usize>();
            let [_, own] = rows.dims();
            if own != width && own != 1 {
                return Err(arrakis_models::Error::EditShape {
                    site: site.clone(),
                    expected: vec![slots, width],
                    actual: vec![slots, own],
                });
            }
            let rows = rows.clone().to_device(value.device()).expand([slots, width]);
            let flags = Tensor::<2>::from_data(TensorData::new(flags.clone(), [slots, 1]), value.device());
            let old = value.to_flat()?.reshape([slots, width]);
            let kept = old * (flags.clone().neg() + 1.0) + rows * flags;
            Activation::shaped(kept.reshape([slots * width]), &dims)
        })
    }
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Recovery", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Corpus, Loss};
    use crate::tools::testing::close;
    use arrakis_models::{HookedAutoModel, Intervention, TransformerConfig};

    const SITE: &str = "blocks.1.resid_post";

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    fn corpus() -> Corpus {
        let document = |length: usize| (0..length).map(|at| ((at * at * 7 + length * 3 + at) % 20) as u32).collect();
        Corpus::tokens([5, 16, 3, 9].map(document))
    }

    #[test]
    fn the_identity_recovers_all_and_zeros_nothing() {
        let (model, corpus) = (model(), corpus());
        let pass = Pass::new(&model, &corpus).batch_tokens(40).quiet();
        for site in [SITE, "blocks.0.attn.z"] {
            let same = Recovery::measure(&pass, site, site, |x| x).unwrap();
            assert_eq!((same.tokens, same.predicted), (33, 29));
            close(same.loss_recovered().unwrap(), 1.0, 1e-6);
            close(same.divergence_recovered().unwrap(), 1.0, 1e-6);
            let zero = Recovery::measure(&pass, site, site, |x| x * 0.0).unwrap();
            close(zero.loss_recovered().unwrap(), 0.0, 1e-6);
            close(zero.divergence_recovered().unwrap(), 0.0, 1e-6);
        }
        let mut loss = Loss::new();
        pass.run(&mut [&mut loss]).unwrap();
        let [clean, ..] = Recovery::measure(&pass, SITE, SITE, |x| x).unwrap().losses().unwrap();
        close(clean, loss.mean().unwrap(), 1e-6);
    }

    /// One prompt by hand: twice the activation at every position but the first.
    #[test]
    fn tokens_that_are_not_counted_keep_their_activations() {
        let (model, ids) = (model(), vec![3_u32, 1, 4, 1, 5]);
        let corpus = Corpus::tokens([ids.clone()]);
        let pass = Pass::new(&model, &corpus).skip_first(1).quiet();
        let found = Recovery::measure(&pass, SITE, SITE, |x| x * 2.0).unwrap();
        let tokens = arrakis_models::Tokens::new(vec![ids]).unwrap();
        let edit = Intervention::scale(2.0).positions([1, 2, 3, 4]);
        let logits = model.run_with_hooks(&tokens, [(SITE, edit)]).unwrap();
        let losses = device::read(model.loss_per_token(logits, &tokens).unwrap()).unwrap();
        let by_hand = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / 4.0;
        close(found.losses().unwrap()[1], by_hand, 1e-5);
        assert_eq!((found.tokens, found.predicted), (4, 4));
    }

    #[test]
    fn a_transcoder_reads_one_site_and_writes_another() {
        let (model, corpus) = (model(), corpus());
        let pass = Pass::new(&model, &corpus).quiet();
        let (weight, bias) = (model.w_out(1).unwrap(), model.b_out(1).unwrap());
        let mlp = move |x: Tensor<2>| x.matmul(weight.clone()) + bias.clone().unsqueeze();
        let found = Recovery::measure(&pass, "blocks.1.mlp.post", "blocks.1.mlp_out", mlp).unwrap();
        close(found.loss_recovered().unwrap(), 1.0, 1e-4);
    }

    #[test]
    fn mistakes_are_named() {
        let (model, corpus) = (model(), corpus());
        let pass = Pass::new(&model, &corpus).quiet();
        let said = |from: &str, into: &str| Recovery::measure(&pass, from, into, |x| x).unwrap_err().to_string();
        assert!(said("blocks.1.resid_pst", SITE).contains("did you mean `blocks.1.resid_post`"));
        assert_eq!(
            said("blocks.2.mlp_out", SITE),
            format!("`Recovery`: `{SITE}` comes before `blocks.2.mlp_out`; give the site that is read first")
        );
        let narrow = Recovery::measure(&pass, SITE, SITE, |x| x.narrow(1, 0, 3)).unwrap_err().to_string();
        assert!(narrow.contains(SITE) && narrow.contains("[64, 12]") && narrow.contains("[64, 3]"), "{narrow}");
    }
}
