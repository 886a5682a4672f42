//! Cross-layer transcoders: latents that read one layer and write to that layer and all later ones.
//!
//! `f_i = act(x_i W_enc,i + b_enc,i)`, `ŷ_l = Σ_{i ≤ l} f_i W_dec,i[:, l - i] + b_dec,l`. Files as circuit-tracer has them, a pair
//! a layer: `W_enc_{i}.safetensors` (`W_enc_{i}` `[d_sae, d_in]`, `b_enc_{i}`, `b_dec_{i}`, perhaps `threshold_{i}`) and
//! `W_dec_{i}.safetensors` (`[d_sae, n_layers - i, d_out]`). A layer is read when it is used, and dropped afterwards: memory
//! holds one. Source: Ameisen et al., "Circuit Tracing" (2025).

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData, activation};

use super::formats::load::split;
use super::formats::tensors::Tensors;
use super::loss::row;
use super::shapes::check_axis;
use super::straight_through::above;
use crate::checkpoint::{fetch_parts, fetch_parts_if_there};
use crate::device;
use crate::error::{Error, Result};
use crate::ground::files;
use crate::kernels;

/// A cross-layer transcoder in a folder.
#[derive(Clone, Debug)]
pub struct CrossLayer {
    folder: PathBuf,
    device: Device,
    layers: usize,
    d_in: usize,
    d_sae: usize,
    d_out: usize,
}

impl CrossLayer {
    /// Opens a folder, or fetches `owner/name/folder@revision` from the Hub: all its layers, which may be tens of gigabytes.
    ///
    /// # Errors
    ///
    /// As [`CrossLayer::open`], and [`Error::Hub`].
    pub fn from_pretrained(name: &str, device: Option<&str>) -> Result<Self> {
        if Path::new(name).exists() {
            return Self::open(Path::new(name), device);
        }
        let (id, inner) = split(name);
        let inner = inner.join("/");
        let files = |layer: usize| [format!("W_enc_{layer}.safetensors"), format!("W_dec_{layer}.safetensors")];
        let [encoder, decoder] = files(0);
        let folder = fetch_parts(&id, &inner, &[&[&encoder, &decoder, "config.yaml"]])?;
        for layer in 1.. {
            let [encoder, decoder] = files(layer);
            if fetch_parts_if_there(&id, &inner, &[&[&encoder, &decoder]])?.is_none() {
                break;
            }
        }
        Self::open(&folder, device)
    }

    /// Opens a folder. Only headers are read: they must agree.
    ///
    /// # Errors
    ///
    /// [`Error::File`] naming a file that is missing or a tensor that does not fit, and [`Error::Device`].
    pub fn open(folder: &Path, device: Option<&str>) -> Result<Self> {
        let device = device::choose(device)?.device;
        let mut layers = 0;
        while files::is_there(&encoder_file(folder, layers))? {
            layers += 1;
        }
        if layers == 0 {
            let problem = "no cross-layer transcoder lies there: give the folder with W_enc_0.safetensors and W_dec_0.safetensors";
            return Err(Error::file(folder, problem));
        }
        let mut own = Self { folder: folder.to_owned(), device, layers, d_in: 0, d_sae: 0, d_out: 0 };
        let first = own.tensors(&encoder_file(folder, 0))?;
        if let (Some(&[d_sae, d_in]), Some(&[d_out])) = (first.shape("W_enc_0"), first.shape("b_dec_0")) {
            (own.d_sae, own.d_in, own.d_out) = (d_sae, d_in, d_out);
        }
        if own.d_sae * own.d_in * own.d_out == 0 {
            return Err(Error::file(
                folder,
                "`W_enc_0` or `b_dec_0` is missing, empty or of another rank; download it again",
            ));
        }
        (0..layers).try_for_each(|layer| own.check(layer))?;
        Ok(own)
    }

    /// Number of layers.
    pub fn n_layers(&self) -> usize {
        self.layers
    }

