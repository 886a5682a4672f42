//! A module spliced into a model's runs. It replaces the tensor at a site, and its own sites join the model's.

use std::fmt;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;

use super::path::enter;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::parameters::parameters;
use crate::hooks::tensor::pattern::SitePattern;
use crate::site::Axis;

type Forward = dyn Fn(Activation) -> Result<Activation> + Send + Sync;

/// A module that replaces the tensor at each site that its pattern selects by its own output.
///
/// Its forward runs in the scope of that site, under the splice's name. In a splice `sae` at `blocks.3.resid_post`, the
/// tensor `acts` of the `#[hooked]` forward is the site `blocks.3.sae.acts`, if [`Splice::site`] declares its axes. Other
/// tensors of the module are not sites.
///
/// ```
/// # extern crate arrakis_models as arrakis;
/// use arrakis_macros::hooked;
/// use arrakis_models::hooks::Splice;
/// use arrakis_models::site::Axis;
/// use arrakis_models::{HookedAutoModel, Intervention};
/// use burn::module::{Module, Param};
/// use burn::tensor::{Tensor, activation};
///
/// #[derive(Module, Debug)]
/// struct Dictionary {
///     encoder: Param<Tensor<2>>,
/// }
///
/// impl Dictionary {
///     #[hooked]
///     fn forward(&self, x: Tensor<3>) -> Tensor<3> {
///         let acts = activation::relu(x.matmul(self.encoder.val().unsqueeze()));
///         acts.matmul(self.encoder.val().transpose().unsqueeze())
///     }
/// }
///
/// # fn main() -> arrakis_models::Result<()> {
/// let model = HookedAutoModel::embedded()?;
/// let encoder = Tensor::ones([model.config().d_model, 8], model.device());
/// let dictionary = Dictionary { encoder: Param::from_tensor(encoder) };
/// let latents = [Axis::Batch, Axis::Pos, Axis::Other { name: "latent", length: 8 }];
/// let splice = Splice::new("sae", "blocks.0.resid_post", dictionary, Dictionary::forward);
/// let model = model.spliced([splice.site("acts", &latents, "latents of the stream")])?;
///
/// let (_, cache) = model.run_with_cache([1, 2, 3], ["blocks.0.sae.acts"])?;
/// assert_eq!(cache.get::<3>("blocks.0.sae.acts")?.dims(), [1, 3, 8]);
/// let ablated = Intervention::zero().features([5]).positions([-1]);
/// let logits = model.run_with_hooks([1, 2, 3], [("blocks.0.sae.acts", ablated)])?;
/// # assert_eq!(logits.dims()[1], 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Splice {
    pub(super) name: String,
    pub(super) at: SitePattern,
    /// Number of axes of its input.
    pub(super) rank: usize,
    forward: Arc<Forward>,
    pub(super) sites: Vec<OwnSite>,
    parameters: Vec<(String, Activation)>,
    /// What else its output depends on.
    settings: String,
    /// Of a dictionary: whether it was trained on activations of processed weights.
    processed: Option<bool>,
}

/// A site of the module.
#[derive(Clone)]
pub(super) struct OwnSite {
    /// Its path in the module.
    pub(super) path: String,
    pub(super) axes: Vec<Axis>,
    pub(super) meaning: String,
}

impl Splice {
    /// A module with a name, at the sites that a pattern selects. `forward` keeps the shape and treats the rows of the
    /// batch independently.
    ///
    /// The model's fingerprint covers the name, the places and the parameters. It does not cover the code of `forward`
    /// or a setting that is not a parameter: add such a setting with [`Splice::setting`].
    pub fn new<M: Module + Send + Sync + 'static, const D: usize>(
        name: &str,
        at: impl Into<SitePattern>,
        module: M,
        forward: impl Fn(&M, Tensor<D>) -> Tensor<D> + Send + Sync + 'static,
    ) -> Self {
        let parameters = parameters(&module);
        let forward = move |value: Activation| Ok(Activation::new(forward(&module, value.tensor::<D>()?)));
        Self {
            name: name.to_owned(),
            at: at.into(),
            rank: D,
            forward: Arc::new(forward),
            sites: Vec::new(),
            parameters,
            settings: String::new(),
            processed: None,
        }
    }

    /// The same for a forward that may fail, on tensors of `rank` axes, with the parameters of a module.
    pub(crate) fn of_any<M: Module>(
        name: &str,
        at: impl Into<SitePattern>,
        rank: usize,
        module: &M,
        forward: impl Fn(Activation) -> Result<Activation> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            at: at.into(),
            rank,
            forward: Arc::new(forward),
            sites: Vec::new(),
            parameters: parameters(module),
            settings: String::new(),
            processed: None,
        }
    }

    /// Adds what the output depends on besides the parameters, such as the `k` of a top-k dictionary, to the fingerprint of
    /// the model.
    #[must_use]
    pub fn setting(mut self, settings: &str) -> Self {
        self.settings.push_str(settings);
        self
    }

    /// Declares a site of the module: its path in the module, its axes and its meaning.
    #[must_use]
    pub fn site(mut self, path: &str, axes: &[Axis], meaning: &str) -> Self {
        self.sites.push(OwnSite { path: path.to_owned(), axes: axes.to_vec(), meaning: meaning.to_owned() });
        self
    }

    /// Says whether what it was trained on were activations of processed weights.
    #[must_use]
    pub(crate) fn trained_on_processed(self, processed: bool) -> Self {
        Self { processed: Some(processed), ..self }
    }

    /// Whether it was trained on activations of processed weights, if it is a dictionary's.
    pub(crate) fn processed(&self) -> Option<bool> {
        self.processed
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sites that it is at.
    pub(crate) fn at(&self) -> String {
        self.at.to_string()
    }

    /// What its output depends on besides the parameters.
    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    /// The parameters of the module by path.
    pub(crate) fn parameters(&self) -> &[(String, Activation)] {
        &self.parameters
    }

    pub(super) fn apply(&self, host: &str, value: Activation) -> Result<Activation> {
        let expected = value.dims().to_vec();
        let _scope = enter(format_args!("{}", self.name));
        let new = (self.forward)(value)?;
        if new.dims() == expected {
            return Ok(new);
        }
        Err(Error::EditShape { site: host.to_owned(), expected, actual: new.dims().to_vec() })
    }
}

impl fmt::Debug for Splice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Splice({} at {})", self.name, self.at)
    }
}
