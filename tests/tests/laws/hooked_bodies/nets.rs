//! Networks of Burn's own modules: the attribute changes no bit, edits act, and gradients equal finite differences.

use arrakis::models::device::read;
use arrakis::models::hooks::Plan;
use arrakis::prelude::*;
use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Gelu, Gru, GruConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::{Device, Distribution, activation};

/// The same body twice, once under the attribute.
macro_rules! hooked_and_plain {
    ($net:ident { $(fn $forward:ident / $plain:ident(&$self:ident, $x:ident: $input:ty) -> $output:ty { $($body:tt)* })* }) => {
        impl $net {
            $(
                #[hooked]
                fn $forward(&$self, $x: $input) -> $output { $($body)* }

                #[allow(clippy::let_and_return, reason = "the same body")]
                fn $plain(&$self, $x: $input) -> $output { $($body)* }
            )*
        }
    };
}

#[derive(Module, Debug)]
struct Attention {
    norm: LayerNorm,
    attn: MultiHeadAttention,
    mlp: Option<Linear>,
    gelu: Gelu,
}

hooked_and_plain! { Attention {
    fn forward / plain(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = self.norm.forward(x.clone());
        let q1 = normed.clone() * 0.5;
        let out = self.attn.forward(MhaInput::new(q1, normed.clone(), normed));
        let pattern = out.weights;
        let z2 = out.context;
        let mixed = z2 + x * pattern.mean().unsqueeze();
        let post = match &self.mlp {
            Some(mlp) => self.gelu.forward(mlp.forward(mixed)),
            None => mixed,
        };
        post
    }
} }

#[derive(Module, Debug)]
struct Convolution {
    convs: Vec<Conv2d>,
    pool: AdaptiveAvgPool2d,
    head: Linear,
}

hooked_and_plain! { Convolution {
    fn forward / plain(&self, x: Tensor<4>) -> Tensor<2> {
        let mut planes = Vec::new();
        planes.push(x);
        for conv in &self.convs {
            let last = planes.len() - 1;
            planes.push(activation::tanh(conv.forward(planes[last].clone())));
        }
        let h = planes.remove(2);
        let [batch, channels, _, _] = h.dims();
        let pooled = self.pool.forward(h).reshape([batch, channels * 4]);
        let blocks = self.head.forward(pooled);
        blocks
    }
} }

#[derive(Module, Debug)]
struct Recurrent {
    lstm: Lstm,
    gru: Gru,
    head: Linear,
}

hooked_and_plain! { Recurrent {
    fn forward / plain(&self, x: Tensor<3>) -> Tensor<3> {
        let (h, state) = self.lstm.forward(x, None);
        let last = state.hidden;
        let hook_x = self.gru.forward(h, Some(last.clone()));
        let x_hook = hook_x + last.unsqueeze_dim(1);
        let logits = self.head.forward(x_hook);
        logits
    }
} }

#[derive(Module, Debug)]
struct Encoder {
    transformer: TransformerEncoder,
    ln_f: LayerNorm,
}

hooked_and_plain! { Encoder {
    fn forward / plain(&self, x: Tensor<3>) -> Tensor<3> {
        let Self { transformer, ln_f } = self;
        let h = transformer.forward(TransformerEncoderInput::new(x));
        let layers = ln_f.forward(h);
        layers
    }
} }

fn device() -> Device {
    let device = Device::flex();
    device.seed(3);
    device
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

/// A number that depends on every element differently.
fn metric<const D: usize>(output: Tensor<D>) -> Tensor<1> {
    let length = output.dims().iter().product::<usize>();
    let weights: Vec<f32> = (0..length).map(|i| ((i * 7 % 11) as f32 - 4.0) / 5.0).collect();
    let device = output.device();
    (output.reshape([length]) * Tensor::<1>::from_floats(weights.as_slice(), &device)).sum()
}

/// Compares a hooked forward with the plain one, and each gradient with the change that an edit of one number makes.
fn check<const D: usize>(sites: &[&str], forward: impl Fn() -> Tensor<D>, plain: impl Fn() -> Tensor<D>) {
    let run = Plan::new().capture("*").run(&forward).unwrap();
    assert_eq!(run.cache.sites().collect::<Vec<_>>(), sites);
    let bits = |output: Tensor<D>| read(output).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(forward()), bits(plain()), "without a run");
    assert_eq!(bits(run.output), bits(plain()), "in a run");
    let run = sites.iter().fold(Plan::new(), |plan, site| plan.grad(*site)).run(&forward).unwrap();
    let gradients = run.gradients(metric(run.output.clone())).unwrap();
    for site in sites {
        let gradient = gradients.activation(*site).unwrap().to_vec().unwrap();
        let at = gradient.iter().enumerate().max_by(|one, other| one.1.abs().total_cmp(&other.1.abs())).unwrap().0;
        let moved = |by: f32| {
            let edit = Edit::any("one number", move |value, _| {
                let mut values = value.to_vec()?;
                values[at] += by;
                arrakis::models::Activation::from_vec(values, value.dims(), value.device())
            });
            let moved = Plan::new().edit(*site, edit).run(&forward).unwrap();
            assert_eq!(moved.fired, [1]);
            f64::from(read(metric(moved.output)).unwrap()[0])
        };
        let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        let expected = f64::from(gradient[at]);
        assert!(expected.abs() > 1e-3, "{site}: {expected}");
        assert!((difference - expected).abs() < 0.02 * expected.abs(), "{site}: {difference} is not {expected}");
    }
}

#[test]
fn attention_has_the_bits_edits_and_gradients_of_the_plain_module() {
    let device = device();
    let net = Attention {
        norm: LayerNormConfig::new(8).init(&device),
        attn: MultiHeadAttentionConfig::new(8, 2).with_dropout(0.0).init(&device),
        mlp: Some(LinearConfig::new(8, 8).init(&device)),
        gelu: Gelu::new(),
    };
    let x = random([2, 4, 8]);
    check(&["normed", "q1", "pattern", "z2", "mixed", "post"], || net.forward(x.clone()), || net.plain(x.clone()));
}

#[test]
fn a_convolution_has_the_bits_edits_and_gradients_of_the_plain_module() {
    let device = device();
    let conv = |channels| Conv2dConfig::new(channels, [3, 3]).init(&device);
    let net = Convolution {
        convs: vec![conv([1, 3]), conv([3, 4])],
        pool: AdaptiveAvgPool2dConfig::new([2, 2]).init(),
        head: LinearConfig::new(16, 3).init(&device),
    };
    let x = random([2, 1, 8, 8]);
    check(&["h", "pooled", "blocks"], || net.forward(x.clone()), || net.plain(x.clone()));
}

#[test]
fn a_recurrent_net_has_the_bits_edits_and_gradients_of_the_plain_module() {
    let device = device();
    let net = Recurrent {
        lstm: LstmConfig::new(4, 6, true).init(&device),
        gru: GruConfig::new(6, 6, true).init(&device),
        head: LinearConfig::new(6, 3).init(&device),
    };
    let x = random([2, 5, 4]);
    check(&["h", "last", "hook_x", "x_hook", "logits"], || net.forward(x.clone()), || net.plain(x.clone()));
}

#[test]
fn an_encoder_has_the_bits_edits_and_gradients_of_the_plain_module() {
    let device = device();
    let net = Encoder {
        transformer: TransformerEncoderConfig::new(8, 16, 2, 2).with_dropout(0.0).init(&device),
        ln_f: LayerNormConfig::new(8).init(&device),
    };
    let x = random([2, 4, 8]);
    check(&["h", "layers"], || net.forward(x.clone()), || net.plain(x.clone()));
}
