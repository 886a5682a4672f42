//! Ten common tasks, each as a user of our tools writes it. `tasks.py` does the same in TransformerLens.

use std::cell::RefCell;
use std::rc::Rc;

use arrakis::models::count_passes;
use arrakis::models::hooks::{Observer, observe};
use arrakis::prelude::*;
use serde::Deserialize;

/// The words of `TASKS` in `run.py`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    ZeroHeads,
    MeanHeads,
    PatchHeads,
    PatchResidPre,
    PatchAttnOut,
    PatchMlpOut,
    CutEdges,
    ZeroNeurons,
    AttributionPatching,
    LogitLens,
}

/// Neurons of the middle layer that are zeroed.
const NEURONS: usize = 256;

/// The numbers of a task, row by row. `other` is the prompt to patch from.
pub(crate) fn run(model: &HookedTransformer, task: Task, prompt: &Tokens, other: &Tokens) -> Result<Vec<f64>> {
    let metric = Metric::logit_diff(0, 1);
    let ablation = Ablation::new(model)?;
    let patching = ActivationPatching::new(model)?;
    let patched = || patching.from(other).into(prompt);
    Ok(match task {
        Task::ZeroHeads => ablation.heads(prompt, &metric, AblationKind::Zero)?.values.values,
        Task::MeanHeads => ablation.heads(prompt, &metric, AblationKind::Mean)?.values.values,
        Task::PatchHeads => patched()?.heads(&metric)?.values.values,
        Task::PatchResidPre => patched()?.resid_pre(&metric)?.values.values,
        Task::PatchAttnOut => patched()?.attn_out(&metric)?.values.values,
        Task::PatchMlpOut => patched()?.mlp_out(&metric)?.values.values,
        Task::CutEdges => vec![cut_edges(model, prompt, &metric)?],
        Task::ZeroNeurons => {
            let middle = model.config().n_layers / 2;
            ablation.neurons(prompt, middle, 0..NEURONS, &metric, AblationKind::Zero)?.values.values
        }
        Task::AttributionPatching => {
            AttributionPatching::new(model)?.from(other).into(prompt)?.heads(&metric)?.change().values
        }
        Task::LogitLens => LogitLens::new(model)?.target(prompt, 0)?.logit.values,
    }
    .concat())
}

/// What the last token reads from each token in each layer, cut one at a time.
fn cut_edges(model: &HookedTransformer, prompt: &Tokens, metric: &Metric) -> Result<Vec<f64>> {
    let edges = (0..model.config().n_layers).flat_map(|layer| (0..prompt.pos()).map(move |key| (layer, key)));
    let cases = edges.map(|(layer, key)| {
        let cut = Intervention::knock_out([key as isize]).positions([-1]);
        SweepCase::new(format!("{layer}@{key}"), site::scores(layer), cut)
    });
    Ok(metric.sweep(model, prompt, cases)?.means())
}

/// Forwards of a task, and the blocks that they pass, counted by token.
pub(crate) fn counted(body: impl FnOnce() -> Result<Vec<f64>>) -> Result<[usize; 2]> {
    #[derive(Default)]
    struct Blocks(usize);
    impl Observer for Blocks {
        fn entered(&mut self, _: &str) {}
        fn left(&mut self, _: &str) {}
        fn passed(&mut self, site: &str, dims: &[usize], _: usize) {
            self.0 += if site.ends_with(".resid_pre") { dims[0] * dims[1] } else { 0 };
        }
    }
    let blocks = Rc::new(RefCell::new(Blocks::default()));
    let observer: Rc<RefCell<dyn Observer>> = blocks.clone();
    let (found, passes) = count_passes(|| observe(observer, body));
    found?;
    let blocks = blocks.borrow().0;
    Ok([passes.forwards, blocks])
}
