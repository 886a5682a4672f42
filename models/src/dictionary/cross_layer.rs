//! Cross-layer dictionaries: latents that read one layer and write to several.
//!
//! A transcoder's latents write to the layer that they read and to all later ones: `f_i = act(x_i W_enc,i + b_enc,i)`,
//! `ŷ_l = Σ_i f_i W_dec,i[l] + b_dec,l`. The crosscoders of Gemma Scope 2 are the same, at some layers of the stream. Files as
//! circuit-tracer has them, a pair a layer: `W_enc_{i}.safetensors` (`W_enc_{i}` `[d_sae, d_in]`, `b_enc_{i}`, `b_dec_{i}`,
//! perhaps `threshold_{i}`) and `W_dec_{i}.safetensors` (`[d_sae, n_layers - i, d_out]`); or as Gemma Scope 2 has them,
//! `params_layer_{i}.safetensors` (`w_enc` `[d_in, d_sae]`, `w_dec` `[d_sae, n_layers, d_out]`, perhaps
//! `affine_skip_connection` `[d_in, d_out]`). A layer is read when it is used, and dropped afterwards: memory holds one.
//! Source: Ameisen et al., "Circuit Tracing" (2025).

mod layout;
mod sites;
mod splices;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData, activation};

use self::layout::{Layout, Part};
use super::formats::load::split;
use super::formats::tensors::Tensors;
use super::loss::row;
use super::shapes::check_axis;
use super::straight_through::above;
use crate::checkpoint::fetch_layers;
use crate::device;
use crate::error::{Error, Result};
use crate::kernels;
use crate::site::Site;

