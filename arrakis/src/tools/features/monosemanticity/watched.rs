//! A dictionary that looks on: its latents are a site of the run, and the activation passes as it is.

use arrakis_macros::hooked;
use arrakis_models::dictionary::Dictionary;
use arrakis_models::site::Axis;
use arrakis_models::{HookedTransformer, Splice};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::error::Result;

/// Its name in the run.
const NAME: &str = "watched";

#[derive(Module, Debug)]
struct Watched {
    dictionary: Dictionary,
}

impl Watched {
    #[hooked]
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let acts = self.dictionary.encode(x.clone()).expect("BUG: the width was checked");
        drop(acts);
        x
    }

    /// The same at a site with an axis of heads, which are joined.
    #[hooked(skip(dims, joined))]
    fn of_heads(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        let joined = x.clone().reshape([dims[0], dims[1], dims[2] * dims[3]]);
        let acts = self.dictionary.encode(joined).expect("BUG: the width was checked");
        drop(acts);
        x
    }
}

/// The model with a dictionary that looks at a site, and the site of its latents.
pub(super) fn watched(
    model: &HookedTransformer,
    dictionary: &Dictionary,
    site: &str,
) -> Result<(HookedTransformer, String)> {
    let latents = [Axis::Batch, Axis::Pos, Axis::Other { name: "latent", length: dictionary.config.d_sae }];
    let module = Watched { dictionary: dictionary.clone() };
    let heads = model.site_table().axes(site).is_some_and(|axes| axes.len() > 3);
    let splice = if heads {
        Splice::new(NAME, site, module, Watched::of_heads)
    } else {
        Splice::new(NAME, site, module, Watched::forward)
    };
    let splice = splice.site("acts", &latents, "latents of a dictionary");
    let scope = site.rsplit_once('.').map_or_else(String::new, |(scope, _)| format!("{scope}."));
    Ok((model.spliced([splice])?, format!("{scope}{NAME}.acts")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::baselines::random_dictionary;
    use crate::tools::testing::fixture;
    use arrakis_models::TensorRead as _;

    #[test]
    fn looking_changes_no_bit_and_shows_the_latents() {
        let (model, site) = (fixture("gpt2"), "blocks.0.resid_post");
        let width = model.config().d_model;
        let dictionary = random_dictionary(&vec![0.1; width], 30, 4, 1, model.device()).unwrap();
        let (with, acts) = watched(&model, &dictionary, site).unwrap();
        assert_eq!(acts, "blocks.0.watched.acts");
        assert_eq!(with.forward([1, 2, 3]).unwrap().read().unwrap(), model.forward([1, 2, 3]).unwrap().read().unwrap());
        let cache = with.capture([1, 2, 3], [acts.as_str(), site]).unwrap();
        let expected = dictionary.encode(cache.get::<3>(site).unwrap()).unwrap();
        assert_eq!(cache.get::<3>(acts.as_str()).unwrap().read().unwrap(), expected.read().unwrap());
    }
}
