//! A cross-layer dictionary spliced into the runs of a model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::CrossLayer;
use crate::dictionary::Splicing;
use crate::dictionary::shapes::{check_axis, joined, widened};
use crate::error::{Error, Result};
use crate::hooks::{self, Activation, Splice};
use crate::site::{Axis, Site};

impl CrossLayer {
    /// The splices that join it to a model's runs at the sites that its config names: each layer's latents are read at its
    /// own site, and with those of the layers before it they replace the tensor that it predicts. Sites: `acts` `[batch, pos,
    /// latent]` where a layer reads (`blocks.3.sae_in.acts`, or `blocks.3.sae.acts` if it writes there too), `recon` `[batch, pos,
    /// width]` where it writes, and with the error term `error`.
    ///
    /// Weights are read from the files in each run, a layer at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] without a config that names sites; those of the files.
    pub fn splices(&self, splicing: &Splicing) -> Result<Vec<Splice>> {
        let sites = self.sites()?.ok_or_else(|| Error::Setting {
            setting: "sites of a cross-layer dictionary",
            value: "not known".into(),
            fix: "no config beside its files names them; name them with `splices_at`".into(),
        })?;
        self.splices_at(&sites, splicing)
    }

    /// The same at sites that are named: for each layer the one that is read, and the one that is written. They may be one.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for another number of layers, and those of the files.
    pub fn splices_at(&self, sites: &[[Site; 2]], splicing: &Splicing) -> Result<Vec<Splice>> {
        if sites.len() != self.layers {
            let what = "pairs of sites, one for each layer".into();
            return Err(Error::Count { what, expected: self.layers, actual: sites.len() });
        }
        let handed = Handed::default();
        let mut all = Vec::new();
        for (layer, [input, output]) in sites.iter().enumerate() {
            let own = Layer { of: self.clone(), index: layer, handed: handed.clone(), error_term: splicing.error_term };
            all.extend(own.splices(*input, *output, splicing)?);
        }
        Ok(all)
    }
}

/// What a layer handed to those that write.
#[derive(Clone, Debug)]
struct Read {
    /// What a skip connection reads.
    x: Tensor<3>,
    /// The latents as they were encoded, if they were edited.
    clean: Option<Tensor<3>>,
    acts: Tensor<3>,
}

/// What the layers of a run so far have read. Runs of other threads do not see it.
#[derive(Clone, Debug, Default)]
struct Handed(Arc<Mutex<HashMap<(ThreadId, usize), Read>>>);

impl Handed {
    fn put(&self, layer: usize, read: Read) {
        let own = std::thread::current().id();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of a run before this one.
        all.retain(|(thread, other), _| *thread != own || *other < layer);
        all.insert((own, layer), read);
    }

    /// Drops what this thread's run has read.
    fn clear(&self) {
        let own = std::thread::current().id();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(thread, _), _| *thread != own);
    }

    /// Of the first layers up to this one; `None` if one is missing.
    fn up_to(&self, layer: usize) -> Option<Vec<Read>> {
        let own = std::thread::current().id();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..=layer).map(|layer| all.get(&(own, layer)).cloned()).collect()
    }
}

/// A layer in a run.
#[derive(Clone, Debug)]
struct Layer {
    of: CrossLayer,
    index: usize,
    handed: Handed,
    error_term: bool,
}

/// What a layer is told apart by: its biases and thresholds. Its other weights are as large as a model's.
#[derive(Module, Debug)]
struct Known {
    b_enc: Param<Tensor<1>>,
    b_dec: Param<Tensor<1>>,
}

impl Layer {
    fn splices(self, input: Site, output: Site, splicing: &Splicing) -> Result<Vec<Splice>> {
        let (b_enc, b_dec) = self.of.biases(self.index)?;
        let known = Known { b_enc: Param::from_tensor(b_enc), b_dec: Param::from_tensor(b_dec) };
        let latents = [Axis::Batch, Axis::Pos, Axis::Other { name: "latent", length: self.of.d_sae }];
        let width = [Axis::Batch, Axis::Pos, Axis::Other { name: "width", length: self.of.d_out }];
        let settings = format!("{:?} {} error term {}", self.of.shape(), self.index, self.error_term);
        let written = |splice: Splice| {
            let splice = splice.site("recon", &width, "what the latents of this layer and those before it write");
            if splicing.error_term {
                splice.site("error", &width, "what the dictionary does not reconstruct")
            } else {
                splice
            }
        };
        let read = |splice: Splice| {
            let splice = splice.site("acts", &latents, "latents of this layer").setting(&settings);
            splice.trained_on_processed(false)
        };
        if input == output {
            let both = Splice::of_any(&splicing.name, input, 3, &known, move |value| {
                let x = value.tensor::<3>()?;
                self.reads(x.clone())?;
                Ok(Activation::new(self.writes(x)?))
            });
            return Ok(vec![written(read(both))]);
        }
        let own = self.clone();
        let reads = Splice::of_any(&format!("{}_in", splicing.name), input, 3, &known, move |value| {
            own.reads(value.tensor::<3>()?)?;
            Ok(value)
        });
        let writes = Splice::of_any(&splicing.name, output, 3, &known, move |value| {
            Ok(Activation::new(self.writes(value.tensor::<3>()?)?))
        });
        Ok(vec![read(reads), written(writes).setting(&settings)])
    }

