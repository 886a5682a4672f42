//! Gradients are those of finite differences.

use arrakis::models::device::read;
use arrakis::models::hooks::{Activation, Plan};
use arrakis::models::{Intervention, Tokens};
use arrakis::prelude::{Tensor, site};

use super::each;

#[test]
fn gradients_are_those_of_finite_differences() {
    each(|model| {
        let tokens = Tokens::new(vec![vec![3, 14, 15, 9]]).unwrap();
        let metric = |logits: Tensor<3>| logits.narrow(1, 3, 1).narrow(2, 5, 1).reshape([1]);
        for at in [site::resid_pre(1), site::z(0), site::mlp_out(0)] {
            let run = model.run(&tokens, Plan::new().grad(at.clone()).capture(at.clone())).unwrap();
            let gradient =
                run.gradients(metric(run.output.clone())).unwrap().activation(&at).unwrap().to_vec().unwrap();
            let value = run.cache.activation(&at).unwrap().clone();
            for index in [0, gradient.len() / 2, gradient.len() - 1] {
                let moved = |step: f32| {
                    let mut values = value.to_vec().unwrap();
                    values[index] += step;
                    let patch = Activation::from_vec(values, value.dims(), value.device()).unwrap();
                    let out =
                        model.run_with_hooks(&tokens, [(at.clone(), Intervention::patch(&patch).edit())]).unwrap();
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
