//! Models for tests: checkpoints with other people's numbers, and one built by hand.

use std::cell::RefCell;
use std::fmt::Display;
use std::path::PathBuf;
use std::rc::Rc;

use arrakis_models::device::{self, Chosen};
use arrakis_models::hooks::{Observer, observe};
use arrakis_models::model::LoadOptions;
use arrakis_models::transformer::{Init, Source, Transformer};
use arrakis_models::{HookedAutoModel, HookedTransformer, Tokens, TransformerConfig};
use burn::tensor::{Tensor, TensorData};

use crate::plot::Panel;
use crate::tools::place::Place;
use crate::tools::shared::cost::Call;
use crate::tools::{Metric, ScoreTable, Tool};

/// What the readings of a tool are taken on.
pub(crate) struct Cases {
    /// One prompt.
    pub(crate) prompt: Tokens,
    /// A prompt to patch from or to compare with.
    pub(crate) other: Tokens,
    /// A difference of two logits at the last position.
    pub(crate) metric: Metric,
}

impl Cases {
    /// Two prompts that differ in one token.
    pub(crate) fn new() -> Self {
        let tokens = |ids: [u32; 4]| Tokens::new(vec![ids.to_vec()]).unwrap();
        let (prompt, other) = (tokens([34, 17, 29, 49]), tokens([34, 17, 30, 49]));
        Self { prompt, other, metric: Metric::logit_diff(63, 25) }
    }

    /// Prompts that differ from the others in every token, so that every edit changes something.
    pub(crate) fn apart(prompts: u32, positions: u32) -> Self {
        let ids = |row: u32, shift: u32| (0..positions).map(|at| (7 + shift + 31 * row + 17 * at) % 120).collect();
        let rows = |shift| Tokens::new((0..prompts).map(|row| ids(row, shift)).collect()).unwrap();
        Self { prompt: rows(0), other: rows(5), metric: Metric::logit_diff(63, 25) }
    }

    /// The first prompt, for methods that take one.
    pub(crate) fn first(&self) -> Tokens {
        self.prompt.row(0).unwrap()
    }

    /// The same prompt twice, so that there is no difference to find.
    pub(crate) fn tie() -> Self {
        let own = Self::new();
        Self { other: own.prompt.clone(), ..own }
    }
}

/// One answer of a tool: its numbers or its error, and the panel it draws.
pub(crate) struct Reading {
    pub(crate) name: &'static str,
    pub(crate) numbers: Result<Vec<f64>, String>,
    pub(crate) panel: Option<Panel>,
}

impl Reading {
    pub(crate) fn numbers(name: &'static str, numbers: Result<Vec<f64>, impl Display>) -> Self {
        Self { name, numbers: numbers.map_err(|error| error.to_string()), panel: None }
    }

    pub(crate) fn table<P: Place>(name: &'static str, table: Result<ScoreTable<P>, impl Display>) -> Self {
        let panel = table.as_ref().ok().map(|table| table.heatmap().into());
        Self { panel, ..Self::numbers(name, table.map(|table| table.values.concat())) }
    }

    pub(crate) fn panel(name: &'static str, panel: Result<impl Into<Panel>, impl Display>) -> Self {
        match panel {
            Ok(panel) => Self { panel: Some(panel.into()), ..Self::numbers(name, Ok::<_, String>(Vec::new())) },
            Err(error) => Self::numbers(name, Err(error)),
        }
    }
}

/// Every answer of a tool, for the laws of `registry.rs`. A registered tool without them does not compile in tests.
pub(crate) trait Readings: Tool {
    fn readings(&self, cases: &Cases) -> Vec<Reading>;

    /// A call of every method in the tool's cost table.
    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>>;
}

/// A tiny checkpoint of `tests/fixtures/tl`.
pub(crate) fn fixture(name: &str) -> HookedTransformer {
    checkpoint(&format!("tl/{name}"))
}

/// A tiny encoder, whose queries also see later positions.
pub(crate) fn encoder() -> HookedTransformer {
    checkpoint("parity/bert")
}

/// A model with a NaN in each attention matrix.
pub(crate) fn not_finite() -> HookedTransformer {
    let model = fixture("gpt2");
    let mut net = model.net().clone();
    let broken = |w: Tensor<2>| {
        let nan = Tensor::<2>::full([1, 1], f32::NAN, &w.device());
        w.slice_assign([0..1, 0..1], nan)
    };
    for block in &mut net.blocks {
        let attn = &mut block.attn;
        for linear in [&mut attn.w_q, &mut attn.w_k, &mut attn.w_v, &mut attn.w_o] {
            linear.weight = linear.weight.clone().map(broken);
        }
    }
    model.with_net(net)
}

/// A tiny checkpoint of `tests/fixtures`.
pub(crate) fn checkpoint(name: &str) -> HookedTransformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

