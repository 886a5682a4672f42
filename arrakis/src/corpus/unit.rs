//! A unit: anything that gives one number for each token, such as a neuron.

use std::fmt::Display;

use arrakis_models::site::{self, Axis, Extent};
use arrakis_models::{Activation, HookedTransformer, SitePattern};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::site_name::full_name;
use crate::error::{Error, Result};

/// A neuron, a head, a direction, or an entry of any site: one number for each token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    site: String,
    reading: Reading,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Reading {
    /// An entry of the axes after the position, row-major.
    Entry(usize),
    /// The norm of what a head writes.
    Head { layer: usize, head: usize },
    /// The product with a vector.
    Direction(Vec<f32>),
}

impl Unit {
    /// A neuron after its activation function: an entry of `blocks.{layer}.mlp.post`.
    pub fn neuron(layer: usize, neuron: usize) -> Self {
        Self::entry(site::mlp_post(layer), neuron)
    }

    /// The Euclidean norm of what a head writes into the residual stream, `z W_O` without the bias.
    pub fn head(layer: usize, head: usize) -> Self {
        Self { site: site::z(layer).to_string(), reading: Reading::Head { layer, head } }
    }

    /// The product of a site with a vector, such as a direction of the residual stream. The vector is as long as the axes
    /// after the position together and is used as it is: make it a unit vector to read a projection.
    pub fn direction(site: impl Display, vector: impl Into<Vec<f32>>) -> Self {
        Self { site: full_name(&site.to_string()), reading: Reading::Direction(vector.into()) }
    }

    /// An entry of any site, such as a latent of a dictionary that is spliced in. Axes after the position count
    /// row-major.
    pub fn entry(site: impl Display, index: usize) -> Self {
        Self { site: full_name(&site.to_string()), reading: Reading::Entry(index) }
    }

    /// The site it is read from.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The entry, if it is one.
    pub(super) fn index(&self) -> Option<usize> {
        if let Reading::Entry(index) = self.reading { Some(index) } else { None }
    }

    /// Its name: `L3N117`, `L9H6`, `blocks.3.sae.acts[5]`, or `direction at blocks.3.resid_post`.
    pub fn label(&self) -> String {
        match &self.reading {
            Reading::Head { layer, head } => format!("L{layer}H{head}"),
            Reading::Direction(_) => format!("direction at {}", self.site),
            Reading::Entry(index) => match neuron_layer(&self.site) {
                Some(layer) => format!("L{layer}N{index}"),
                None => format!("{}[{index}]", self.site),
            },
        }
    }

    /// Checks that a model has it.
    ///
    /// # Errors
    ///
    /// An unknown site with the nearest; a site without one vector for each token, such as a pattern; an index out of
    /// range; a vector of another length, without direction or not finite.
    pub fn check(&self, model: &HookedTransformer) -> Result<()> {
        let table = model.site_table();
        let sites = model.sites();
        SitePattern::new(&self.site).select(sites.iter().map(String::as_str))?;
        let axes = table.axes(&self.site).unwrap_or_default();
        if axes.get(1) != Some(&Axis::Pos) || axes[2..].iter().any(|axis| axis.is_of_prompt()) {
            return Err(refuse(format!("`{}` has no vector for each token; name a site `[b, p, ..]`", self.site)));
        }
        let width: usize = table.dims(model.config(), &self.site, Extent::new(1, 1)).iter().product();
        let outside = |what, asked, length| Err(arrakis_models::Error::out_of_range(what, asked, length).into());
        match &self.reading {
            Reading::Entry(index) if *index >= width => outside("entry", *index, width),
            Reading::Head { head, .. } if *head >= model.config().n_heads => {
                outside("head", *head, model.config().n_heads)
            }
            Reading::Direction(vector) if vector.len() != width => Err(refuse(format!(
                "a direction of {} numbers does not fit `{}`, which has {width} for each token",
                vector.len(),
                self.site
            ))),
            Reading::Direction(vector) if !vector.iter().all(|x| x.is_finite()) || vector.iter().all(|x| *x == 0.0) => {
                Err(refuse("a direction needs finite numbers that are not all zero".into()))
            }
            _ => Ok(()),
        }
    }

