//! Runs, models, threads and panics do not affect each other.

use arrakis::models::Intervention;
use arrakis::models::device::read;
use arrakis::models::hooks::{Edit, Plan};
use arrakis::prelude::{Tensor, site};

use super::{each_device, load, logits, prompt};

#[test]
fn a_cache_is_unchanged_by_later_runs_and_models_interleave() {
    each_device(|device| {
        let (a, b) = (load("gpt2", device), load("llama", device));
        let (_, first) = a.run_with_cache(prompt(), ["*"]).unwrap();
        let before: Vec<Vec<f32>> = first.iter().map(|(_, value)| value.to_vec().unwrap()).collect();
        let inner = b.clone();
        let nested = Edit::new(move |x: Tensor<3>| {
            inner.run_with_cache(prompt(), ["*"]).unwrap();
            x * 2.0
        });
        let outer = a.run(prompt(), Plan::new().edit(site::resid_pre(1), nested).capture("*.pattern")).unwrap();
        assert_eq!(outer.cache.len(), a.config().n_layers, "a run inside an edit is separate");
        assert_eq!(before, first.iter().map(|(_, value)| value.to_vec().unwrap()).collect::<Vec<_>>());
    });
}

#[test]
fn threads_do_not_affect_each_other() {
    each_device(|device| {
        let model = load("gpt_neox", device);
        let clean = logits(&model, &prompt());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (model, clean) = (&model, &clean);
                scope.spawn(move || {
                    for _ in 0..5 {
                        let zero = Intervention::scale(1.0 + thread as f32);
                        let out = read(model.run_with_hooks(prompt(), [(site::resid_pre(0), zero)]).unwrap()).unwrap();
                        assert_eq!(out == *clean, thread == 0);
                    }
                });
            }
        });
    });
}

#[test]
fn a_panic_in_an_edit_leaves_no_trace() {
    each_device(|device| {
        let model = load("gpt2", device);
        let clean = logits(&model, &prompt());
        let boom = Edit::new(|_: Tensor<3>| -> Tensor<3> { panic!("in an edit") });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            model.run_with_hooks(prompt(), [(site::resid_pre(0), boom)])
        }));
        assert!(caught.is_err());
        assert_eq!(logits(&model, &prompt()), clean);
        assert_eq!(model.run_with_cache(prompt(), ["embed"]).unwrap().1.len(), 1);
    });
}