    /// Number of latents of each layer.
    pub fn d_sae(&self) -> usize {
        self.d_sae
    }

    /// The latents of a layer: `[rows, d_in]` to `[rows, d_sae]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that there is not, [`Error::Axis`] for rows of another width, [`Error::File`].
    pub fn encode(&self, layer: usize, x: Tensor<2>) -> Result<Tensor<2>> {
        self.in_range(layer)?;
        let dims = x.dims();
        check_axis("d_in", self.d_in, dims[1], &dims)?;
        let mut tensors = self.tensors(&encoder_file(&self.folder, layer))?;
        let weight = tensors.turned(&format!("W_enc_{layer}"))?;
        let bias = tensors.vector(&format!("b_enc_{layer}"))?;
        let pre_acts = kernels::product(x, weight, Some(bias));
        let threshold = format!("threshold_{layer}");
        if !tensors.has(&threshold) {
            return Ok(activation::relu(pre_acts));
        }
        let threshold = tensors.data(&threshold)?;
        let threshold = Tensor::<1>::from_data(TensorData::new(floats(&threshold), [self.d_sae]), &self.device);
        Ok(pre_acts.clone() * above(&pre_acts, &threshold))
    }

    /// What the latents of layers 0 to `acts.len() - 1` write into the last of these: each `[rows, d_sae]`, to
    /// `[rows, d_out]`, with the bias of that layer.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] without latents, [`Error::OutOfRange`] for more layers than there are, [`Error::Axis`],
    /// [`Error::File`].
    pub fn decode(&self, acts: &[Tensor<2>]) -> Result<Tensor<2>> {
        let Some(layer) = acts.len().checked_sub(1) else {
            return Err(Error::Count { what: "layers of latents, from the first on".into(), expected: 1, actual: 0 });
        };
        self.in_range(layer)?;
        let bias = self.tensors(&encoder_file(&self.folder, layer))?.vector(&format!("b_dec_{layer}"))?;
        let mut sum: Tensor<2> = row(bias);
        for (from, acts) in acts.iter().enumerate() {
            let dims = acts.dims();
            check_axis("d_sae", self.d_sae, dims[1], &dims)?;
            sum = kernels::product(acts.clone(), self.decoder(from, layer)?, None) + sum;
        }
        Ok(sum)
    }

    /// The directions that the latents of one layer write into another, `[d_sae, d_out]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that there is not, or one that is written before it is read; [`Error::File`].
    pub fn decoder(&self, from: usize, to: usize) -> Result<Tensor<2>> {
        self.in_range(to)?;
        if from > to {
            return Err(Error::LayerOrder { start: from, stop: to });
        }
        let name = format!("W_dec_{from}");
        let data = self.tensors(&decoder_file(&self.folder, from))?.data(&name)?;
        let (values, writes) = (floats(&data), self.layers - from);
        let own = values.chunks_exact(self.d_out).skip(to - from).step_by(writes).flatten().copied().collect();
        Ok(Tensor::from_data(TensorData::new(own, [self.d_sae, self.d_out]), &self.device))
    }

    fn tensors(&self, path: &Path) -> Result<Tensors> {
        Tensors::open(path.to_owned(), &self.device)
    }

    fn check(&self, layer: usize) -> Result<()> {
        let encoder = encoder_file(&self.folder, layer);
        let decoder = decoder_file(&self.folder, layer);
        let wanted = [
            (&encoder, format!("W_enc_{layer}"), vec![self.d_sae, self.d_in]),
            (&encoder, format!("b_enc_{layer}"), vec![self.d_sae]),
            (&encoder, format!("b_dec_{layer}"), vec![self.d_out]),
            (&decoder, format!("W_dec_{layer}"), vec![self.d_sae, self.layers - layer, self.d_out]),
        ];
        for (path, name, shape) in wanted {
            let tensors = self.tensors(path)?;
            let found = tensors.shape(&name);
            if found != Some(shape.as_slice()) {
                let found = found.map_or("missing".to_owned(), |found| format!("of shape {found:?}"));
                return Err(Error::file(
                    path,
                    format!("`{name}` is {found}, the other layers need {shape:?}; download it again"),
                ));
            }
        }
        let tensors = self.tensors(&encoder)?;
        let threshold = tensors.shape(&format!("threshold_{layer}")).map(|shape| shape.iter().product::<usize>());
        match threshold {
            Some(count) if count != self.d_sae => Err(Error::file(
                &encoder,
                format!("`threshold_{layer}` has {count} numbers, there are {} latents", self.d_sae),
            )),
            _ => Ok(()),
        }
    }