    /// The unit's number at every position, `[batch, pos]`, in the units of its site. Gradients flow through it.
    ///
    /// # Errors
    ///
    /// An activation of another shape than the site's.
    pub fn read(&self, model: &HookedTransformer, activation: &Activation) -> Result<Tensor<2>> {
        let dims = activation.dims();
        let width: usize = dims[2..].iter().product();
        let flat = activation.to_flat()?.reshape([dims[0] * dims[1], width]);
        let read = match &self.reading {
            Reading::Entry(index) => flat.narrow(1, *index, 1),
            Reading::Direction(vector) => {
                let vector = TensorData::new(vector.clone(), [width, 1]);
                flat.clone().matmul(Tensor::from_data(vector, &flat.device()))
            }
            Reading::Head { layer, head } => {
                let [_, d_head, d_model] = model.w_o(*layer)?.dims();
                let w_o = model.w_o(*layer)?.narrow(0, *head, 1).reshape([d_head, d_model]);
                let written = flat.narrow(1, head * d_head, d_head).matmul(w_o);
                // The root has no slope at 0, so a head that writes nothing stays a little above it.
                ((written.clone() * written).sum_dim(1) + 1e-24).sqrt()
            }
        };
        Ok(read.reshape([dims[0], dims[1]]))
    }
}

fn neuron_layer(site: &str) -> Option<&str> {
    site.strip_prefix("blocks.")?.strip_suffix(".mlp.post")
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Unit", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::testing::model;
    use arrakis_models::device;

    #[test]
    fn a_unit_by_hand() {
        let model = model();
        let cache = model.capture([1, 2, 3], ["blocks.1.mlp.post", "blocks.1.attn.z", "blocks.1.attn.result"]).unwrap();
        let read = |unit: &Unit| {
            unit.check(&model).unwrap();
            device::read(unit.read(&model, cache.activation(unit.site()).unwrap()).unwrap()).unwrap()
        };
        let post = cache.activation("blocks.1.mlp.post").unwrap().to_vec().unwrap();
        let width = model.config().d_mlp;
        let neuron = read(&Unit::neuron(1, 5));
        assert_eq!(neuron, [post[5], post[width + 5], post[2 * width + 5]]);
        let mut twice = vec![0.0; width];
        twice[5] = 2.0;
        assert_eq!(read(&Unit::direction("blocks.1.mlp.hook_post", twice)), neuron.map_vec(|x| 2.0 * x));
        let result = cache.activation("blocks.1.attn.result").unwrap().to_vec().unwrap();
        let (heads, d_model) = (model.config().n_heads, model.config().d_model);
        for (pos, norm) in read(&Unit::head(1, 2)).iter().enumerate() {
            let written = &result[(pos * heads + 2) * d_model..][..d_model];
            let expected = written.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!((norm - expected).abs() < 1e-5, "{norm} {expected}");
        }
    }

    trait MapVec {
        fn map_vec(&self, map: impl Fn(f32) -> f32) -> Vec<f32>;
    }

    impl MapVec for Vec<f32> {
        fn map_vec(&self, map: impl Fn(f32) -> f32) -> Vec<f32> {
            self.iter().map(|x| map(*x)).collect()
        }
    }

    #[test]
    fn a_unit_has_a_name_and_mistakes_are_named() {
        let labels =
            [Unit::neuron(3, 117), Unit::head(9, 6), Unit::entry("blocks.3.resid_post", 5)].map(|unit| unit.label());
        assert_eq!(labels, ["L3N117", "L9H6", "blocks.3.resid_post[5]"]);
        let model = model();
        let said = |unit: Unit| unit.check(&model).unwrap_err().to_string();
        assert_eq!(said(Unit::neuron(0, 48)), "entry 48 is out of range: there are 48, numbered from 0");
        assert_eq!(said(Unit::head(0, 3)), "head 3 is out of range: there are 3, numbered from 0");
        assert_eq!(
            said(Unit::direction("blocks.0.resid_post", vec![1.0])),
            "`Unit`: a direction of 1 numbers does not fit `blocks.0.resid_post`, which has 12 for each token"
        );
        assert_eq!(
            said(Unit::entry("blocks.0.attn.pattern", 0)),
            "`Unit`: `blocks.0.attn.pattern` has no vector for each token; name a site `[b, p, ..]`"
        );
        assert!(said(Unit::neuron(7, 0)).starts_with("no site fits `blocks.7.mlp.post`"));
    }
}