    /// Reads the latents of this layer.
    fn reads(&self, x: Tensor<3>) -> Result<()> {
        let dims = x.dims();
        check_axis("d_in", self.of.d_in, dims[2], &dims)?;
        let latents = widened(self.of.encode(self.index, joined(x.clone()))?, dims);
        let clean = hooks::edited("acts").then(|| latents.clone());
        self.handed.put(self.index, Read { x, clean, acts: self.seen(latents) });
        Ok(())
    }

    /// What stands at the site that is written, instead of `target`.
    fn writes(&self, target: Tensor<3>) -> Result<Tensor<3>> {
        let dims = target.dims();
        check_axis("d_out", self.of.d_out, dims[2], &dims)?;
        let handed = self.handed.up_to(self.index);
        let handed = handed.filter(|all| all.iter().all(|read| read.x.dims()[..2] == dims[..2])).ok_or_else(|| {
            Error::Unsupported {
                what: format!("layer {} of the cross-layer dictionary", self.index),
                why: "the run did not meet the sites that earlier layers read; start it before them".into(),
            }
        })?;
        if self.index + 1 == self.of.layers {
            self.handed.clear();
        }
        let latents = self.predicted(&handed, dims, |read| &read.acts)?;
        if !self.error_term {
            return Ok(self.written(latents));
        }
        let clean = if handed.iter().any(|read| read.clean.is_some()) {
            self.predicted(&handed, dims, |read| read.clean.as_ref().unwrap_or(&read.acts))?
        } else {
            latents.clone()
        };
        Ok(self.with_error(latents, clean.detach(), target))
    }

    /// What latents write, with the skip connection.
    fn predicted(&self, handed: &[Read], dims: [usize; 3], of: fn(&Read) -> &Tensor<3>) -> Result<Tensor<3>> {
        let acts: Vec<Tensor<2>> = handed.iter().map(|read| joined(of(read).clone())).collect();
        let decoded = self.of.decode(&acts)?;
        let skipped = self.of.skipped(self.index, joined(handed[self.index].x.clone()))?;
        Ok(widened(skipped.map_or(decoded.clone(), |skipped| decoded + skipped), dims))
    }

    /// The latents of a layer, where they can be edited.
    #[allow(clippy::unused_self, reason = "sites are of a module")]
    #[hooked]
    fn seen(&self, latents: Tensor<3>) -> Tensor<3> {
        let acts = latents;
        acts
    }

    /// What latents write, where it can be edited.
    #[allow(clippy::unused_self, reason = "sites are of a module")]
    #[hooked]
    fn written(&self, latents: Tensor<3>) -> Tensor<3> {
        let recon = latents;
        recon
    }

    /// The same with what is not reconstructed added back: the target itself, to the bit, unless an edit changed something.
    #[allow(clippy::unused_self, reason = "sites are of a module")]
    #[hooked(skip(rest))]
    fn with_error(&self, latents: Tensor<3>, clean: Tensor<3>, target: Tensor<3>) -> Tensor<3> {
        let recon = latents;
        let rest = target.clone().detach() - clean.clone();
        let error = rest.clone();
        target.detach() + (recon - clean) + (error - rest)
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView, serialize};

    use super::*;
    use crate::config::TransformerConfig;
    use crate::dictionary::testing::{close, read};
    use crate::hooks::{Edit, Intervention};
    use crate::model::{HookedAutoModel, HookedTransformer};
    use crate::site;