    fn in_range(&self, layer: usize) -> Result<()> {
        if layer < self.layers { Ok(()) } else { Err(Error::out_of_range("layer", layer, self.layers)) }
    }
}

fn encoder_file(folder: &Path, layer: usize) -> PathBuf {
    folder.join(format!("W_enc_{layer}.safetensors"))
}

fn decoder_file(folder: &Path, layer: usize) -> PathBuf {
    folder.join(format!("W_dec_{layer}.safetensors"))
}

/// The numbers of a tensor that was read as `f32`.
fn floats(data: &TensorData) -> Vec<f32> {
    data.as_slice::<f32>().expect("BUG: it was read as f32").to_vec()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::dictionary::testing::{close, read};

    #[derive(Deserialize)]
    struct Recorded {
        x: Vec<Vec<f32>>,
        acts: Vec<Vec<f32>>,
        recon: Vec<Vec<f32>>,
    }

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/dictionaries")
    }

    fn opened() -> CrossLayer {
        CrossLayer::open(&fixtures().join("formats/cross_layer"), Some("cpu")).unwrap()
    }

    fn rows(values: &[f32], width: usize) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), &Device::flex())
    }

    #[test]
    fn every_layer_computes_what_circuit_tracer_does() {
        let recorded = std::fs::read_to_string(fixtures().join("cross_layer.json")).unwrap();
        let recorded: Recorded = serde_json::from_str(&recorded).unwrap();
        let transcoder = opened();
        assert_eq!((transcoder.n_layers(), transcoder.d_sae()), (3, 10));
        let mut acts = Vec::new();
        for layer in 0..3 {
            acts.push(transcoder.encode(layer, rows(&recorded.x[layer], 6)).unwrap());
            close(&read(acts[layer].clone()), &recorded.acts[layer]);
            close(&read(transcoder.decode(&acts).unwrap()), &recorded.recon[layer]);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let transcoder = opened();
        let said = |error: Error| error.to_string();
        assert_eq!(
            said(transcoder.encode(3, rows(&[0.0; 6], 6)).unwrap_err()),
            "layer 3 is out of range: there are 3, numbered from 0"
        );
        assert!(
            said(transcoder.encode(0, rows(&[0.0; 5], 5)).unwrap_err()).contains("the axis `d_in` should be 6 long")
        );
        assert_eq!(said(transcoder.decode(&[]).unwrap_err()), "expected 1 layers of latents, from the first on, got 0");
        assert!(said(transcoder.decoder(2, 1).unwrap_err()).contains("is before layer 2"));
        let folder = tempfile::tempdir().unwrap();
        let none = said(CrossLayer::open(folder.path(), Some("cpu")).unwrap_err());
        assert!(none.contains("no cross-layer transcoder lies there"), "{none}");
        for file in ["W_enc_0.safetensors", "W_dec_0.safetensors"] {
            std::fs::copy(fixtures().join("formats/cross_layer").join(file), folder.path().join(file)).unwrap();
        }
        let alone = said(CrossLayer::open(folder.path(), Some("cpu")).unwrap_err());
        assert!(alone.contains("`W_dec_0` is of shape [10, 3, 4], the other layers need [10, 1, 4]"), "{alone}");
    }
}