/// Runs a body and counts the blocks it evaluates, per token: blocks × rows × positions.
pub(crate) fn block_tokens<R>(body: impl FnOnce() -> R) -> (R, usize) {
    struct Count(usize);
    impl Observer for Count {
        fn entered(&mut self, _: &str) {}
        fn left(&mut self, _: &str) {}
        fn passed(&mut self, site: &str, dims: &[usize], _: usize) {
            if site.ends_with(".resid_pre") {
                self.0 += dims[0] * dims[1];
            }
        }
    }
    let count = Rc::new(RefCell::new(Count(0)));
    let found = observe(Rc::clone(&count) as Rc<RefCell<dyn Observer>>, body);
    let counted = count.borrow().0;
    (found, counted)
}

/// Fails unless two numbers are within `tolerance` of each other.
#[track_caller]
pub(crate) fn close(a: impl Into<f64>, b: impl Into<f64>, tolerance: f64) {
    let (a, b) = (a.into(), b.into());
    assert!((a - b).abs() <= tolerance, "{a} and {b} differ by {}, more than {tolerance}", (a - b).abs());
}

/// A model whose weights a function of (name, row, column) gives, zero elsewhere; vectors have row 0.
pub(crate) fn planted(config: &TransformerConfig, weight: impl Fn(&str, usize, usize) -> f32) -> HookedTransformer {
    struct Planted<F>(F, Chosen);
    impl<F: Fn(&str, usize, usize) -> f32> Source for Planted<F> {
        fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], init: Init) -> Tensor<D> {
            let columns = shape[D - 1];
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = match init {
                Init::Constant(value) => vec![value; count],
                Init::Normal(_) => (0..count).map(|index| (self.0)(name, index / columns, index % columns)).collect(),
            };
            Tensor::from_data(TensorData::new(values, shape), &self.1.device)
        }
    }
    config.check().unwrap();
    let mut source = Planted(weight, device::cpu());
    let net = Transformer::build(&mut source, config);
    HookedTransformer::new(net, "planted", None, &source.1)
}

/// Tokens of the induction model's vocabulary.
pub(crate) const VOCAB: usize = 12;
const CONTEXT: usize = 24;

/// Two layers of two heads that copy what followed a token's last occurrence: `L0H1` attends to the
/// token before and writes it down, `L1H0` looks for where the current token was written and copies.
///
/// Position 0 has no token before it and writes down itself, so a first token also matches its own repetition.
/// The stream is `[token one-hot | position one-hot | previous token]`; the other heads write nothing.
pub(crate) fn induction_model() -> HookedTransformer {
    let (pos, prev, d_model) = (VOCAB, VOCAB + CONTEXT, VOCAB + CONTEXT + VOCAB);
    let mut config = TransformerConfig::plain("planted", 2, d_model, 2, VOCAB, CONTEXT).with_d_head(CONTEXT);
    config.d_mlp = 1;
    planted(&config, |name, row, column| {
        let one = |on: bool, value: f32| if on { value } else { 0.0 };
        // The column inside the head, where the column belongs to that head.
        let inside = |head: usize| (column / CONTEXT == head).then_some(column % CONTEXT);
        let out_of = |head: usize| (row / CONTEXT == head).then_some(row % CONTEXT);
        match name {
            "embed.weight" => one(row == column, 1.0),
            "pos_embed.weight" => one(column == pos + row, 1.0),
            "blocks.0.attn.w_q.weight" => one(inside(1).is_some_and(|i| row == pos + i), 20.0),
            "blocks.0.attn.w_k.weight" => one(inside(1).is_some_and(|i| i > 0 && row == pos + i - 1), 20.0),
            "blocks.0.attn.w_v.weight" => one(inside(1).is_some_and(|i| i < VOCAB && row == i), 1.0),
            "blocks.0.attn.w_o.weight" => one(out_of(1).is_some_and(|i| i < VOCAB && column == prev + i), 1.0),
            "blocks.1.attn.w_q.weight" => one(inside(0).is_some_and(|i| i < VOCAB && row == i), 20.0),
            "blocks.1.attn.w_k.weight" => one(inside(0).is_some_and(|i| i < VOCAB && row == prev + i), 20.0),
            "blocks.1.attn.w_v.weight" => one(inside(0).is_some_and(|i| i < VOCAB && row == i), 1.0),
            "blocks.1.attn.w_o.weight" => one(out_of(0).is_some_and(|i| i < VOCAB && column == i), 3.0),
            _ => 0.0,
        }
    })
}

/// How often a site is met while `body` runs: how many forwards reach it.
pub(crate) fn passes<R>(site: &'static str, body: impl FnOnce() -> R) -> (R, usize) {
    struct Passes(&'static str, usize);
    impl Observer for Passes {
        fn entered(&mut self, _: &str) {}
        fn left(&mut self, _: &str) {}
        fn passed(&mut self, site: &str, _: &[usize], _: usize) {
            self.1 += usize::from(site == self.0);
        }
    }
    let counted = Rc::new(RefCell::new(Passes(site, 0)));
    let result = observe(Rc::clone(&counted) as Rc<RefCell<dyn Observer>>, body);
    let count = counted.borrow().1;
    (result, count)
}