    const WIDTH: usize = 12;
    const LATENTS: usize = 9;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, WIDTH, 3, 20, 16), 1).unwrap()
    }

    fn numbers(seed: usize, count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7919 + seed * 104_729) % 1009) as f32 / 1009.0 - 0.5).collect()
    }

    /// Three layers as Gemma Scope 2 stores them.
    fn saved(folder: &std::path::Path) -> CrossLayer {
        for layer in 0..3 {
            let shapes: [(&str, &[usize]); 5] = [
                ("w_enc", &[WIDTH, LATENTS]),
                ("b_enc", &[LATENTS]),
                ("threshold", &[LATENTS]),
                ("w_dec", &[LATENTS, 3, WIDTH]),
                ("b_dec", &[WIDTH]),
            ];
            let bytes = shapes.map(|(name, shape)| {
                let values = numbers(layer * 10 + name.len(), shape.iter().product());
                let values = values.into_iter().map(|x| if name == "threshold" { x.abs() * 0.1 } else { x });
                (name, shape, values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
            });
            let views = bytes
                .iter()
                .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
            std::fs::write(folder.join(format!("params_layer_{layer}.safetensors")), serialize(views, None).unwrap())
                .unwrap();
        }
        CrossLayer::open(folder, Some("cpu")).unwrap()
    }

    fn streams(layers: &[usize]) -> Vec<[Site; 2]> {
        layers.iter().map(|layer| [site::resid_post(*layer), site::resid_post(*layer)]).collect()
    }

    fn mlps() -> Vec<[Site; 2]> {
        (0..3).map(|layer| [site::resid_mid(layer), site::mlp_out(layer)]).collect()
    }

    #[test]
    fn with_the_error_term_nothing_changes_until_a_latent_is_edited() {
        let folder = tempfile::tempdir().unwrap();
        let own = saved(folder.path());
        for sites in [mlps(), streams(&[0, 1, 2])] {
            let spliced = model().spliced(own.splices_at(&sites, &Splicing::default().named("clt")).unwrap()).unwrap();
            let plain = read(model().forward([1, 2, 3]).unwrap());
            assert_eq!(read(spliced.forward([1, 2, 3]).unwrap()), plain);
            let acts = spliced.sites().into_iter().find(|site| site.ends_with("acts")).unwrap();
            let edited = spliced.run_with_hooks([1, 2, 3], [(acts.as_str(), Intervention::set(3.0))]).unwrap();
            assert_ne!(read(edited), plain);
            assert_eq!(read(spliced.forward([1, 2, 3]).unwrap()), plain, "a run leaves nothing behind");
        }
    }

    /// A latent of layer 0 adds its directions to every later layer that is written.
    #[test]
    fn a_latent_writes_into_every_later_layer_along_its_directions() {
        let folder = tempfile::tempdir().unwrap();
        let own = saved(folder.path());
        let spliced = model().spliced(own.splices_at(&mlps(), &Splicing::default().named("clt")).unwrap()).unwrap();
        let more = Edit::any("more", |value, _| Ok(crate::hooks::Activation::new(value.tensor::<3>()? + 2.0)));
        let site =
            spliced.sites().into_iter().find(|site| site.starts_with("blocks.0.") && site.ends_with("acts")).unwrap();
        let outs = ["blocks.0.mlp_out"];
        let (_, before) = spliced.run_with_cache([1, 2, 3], outs).unwrap();
        let plan = crate::hooks::Plan::new().edit(site.as_str(), more).capture(outs[0]);
        let after = spliced.run([1, 2, 3], plan).unwrap();
        let moved = after.cache.get::<3>(outs[0]).unwrap() - before.get::<3>(outs[0]).unwrap();
        let direction = own.decoder(0, 0).unwrap().sum_dim(0) * 2.0;
        let expected = direction.unsqueeze::<3>().expand([1, 3, WIDTH]);
        close(&read(moved), &read(expected));
    }

    #[test]
    fn without_it_the_model_goes_on_with_what_is_predicted() {
        let folder = tempfile::tempdir().unwrap();
        let own = saved(folder.path());
        let splicing = Splicing::default().named("clt").reconstruction();
        let spliced = model().spliced(own.splices_at(&mlps(), &splicing).unwrap()).unwrap();
        let (_, cache) = spliced.run_with_cache([1, 2, 3], ["resid_mid0", "resid_mid1", "blocks.1.mlp_out"]).unwrap();
        let flat = |name: &str| cache.get::<3>(name).unwrap().reshape([3, WIDTH]);
        let acts = [own.encode(0, flat("resid_mid0")).unwrap(), own.encode(1, flat("resid_mid1")).unwrap()];
        close(&read(flat("blocks.1.mlp_out")), &read(own.decode(&acts).unwrap()));
    }

    #[test]
    fn sites_that_are_not_known_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let own = saved(folder.path());
        assert_eq!(
            own.splices(&Splicing::default()).unwrap_err().to_string(),
            "`sites of a cross-layer dictionary` is not known: no config beside its files names them; name them with `splices_at`"
        );
        let said = own.splices_at(&streams(&[0]), &Splicing::default()).unwrap_err().to_string();
        assert_eq!(said, "expected 3 pairs of sites, one for each layer, got 1");
    }
}
