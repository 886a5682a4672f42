//! Modules spliced into every run of a model.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::HookedTransformer;
use super::trained_on::other_weights;
use crate::error::Result;
use crate::ground::warnings::warn_once;
use crate::hooks::{Splice, Splices, hash_tensor};
use crate::site::{self, Site, SiteTable};

impl HookedTransformer {
    /// The same model with modules spliced into its runs: see [`Splice`] for an example.
    ///
    /// - A splice runs at every site that its pattern selects. Several at one site run in the order given, and edits of
    ///   the site apply after them.
    /// - Its sites are the model's: they can be listed, captured, edited, differentiated and swept.
    /// - It acts in runs only. [`HookedTransformer::net`] and saved files hold the network without it.
    /// - When text is generated with a key-value cache, it sees only the new tokens.
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownSite`](crate::Error::UnknownSite): its pattern selects no site.
    /// - [`Error::Rank`](crate::Error::Rank): its forward takes a tensor with another number of axes.
    /// - [`Error::Setting`](crate::Error::Setting): the model's forward does not read the site.
    /// - [`Error::AddedSite`](crate::Error::AddedSite): a name is taken or not valid, or the axes lack a position.
    pub fn spliced(&self, splices: impl IntoIterator<Item = Splice>) -> Result<Self> {
        let mut all = (*self.splices).clone();
        for splice in splices {
            let own = splice.processed();
            if let Some(text) = own.and_then(|own| other_weights(&splice.at(), own, self.is_processed())) {
                warn_once(&text);
            }
            all = all.with(&splice, self.config())?;
        }
        Ok(self.clone().with_splices(Arc::new(all)))
    }

    pub(super) fn with_splices(self, splices: Arc<Splices>) -> Self {
        Self { splices, fingerprint: Arc::default(), ..self }
    }

    /// Whether the model has splices.
    pub fn has_splices(&self) -> bool {
        !self.splices.is_empty()
    }

    /// Whether a module is spliced into the stream where it enters a block.
    pub(crate) fn has_splices_at_entries(&self) -> bool {
        let entry =
            |host: &str| Site::named(host).is_some_and(|site| site.row().name == site::row(site::resid_pre).name);
        self.splices.iter().any(|(host, _)| entry(host))
    }

    /// Every site of the model with its axes and place: those of the built-in table and those that splices add.
    pub fn site_table(&self) -> Arc<SiteTable> {
        Arc::clone(self.splices.sites())
    }

    /// Adds the splices to a digest. A model without splices adds nothing.
    pub(super) fn hash_splices(&self, digest: &mut Sha256) -> Result<()> {
        for (host, splice) in self.splices.iter() {
            digest.update(format!("splice {} at {host}\n", splice.name()));
            if !splice.settings().is_empty() {
                digest.update(format!("settings {}\n", splice.settings()));
            }
            for (path, parameter) in splice.parameters() {
                digest.update(format!("{path} {:?}\n", parameter.dims()));
                hash_tensor(digest, parameter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrakis_macros::hooked;
    use burn::module::{Module, Param};
    use burn::tensor::{Device, Tensor, activation};

    use super::*;
    use crate::config::TransformerConfig;
    use crate::device::read;
    use crate::hooks::{Capture, Edit, Intervention, Plan, Reduction};
    use crate::model::{HookedAutoModel, RunOptions};
    use crate::site::Axis;

    const LATENTS: usize = 5;
    const LATENT: Axis = Axis::Other { name: "latent", length: LATENTS };

    /// Latents and what they say of the stream: a dictionary's shape.
    #[derive(Module, Debug)]
    struct Dictionary {
        encoder: Param<Tensor<2>>,
    }

    impl Dictionary {
        fn new(scale: f32) -> Self {
            let values: Vec<f32> = (0..12 * LATENTS).map(|i| scale * ((i * 7 % 11) as f32 - 5.0)).collect();
            let flat = Tensor::<1>::from_floats(values.as_slice(), &Device::flex());
            Self { encoder: Param::from_tensor(flat.reshape([12, LATENTS])) }
        }

        #[hooked]
        fn forward(&self, x: Tensor<3>) -> Tensor<3> {
            let acts = activation::relu(x.clone().matmul(self.encoder.val().unsqueeze()));
            let written = acts.matmul(self.encoder.val().transpose().unsqueeze());
            x + written
        }

        /// The same with its latents before its positions.
        #[hooked]
        fn turned(&self, x: Tensor<3>) -> Tensor<3> {
            let acts = activation::relu(x.clone().matmul(self.encoder.val().unsqueeze())).swap_dims(1, 2);
            x + acts.swap_dims(1, 2).matmul(self.encoder.val().transpose().unsqueeze())
        }
    }

    fn plain() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    fn dictionary(at: &str, scale: f32) -> Splice {
        Splice::new("sae", at, Dictionary::new(scale), Dictionary::forward)
            .site("acts", &[Axis::Batch, Axis::Pos, LATENT], "latents of the stream")
            .site("written", &[Axis::Batch, Axis::Pos, Axis::Model], "what the latents add")
    }

    fn turned(at: &str) -> Splice {
        Splice::new("sae", at, Dictionary::new(0.1), Dictionary::turned).site(
            "acts",
            &[Axis::Batch, LATENT, Axis::Pos],
            "latents of the stream",
        )
    }

    fn with(splice: Splice) -> HookedTransformer {
        plain().spliced([splice]).unwrap()
    }

    /// One logit at the last of three positions.
    #[allow(clippy::unnecessary_wraps, reason = "a metric may fail")]
    fn metric(logits: Tensor<3>) -> Result<Tensor<1>> {
        Ok(logits.narrow(1, 2, 1).narrow(2, 3, 1).reshape([-1]))
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + a.abs()))
    }

    #[test]
    fn a_spliced_site_is_listed_captured_and_edited() {
        let model = with(dictionary("blocks.1.resid_post", 0.1));
        let names = model.sites();
        let at = names.iter().position(|name| name == "blocks.1.sae.acts").unwrap();
        assert_eq!(names[at + 1..at + 3], ["blocks.1.sae.written", "blocks.1.resid_post"]);
        let (logits, cache) =
            model.run_with_cache([1, 2, 3], ["blocks.1.sae.*", "resid_post1", "blocks.1.{resid_mid,mlp_out}"]).unwrap();
        let acts = cache.get::<3>("blocks.1.sae.acts").unwrap();
        let host = cache.get::<3>("resid_mid1").unwrap() + cache.get::<3>("mlp_out1").unwrap();
        let encoder = Dictionary::new(0.1).encoder.val();
        let by_hand = activation::relu(host.clone().matmul(encoder.clone().unsqueeze()));
        assert!(close(&read(acts).unwrap(), &read(by_hand.clone()).unwrap()));
        let by_hand = host + by_hand.matmul(encoder.transpose().unsqueeze());
        let out = cache.activation("resid_post1").unwrap().to_vec().unwrap();
        assert!(close(&out, &read(by_hand).unwrap()), "the forward goes on with it");
        let silent = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", Intervention::zero())]).unwrap();
        let without = plain().forward([1, 2, 3]).unwrap();
        assert_eq!(read(silent).unwrap(), read(without.clone()).unwrap(), "without its latents it is the identity");
        assert_ne!(read(logits).unwrap(), read(without).unwrap());
    }

    #[test]
    fn edits_at_the_site_of_a_splice_take_what_it_gives() {
        let model = with(dictionary("blocks.0.resid_pre", 0.1));
        let clean = model.run_with_cache([1, 2], ["resid_pre0"]).unwrap().1;
        let plan = Plan::new().edit("resid_pre0", Edit::new(|x: Tensor<3>| x * 2.0)).capture("resid_pre0");
        let edited = model.run([1, 2], plan).unwrap().cache;
        let doubled = clean.get::<3>("resid_pre0").unwrap() * 2.0;
        assert_eq!(read(doubled).unwrap(), edited.activation("resid_pre0").unwrap().to_vec().unwrap());
    }

    #[test]
    fn later_splices_take_what_earlier_ones_give() {
        let second = Splice::new("twice", "blocks.1.resid_post", Dictionary::new(0.1), |_, x: Tensor<3>| x * 2.0);
        let once = with(dictionary("blocks.1.resid_post", 0.1));
        let both = once.spliced([second]).unwrap();
        let out = |model: &HookedTransformer| {
            model.run_with_cache([1, 2], ["resid_post1"]).unwrap().1.get::<3>("resid_post1").unwrap()
        };
        assert_eq!(read(out(&once) * 2.0).unwrap(), read(out(&both)).unwrap());
    }

    #[test]
    fn selections_and_captures_know_the_axes_of_a_spliced_site() {
        let (plain, turned) = (with(dictionary("blocks.*.resid_post", 0.1)), with(turned("blocks.*.resid_post")));
        let capture = || Capture::of("*.sae.acts").positions([-1]);
        let mean = || Capture::of("*.sae.acts").reduced(Reduction::Mean);
        for model in [&plain, &turned] {
            let plan = Plan::new().capture(capture());
            let cost = model.cost([1, 2, 3], &plan).unwrap();
            assert_eq!((cost.bytes(), cost.stop_at_layer), (4 * 3 * LATENTS as u64, Some(3)));
            assert_eq!(model.cost([1, 2, 3], &Plan::new().capture(mean())).unwrap().bytes(), cost.bytes());
        }
        let numbers = |model: &HookedTransformer, capture: Capture, name: &str| {
            model
                .run([1, 2, 3], Plan::new().capture(capture))
                .unwrap()
                .cache
                .activation(name)
                .unwrap()
                .to_vec()
                .unwrap()
        };
        for (capture, name) in [(capture(), "blocks.1.sae.acts"), (mean(), "blocks.1.sae.acts#mean")] {
            assert!(close(&numbers(&plain, capture.clone(), name), &numbers(&turned, capture, name)), "{name}");
        }
        let whole = |model: &HookedTransformer| model.run_with_cache([1, 2, 3], ["*.sae.acts"]).unwrap().1;
        let last = whole(&turned).last().unwrap().activation("blocks.1.sae.acts").unwrap().clone();
        assert_eq!(last.dims(), [1, LATENTS, 1]);
        assert!(close(&last.to_vec().unwrap(), &numbers(&plain, capture(), "blocks.1.sae.acts")));
        for edit in [Intervention::scale(3.0).positions([1]), Intervention::mean_over_positions().positions([0, -1])] {
            let run = |model: &HookedTransformer| {
                read(model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", edit.clone())]).unwrap()).unwrap()
            };
            assert!(close(&run(&plain), &run(&turned)), "{edit:?}");
        }
        let clean = read(turned.forward([1, 2, 3]).unwrap()).unwrap();
        let edit = Intervention::scale(3.0).positions([-1]);
        let one = read(turned.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", edit)]).unwrap()).unwrap();
        assert_eq!(one[..40], clean[..40], "earlier positions stay as they are");
        assert_ne!(one[40..], clean[40..]);
    }

    #[test]
    fn gradients_at_a_spliced_site_are_those_of_finite_differences() {
        for splice in [dictionary("blocks.1.resid_pre", 0.1), turned("blocks.1.resid_pre")] {
            let model = with(splice);
            let plan = Plan::new().grad("blocks.1.sae.acts").grad("blocks.0.resid_pre");
            let outcome = model.run([1, 2, 3], plan.clone()).unwrap();
            let found = outcome.gradients(metric(outcome.output.clone()).unwrap()).unwrap();
            for site in ["blocks.1.sae.acts", "blocks.0.resid_pre"] {
                let at = |step: f32| {
                    let moved = Edit::any("move", move |value, _| {
                        let dims = value.dims().to_vec();
                        let mut values = value.to_vec()?;
                        values[4] += step;
                        crate::hooks::Activation::from_vec(values, &dims, value.device())
                    });
                    let logits = model.run_with_hooks([1, 2, 3], [(site, moved)]).unwrap();
                    read(metric(logits).unwrap()).unwrap()[0]
                };
                let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
                let ours = found.activation(site).unwrap().to_vec().unwrap()[4];
                assert!(
                    ours != 0.0 && (numeric - ours).abs() < 1e-2 * (1.0 + numeric.abs()),
                    "{site}: {ours} {numeric}"
                );
            }
            let halved = plan.edit_gradient("blocks.1.sae.acts", Intervention::zero().positions([0, 1, 2]));
            let outcome = model.run([1, 2, 3], halved).unwrap();
            let without = outcome.gradients(metric(outcome.output.clone()).unwrap()).unwrap();
            let at =
                |cache: &crate::hooks::ActivationCache, site: &str| cache.activation(site).unwrap().to_vec().unwrap();
            assert_ne!(at(&without, "blocks.0.resid_pre"), at(&found, "blocks.0.resid_pre"));
            let of_parameters = model.parameter_gradients([1, 2, 3], Plan::new(), |x, _| metric(x.clone())).unwrap();
            assert_eq!(of_parameters.len(), model.parameters().len());
        }
    }

    #[test]
    fn a_forward_that_enters_at_a_block_equals_one_from_the_start() {
        for at in ["blocks.*.resid_pre", "blocks.*.resid_post", "blocks.1.resid_pre"] {
            let model = with(dictionary(at, 0.1));
            let clean = read(model.forward([1, 2, 3]).unwrap()).unwrap();
            for layer in 0..3 {
                let site = crate::site::resid_pre(layer);
                let cache = model.run_with_cache([1, 2, 3], [site]).unwrap().1;
                let start = Some((layer, cache.get::<3>(site).unwrap()));
                let resumed = model.run_from([1, 2, 3], Plan::new(), start, &RunOptions::default()).unwrap().output;
                assert!(close(&read(resumed).unwrap(), &clean), "{at} from {layer}");
            }
        }
    }

    #[test]
    fn a_sweep_of_a_spliced_model_equals_each_edit_alone() {
        let splices = [
            dictionary("blocks.*.resid_pre", 0.1),
            dictionary("blocks.*.resid_post", 0.1),
            turned("blocks.*.mlp_out"),
            Splice::new("sae", "embed", Dictionary::new(0.1), Dictionary::forward).site(
                "acts",
                &[Axis::Batch, Axis::Pos, LATENT],
                "latents of the embedding",
            ),
        ];
        for splice in splices {
            let model = with(splice);
            let mut sweep = model.sweep([1, 2, 3]).unwrap().quiet();
            let mut edits = Vec::new();
            for site in model.sites().into_iter().filter(|site| site.ends_with("sae.acts") || site.ends_with("attn.z"))
            {
                for edit in [Intervention::scale(3.0).positions([-1]), Intervention::zero(), Intervention::scale(1.0)] {
                    edits.push((site.clone(), edit));
                }
            }
            for (index, (site, edit)) in edits.iter().enumerate() {
                sweep = sweep.case(index.to_string(), site, edit.clone());
            }
            let found = sweep.run(metric).unwrap();
            for ((site, edit), got) in edits.into_iter().zip(found.means()) {
                let alone = model.run_with_hooks([1, 2, 3], [(site.clone(), edit)]).unwrap();
                let alone = f64::from(read(metric(alone).unwrap()).unwrap()[0]);
                assert!((got - alone).abs() < 1e-4, "{site}: {got} {alone}");
            }
        }
    }

    #[test]
    fn a_typo_is_told_the_nearest_name_of_both() {
        let model = with(dictionary("blocks.1.resid_post", 0.1));
        let said = |name: &str| model.run_with_cache([1], [name]).unwrap_err().to_string();
        assert!(said("blocks.1.sae.act").contains("did you mean `blocks.1.sae.acts`"));
        assert!(said("blocks.1.resid_pst").contains("did you mean `blocks.1.resid_post`"));
        assert!(said("blocks.2.sae.acts").contains("no site fits"), "it is spliced into block 1 alone");
    }

    #[test]
    fn a_splice_that_cannot_be_is_refused() {
        let said = |splice: Splice| plain().spliced([splice]).unwrap_err().to_string();
        assert!(said(dictionary("blocks.1.rsid_post", 0.1)).contains("did you mean `blocks.1.resid_post`"));
        assert!(said(dictionary("blocks.1.attn.result", 0.1)).contains("the forward does not read it"));
        let rank = said(dictionary("blocks.1.attn.z", 0.1));
        assert_eq!(rank, "asked for a tensor with 3 axes, but it has 4: [1, 1, 3, 4]");
        let taken = |module: &str| {
            format!(
                "cannot add the site `{module}`: the model has a module or site of this name; give the splice another"
            )
        };
        let named = |name: &str| Splice::new(name, "blocks.1.resid_post", Dictionary::new(0.1), Dictionary::forward);
        assert_eq!(said(named("attn")), taken("blocks.1.attn"));
        assert_eq!(said(named("resid_mid")), taken("blocks.1.resid_mid"));
        let twice = [dictionary("blocks.1.resid_post", 0.1), dictionary("blocks.1.resid_pre", 0.1)];
        assert_eq!(plain().spliced(twice).unwrap_err().to_string(), taken("blocks.1.sae"));
        assert!(said(named("a b").site("acts", &[Axis::Batch, Axis::Pos, LATENT], "")).contains("must be of letters"));
        let flat = said(named("sae").site("acts", &[Axis::Batch, LATENT], ""));
        assert!(flat.contains("its axes are [b, latent]; start with the batch"), "{flat}");
    }

    #[test]
    fn a_tensor_that_is_not_as_was_said_fails_the_run() {
        let said = |splice: Splice| with(splice).forward([1, 2]).unwrap_err().to_string();
        let at = "blocks.0.resid_post";
        let sae = || Splice::new("sae", at, Dictionary::new(0.1), Dictionary::forward);
        let advice = "give one axis for each of the tensor's, of its length";
        assert_eq!(
            said(sae().site("acts", &[Axis::Batch, Axis::Pos, Axis::Model], "")),
            format!(
                "cannot add the site `blocks.0.sae.acts`: its axes are [b, p, m], its tensor's shape is [1, 2, 5]; {advice}"
            )
        );
        assert!(said(sae().site("acts", &[Axis::Batch, Axis::Pos], "")).contains("its axes are [b, p], its"));
        let narrow = Splice::new("cut", at, Dictionary::new(0.1), |_, x: Tensor<3>| x.narrow(2, 0, 3));
        let shape = said(narrow);
        assert!(shape.contains("`blocks.0.resid_post`") && shape.contains("[1, 2, 3]"), "{shape}");
    }

    #[test]
    fn tensors_that_a_splice_does_not_declare_are_no_sites() {
        let model = with(turned("blocks.1.resid_post"));
        let undeclared = Splice::new("hidden", "blocks.0.resid_post", Dictionary::new(0.1), Dictionary::forward);
        let model = model.spliced([undeclared]).unwrap();
        let kept = model.run_with_cache([1, 2], ["*.acts"]).unwrap().1;
        assert_eq!(kept.sites().collect::<Vec<_>>(), ["blocks.1.sae.acts"]);
    }

    #[test]
    fn what_is_spliced_in_is_part_of_the_fingerprint_and_outlives_processing() {
        let of = |scale| with(dictionary("blocks.1.resid_post", scale)).fingerprint().unwrap();
        assert_ne!(of(0.1), plain().fingerprint().unwrap());
        assert_ne!(of(0.1), of(0.2));
        assert_eq!(of(0.1), of(0.1));
        let processed = plain().processed_as(plain().net().clone());
        let spliced = processed.spliced([dictionary("blocks.1.resid_post", 0.1)]).unwrap();
        assert_eq!(spliced.unprocessed().fingerprint().unwrap(), of(0.1));
        assert_eq!(processed.unprocessed().fingerprint().unwrap(), plain().fingerprint().unwrap());
    }
}
