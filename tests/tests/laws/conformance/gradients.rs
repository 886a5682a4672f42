//! Gradients equal finite differences, and pass hooks at every site.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrakis::models::device::read;
use arrakis::models::hooks::{Activation, Edit, GradientEdit, Plan};
use arrakis::models::{Error, HookedTransformer, Intervention, Result, Tokens};
use arrakis::prelude::{Tensor, site};

use super::{apart, close, each};

#[test]
fn gradients_equal_finite_differences() {
    each(|model| {
        let tokens = Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap();
        let metric = |logits: Tensor<3>| logits.narrow(1, 3, 1).narrow(2, 5, 1).reshape([1]);
        for at in [site::resid_pre(1), site::z(0), site::mlp_out(0)] {
            let run = model.run(&tokens, Plan::new().grad(at).capture(at)).unwrap();
            let gradient = run.gradients(metric(run.output.clone())).unwrap().activation(at).unwrap().to_vec().unwrap();
            let value = run.cache.activation(at).unwrap().clone();
            for index in [0, gradient.len() / 2, gradient.len() - 1] {
                let moved = |step: f32| {
                    let mut values = value.to_vec().unwrap();
                    values[index] += step;
                    let patch = Activation::from_vec(values, value.dims(), value.device()).unwrap();
                    let out = model.run_with_hooks(&tokens, [(at, Intervention::patch(&patch))]).unwrap();
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

/// The gradient with respect to the stream entering block 0, under a plan.
fn at_the_start(model: &HookedTransformer, plan: Plan) -> Result<Vec<f32>> {
    let run = model.run(vec![vec![3, 14, 15, 9]], plan.grad(site::resid_pre(0)))?;
    let metric = run.output.clone().slice([0..1, 3..4, 5..6]).reshape([1]);
    run.gradients(metric)?.activation(site::resid_pre(0))?.to_vec()
}

/// A hook at any site that returns the gradient unchanged leaves it unchanged. A hook that returns zero gives the
/// gradient of a model where the site is a constant.
#[test]
fn gradients_pass_hooks_at_every_site() {
    each(|model| {
        let plain = at_the_start(model, Plan::new()).unwrap();
        let none = vec![0.0; plain.len()];
        let tolerance = 1e-5 * apart(&plain, &none);
        // If queries, keys and values have separate inputs, nothing flows through the shared norm.
        let sites = model
            .sites()
            .into_iter()
            .filter(|name| name.starts_with("blocks.") && *name != site::resid_pre(0).to_string());
        let (split, whole): (Vec<String>, Vec<String>) =
            sites.partition(|name| name.ends_with("_input") || name.ends_with("_in"));
        for sites in [split, whole] {
            let met: Arc<Mutex<BTreeSet<String>>> = Arc::default();
            let meeting = Arc::clone(&met);
            let same = Edit::any("as it was", move |gradient, at| {
                meeting.lock().unwrap().insert(at.site.to_owned());
                Ok(gradient)
            });
            let plan = sites.iter().fold(Plan::new(), |plan, name| plan.edit_gradient(name.as_str(), same.clone()));
            close("as it was", &at_the_start(model, plan).unwrap(), &plain, tolerance)?;
            let missed: Vec<&String> = sites.iter().filter(|name| !met.lock().unwrap().contains(*name)).collect();
            if !missed.is_empty() {
                return Err(format!("no gradient reached {missed:?}"));
            }
        }
        for name in [site::pattern(1), site::z(1), site::mlp_out(1), site::resid_post(1)] {
            let stopped = at_the_start(model, Plan::new().edit_gradient(name, GradientEdit::Stop));
            let zeroed = at_the_start(model, Plan::new().edit_gradient(name, Intervention::zero()));
            match (zeroed, stopped) {
                (Ok(zeroed), Ok(stopped)) => close(&name.to_string(), &zeroed, &stopped, tolerance)?,
                // Nothing is left to differentiate.
                (Ok(zeroed), Err(Error::NoGradient { .. })) => close(&name.to_string(), &zeroed, &none, 0.0)?,
                (zeroed, stopped) => return Err(format!("{name}: {zeroed:?}, {stopped:?}")),
            }
        }
        Ok(())
    });
}