/// A cross-layer transcoder or crosscoder in a folder.
#[derive(Clone, Debug)]
pub struct CrossLayer {
    folder: PathBuf,
    device: Device,
    layout: Layout,
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
        let folder = fetch_layers(&id, &inner.join("/"), Layout::sets)?;
        Self::open(&folder, device)
    }

    /// Opens a folder. Only headers are read: they must agree.
    ///
    /// # Errors
    ///
    /// [`Error::File`] naming a file that is missing or a tensor that does not fit, and [`Error::Device`].
    pub fn open(folder: &Path, device: Option<&str>) -> Result<Self> {
        let device = device::choose(device)?.device;
        let Some(layout) = Layout::of(folder)? else {
            let problem = "no cross-layer dictionary lies there: give the folder with W_enc_0.safetensors and \
                           W_dec_0.safetensors, or params_layer_0.safetensors";
            return Err(Error::file(folder, problem));
        };
        let mut layers = 1;
        while crate::ground::files::is_there(&layout.file(folder, Part::Encoder, layers))? {
            layers += 1;
        }
        let mut own = Self { folder: folder.to_owned(), device, layout, layers, d_in: 0, d_sae: 0, d_out: 0 };
        let first = own.tensors(Part::Encoder, 0)?;
        let shape = |part| first.shape(&layout.tensor(part, 0));
        if let (Some(&[a, b]), Some(&[d_out])) = (shape(Part::Encoder), shape(Part::DecoderBias)) {
            (own.d_sae, own.d_in) = if layout == Layout::Pairs { (a, b) } else { (b, a) };
            own.d_out = d_out;
        }
        if own.d_sae * own.d_in * own.d_out == 0 {
            return Err(Error::file(
                folder,
                format!(
                    "`{}` or `{}` is missing, empty or of another rank; download it again",
                    layout.tensor(Part::Encoder, 0),
                    layout.tensor(Part::DecoderBias, 0)
                ),
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
        let mut tensors = self.tensors(Part::Encoder, layer)?;
        let name = |part| self.layout.tensor(part, layer);
        let weight = match self.layout {
            Layout::Pairs => tensors.turned(&name(Part::Encoder))?,
            Layout::Whole => tensors.matrix(&name(Part::Encoder))?,
        };
        let bias = tensors.vector(&name(Part::EncoderBias))?;
        let pre_acts = kernels::product(x, weight, Some(bias));
        if !tensors.has(&name(Part::Threshold)) {
            return Ok(activation::relu(pre_acts));
        }
        let threshold = tensors.data(&name(Part::Threshold))?;
        let threshold = Tensor::<1>::from_data(TensorData::new(floats(&threshold), [self.d_sae]), &self.device);
        let active = above(&pre_acts, &threshold);
        // Gemma Scope 2 lets no negative latent through, whatever its threshold.
        Ok(if self.layout == Layout::Whole { activation::relu(pre_acts) * active } else { pre_acts * active })
    }

    /// What the skip connection of a layer adds to its prediction, `[rows, d_in]` to `[rows, d_out]`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that there is not, [`Error::Axis`] for rows of another width, [`Error::File`].
    pub fn skipped(&self, layer: usize, x: Tensor<2>) -> Result<Option<Tensor<2>>> {
        self.in_range(layer)?;
        let dims = x.dims();
        check_axis("d_in", self.d_in, dims[1], &dims)?;
        let (mut tensors, name) = (self.tensors(Part::Encoder, layer)?, self.layout.tensor(Part::Skip, layer));
        if self.layout == Layout::Pairs || !tensors.has(&name) {
            return Ok(None);
        }
        Ok(Some(kernels::product(x, tensors.matrix(&name)?, None)))
    }

    /// The sites of each layer, the one that is read and the one that is written, as the config beside the files names them;
    /// `None` without one.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] for a name that means none.
    pub fn sites(&self) -> Result<Option<Vec<[Site; 2]>>> {
        sites::sites(&self.folder, self.layout, self.layers)
    }

    /// What the latents of layers 0 to `acts.len() - 1` write into the last of these: each `[rows, d_sae]`, to
    /// `[rows, d_out]`, with the bias of that layer and without its skip connection.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] without latents, and those of [`CrossLayer::decode_into`].
    pub fn decode(&self, acts: &[Tensor<2>]) -> Result<Tensor<2>> {
        match acts.len().checked_sub(1) {
            Some(layer) => self.decode_into(layer, acts),
            None => Err(Error::Count { what: "layers of latents, from the first on".into(), expected: 1, actual: 0 }),
        }
    }

    /// What the latents of the first layers write into one layer, those of later layers than it included: Gemma Scope 2 has
    /// weights for them, which are small. The latents are `[rows, d_sae]` of each layer.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for more layers than there are, [`Error::LayerOrder`] for latents of a later layer where the
    /// files have no weights for them, [`Error::Axis`], [`Error::File`].
    pub fn decode_into(&self, layer: usize, acts: &[Tensor<2>]) -> Result<Tensor<2>> {
        self.in_range(layer.max(acts.len().saturating_sub(1)))?;
        let bias = self.layout.tensor(Part::DecoderBias, layer);
        let bias = self.tensors(Part::DecoderBias, layer)?.vector(&bias)?;
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
    /// [`Error::OutOfRange`] for a layer that there is not, [`Error::LayerOrder`] for one that is written before it is read
    /// where the files have no weights for it; [`Error::File`].
    pub fn decoder(&self, from: usize, to: usize) -> Result<Tensor<2>> {
        self.in_range(from.max(to))?;
        if from > to && !self.layout.writes_back() {
            return Err(Error::LayerOrder { start: from, stop: to });
        }
        let data = self.tensors(Part::Decoder, from)?.data(&self.layout.tensor(Part::Decoder, from))?;
        let (values, (writes, at)) = (floats(&data), self.layout.written(from, to, self.layers));
        let own = values.chunks_exact(self.d_out).skip(at).step_by(writes).flatten().copied().collect();
        Ok(Tensor::from_data(TensorData::new(own, [self.d_sae, self.d_out]), &self.device))
    }

    /// The biases of a layer's encoder and decoder.
    fn biases(&self, layer: usize) -> Result<(Tensor<1>, Tensor<1>)> {
        let mut tensors = self.tensors(Part::EncoderBias, layer)?;
        let name = |part| self.layout.tensor(part, layer);
        Ok((tensors.vector(&name(Part::EncoderBias))?, tensors.vector(&name(Part::DecoderBias))?))
    }

    /// The layout, the number of layers, and the widths.
    fn shape(&self) -> (Layout, [usize; 4]) {
        (self.layout, [self.layers, self.d_in, self.d_sae, self.d_out])
    }

    /// The file of a part of a layer.
    fn tensors(&self, part: Part, layer: usize) -> Result<Tensors> {
        Tensors::open(self.layout.file(&self.folder, part, layer), &self.device)
    }

    fn check(&self, layer: usize) -> Result<()> {
        let encoder = match self.layout {
            Layout::Pairs => vec![self.d_sae, self.d_in],
            Layout::Whole => vec![self.d_in, self.d_sae],
        };
        let (writes, _) = self.layout.written(layer, layer, self.layers);
        let wanted = [
            (Part::Encoder, encoder),
            (Part::EncoderBias, vec![self.d_sae]),
            (Part::DecoderBias, vec![self.d_out]),
            (Part::Decoder, vec![self.d_sae, writes, self.d_out]),
        ];
        for (part, shape) in wanted {
            let (tensors, name) = (self.tensors(part, layer)?, self.layout.tensor(part, layer));
            let found = tensors.shape(&name);
            if found != Some(shape.as_slice()) {
                let found = found.map_or("missing".to_owned(), |found| format!("of shape {found:?}"));
                let problem = format!("`{name}` is {found}, the other layers need {shape:?}; download it again");
                return Err(Error::file(tensors.path(), problem));
            }
        }
        let (tensors, name) = (self.tensors(Part::Encoder, layer)?, self.layout.tensor(Part::Threshold, layer));
        match tensors.shape(&name).map(|shape| shape.iter().product::<usize>()) {
            Some(count) if count != self.d_sae => {
                let problem = format!("`{name}` has {count} numbers, there are {} latents", self.d_sae);
                Err(Error::file(tensors.path(), problem))
            }
            _ => Ok(()),
        }
    }

    fn in_range(&self, layer: usize) -> Result<()> {
        if layer < self.layers { Ok(()) } else { Err(Error::out_of_range("layer", layer, self.layers)) }
    }
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

    /// `make_formats.py` has the forward of the files' authors, in which every layer writes into every layer.
    #[test]
    fn gemma_scope_2_is_read_a_file_a_layer() {
        #[derive(Deserialize)]
        struct Recorded {
            x: Vec<Vec<f32>>,
            acts: Vec<Vec<f32>>,
            recon: Vec<Vec<f32>>,
            sites: Vec<[String; 2]>,
        }
        let recorded = std::fs::read_to_string(fixtures().join("gemma_cross_layer.json")).unwrap();
        let recorded: std::collections::BTreeMap<String, Recorded> = serde_json::from_str(&recorded).unwrap();
        assert_eq!(recorded.len(), 2);
        for (folder, Recorded { x, acts, recon, sites }) in recorded {
            let own = CrossLayer::open(&fixtures().join("formats").join(folder), Some("cpu")).unwrap();
            let rows_of = |layer: usize| rows(&x[layer], 6);
            let found: Vec<Tensor<2>> =
                (0..own.n_layers()).map(|layer| own.encode(layer, rows_of(layer)).unwrap()).collect();
            assert_eq!(found.len(), acts.len());
            for (layer, (acts, recon)) in acts.iter().zip(&recon).enumerate() {
                close(&read(found[layer].clone()), acts);
                let mut out = own.decode_into(layer, &found).unwrap();
                if let Some(skipped) = own.skipped(layer, rows_of(layer)).unwrap() {
                    out = out + skipped;
                }
                close(&read(out), recon);
            }
            let named = own.sites().unwrap().unwrap();
            let named: Vec<[String; 2]> = named.iter().map(|pair| pair.map(|site| site.to_string())).collect();
            assert_eq!(named, sites);
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
        assert!(none.contains("no cross-layer dictionary lies there"), "{none}");
        for file in ["W_enc_0.safetensors", "W_dec_0.safetensors"] {
            std::fs::copy(fixtures().join("formats/cross_layer").join(file), folder.path().join(file)).unwrap();
        }
        let alone = said(CrossLayer::open(folder.path(), Some("cpu")).unwrap_err());
        assert!(alone.contains("`W_dec_0` is of shape [10, 3, 4], the other layers need [10, 1, 4]"), "{alone}");
    }
}
