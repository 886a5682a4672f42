//! `arrakis inspect`: describes a model from its config and headers; weights are read only with `--load`.

mod tokens;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Instant;

use arrakis_models::checkpoint::{Checkpoint, Fit};
use arrakis_models::ground::bytes::human_bytes;
use arrakis_models::site::SiteInfo;
use arrakis_models::{HookedAutoConfig, HookedAutoModel, LoadOptions, Tokenizer, TransformerConfig, device, site};
use serde::Serialize;

use self::tokens::TokenizerInfo;
use super::answer::Answer;
use super::table::{aligned, grouped};
use crate::error::Result;
use crate::profile::peak_rss_bytes;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder with config.json and weights, or a Hub id such as `gpt2`
    model: String,
    /// Print JSON, with every option of the architecture
    #[arg(long)]
    json: bool,
    /// Also read the weights, and report the time it takes and the peak memory of the process
    #[arg(long)]
    load: bool,
    /// With `--load`, keep half precision as stored instead of widening it
    #[arg(long, requires = "load")]
    keep_half: bool,
}

/// Everything the command reports.
#[derive(Debug, Default, Serialize)]
struct Inspection {
    model: String,
    folder: PathBuf,
    /// Absent if config.json is refused.
    config: Option<TransformerConfig>,
    n_params: Option<usize>,
    /// Bytes of the parameters, for each element type they could have.
    memory: BTreeMap<&'static str, u64>,
    /// The tensors of the files, by stored element type.
    stored: BTreeMap<String, Stored>,
    tokenizer: Option<TokenizerInfo>,
    /// Ids at which generation stops.
    stop_tokens: Vec<u32>,
    /// The same, for people to read.
    #[serde(skip)]
    stops: String,
    sites: Vec<SiteRow>,
    /// The cost of reading the weights, if it was asked for.
    loaded: Option<Loaded>,
    /// Why loading would fail, one reason per line.
    refused: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Loaded {
    device: String,
    seconds: f64,
    /// Bytes of the parameters in memory.
    kept: u64,
    /// The peak memory of the process; absent if the system does not report it.
    peak: Option<u64>,
}

#[derive(Debug, Default, Serialize)]
struct Stored {
    tensors: usize,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct SiteRow {
    name: String,
    axes: String,
    meaning: &'static str,
}

pub(super) fn run(args: &Args, device: Option<&str>) -> Result<Answer> {
    let folder = HookedAutoModel::folder(&args.model)?;
    let mut found = Inspection { model: args.model.clone(), folder: folder.clone(), ..Inspection::default() };
    let checkpoint = Checkpoint::open(&folder).map_err(|error| found.refuse(error)).ok();
    if let Some(checkpoint) = &checkpoint {
        found.stored(checkpoint);
    }
    match HookedAutoConfig::from_folder(&folder) {
        Ok(config) => found.architecture(checkpoint.as_ref(), config),
        Err(error) => found.refuse(error),
    }
    let tokenizer = if args.load && found.refused.is_empty() {
        found.load(args, device)
    } else {
        HookedAutoModel::tokenizer(&folder)
    };
    match tokenizer {
        Ok(tokenizer) => found.tokens(tokenizer.as_ref()),
        Err(error) => found.refuse(error),
    }
    let text = if args.json {
        format!("{:#}\n", serde_json::to_value(&found).expect("BUG: an inspection is plain data"))
    } else {
        found.describe()
    };
    Ok(Answer { text, yes: found.refused.is_empty() })
}

impl Loaded {
    fn describe(&self) -> String {
        let peak =
            self.peak.map_or_else(String::new, |peak| format!(", peak memory of the process {}", human_bytes(peak)));
        format!("{} kept on {} after {:.2} s{peak}", human_bytes(self.kept), self.device, self.seconds)
    }
}

impl Inspection {
    fn architecture(&mut self, checkpoint: Option<&Checkpoint>, config: TransformerConfig) {
        match checkpoint.map(|checkpoint| HookedAutoModel::fit(checkpoint, &config)) {
            Some(Ok(fit)) => self.fits(&fit),
            Some(Err(error)) => self.refuse(error),
            None => {}
        }
        let rows = site::SITES.iter().filter(|row| (row.present)(&config));
        let shown = |row: &SiteInfo| SiteRow { name: row.pattern(), axes: row.axes_listed(), meaning: row.meaning };
        self.sites = rows.map(shown).collect();
        self.config = Some(config);
    }

    /// Loads the model with its tokenizer, and drops both.
    fn load(&mut self, args: &Args, device: Option<&str>) -> arrakis_models::Result<Option<Tokenizer>> {
        let start = Instant::now();
        let options =
            LoadOptions { device: device.map(str::to_owned), keep_half: args.keep_half, ..LoadOptions::new() };
        let model = HookedAutoModel::load(&args.model, &options)?;
        device::sync(model.device())?;
        self.loaded = Some(Loaded {
            device: model.device_name().to_owned(),
            seconds: start.elapsed().as_secs_f64(),
            kept: model.parameters().iter().map(|(_, parameter)| parameter.bytes() as u64).sum(),
            peak: peak_rss_bytes(),
        });
        Ok(model.tokenizer().ok().cloned())
    }

    /// Takes down the tokenizer, and where text ends.
    fn tokens(&mut self, tokenizer: Option<&Tokenizer>) {
        self.tokenizer = tokenizer.map(TokenizerInfo::of);
        match arrakis_models::model::stop_tokens(&self.folder) {
            Ok(ids) => {
                self.stops = tokens::stops(&ids, tokenizer);
                self.stop_tokens = ids;
            }
            Err(error) => self.refuse(error),
        }
    }

    fn fits(&mut self, fit: &Fit) {
        self.n_params = Some(fit.n_params);
        self.memory = [("f32", 4), ("f16", 2), ("bf16", 2)]
            .into_iter()
            .map(|(dtype, size)| (dtype, size * fit.n_params as u64))
            .collect();
        self.refused.extend(fit.told());
    }

    fn refuse(&mut self, why: impl Display) {
        self.refused.push(why.to_string());
    }

    fn stored(&mut self, checkpoint: &Checkpoint) {
        for (_, held) in checkpoint.tensors() {
            let stored = self.stored.entry(held.stored_as.clone()).or_default();
            stored.tensors += 1;
            stored.bytes += held.bytes;
        }
    }

    fn describe(&self) -> String {
        let mut rows = vec![row("model", &self.model), row("folder", &self.folder.display().to_string())];
        if let Some(config) = &self.config {
            rows.extend(dimensions(config));
        }
        if let Some(n_params) = self.n_params {
            rows.push(row("parameters", &grouped(n_params)));
            rows.push(row(
                "memory",
                &self
                    .memory
                    .iter()
                    .map(|(dtype, size)| format!("{dtype} {}", human_bytes(*size)))
                    .collect::<Vec<_>>()
                    .join(", "),
            ));
        }
        rows.push(row(
            "files hold",
            &self
                .stored
                .iter()
                .map(|(dtype, stored)| format!("{} tensors of {dtype}, {}", stored.tensors, human_bytes(stored.bytes)))
                .collect::<Vec<_>>()
                .join("; "),
        ));
        match &self.tokenizer {
            Some(tokenizer) => {
                rows.extend(tokenizer.rows(self.config.as_ref()).iter().map(|(name, said)| row(name, said)));
            }
            None => rows.push(row("tokenizer", &tokens::without(&self.folder))),
        }
        rows.push(row("generation stops at", &self.stops));
        rows.extend(self.loaded.as_ref().map(|loaded| row("loaded", &loaded.describe())));
        let mut text = aligned(&[], &rows);
        if let Some(config) = &self.config {
            let sites: Vec<Vec<String>> = self
                .sites
                .iter()
                .map(|site| vec![format!("  {}", site.name), site.axes.clone(), site.meaning.to_owned()])
                .collect();
            text = [text, format!("\nsites (* is a layer, 0 to {})\n", config.n_layers - 1), aligned(&[], &sites)]
                .concat();
        }
        text + &self.refusals()
    }

    fn refusals(&self) -> String {
        if self.refused.is_empty() {
            return "\nit would load\n".to_owned();
        }
        format!("\nit would be refused\n  {}\n", self.refused.join("\n  "))
    }
}

fn row(name: &str, value: &str) -> Vec<String> {
    vec![name.to_owned(), value.to_owned()]
}

fn dimensions(config: &TransformerConfig) -> Vec<Vec<String>> {
    let heads = if config.n_kv_heads == config.n_heads {
        config.n_heads.to_string()
    } else {
        format!("{} on {} key and value heads", config.n_heads, config.n_kv_heads)
    };
    let mlp = if config.gated_mlp { "gated " } else { "" };
    let neurons = format!("{} ({mlp}{})", config.d_mlp, plain(&config.activation));
    let windows: Vec<usize> = config.windows.iter().flatten().copied().collect();
    let mut rows = vec![
        row("architecture", &config.family),
        row("n_layers", &config.n_layers.to_string()),
        row("d_model", &config.d_model.to_string()),
        row("n_heads", &format!("{heads}, d_head {}", config.d_head)),
        row("d_mlp", &if config.attn_only { "none: attention alone".to_owned() } else { neurons }),
        row("d_vocab", &format!("{}{}", grouped(config.d_vocab), if config.tied { ", tied" } else { "" })),
        row("n_ctx", &grouped(config.max_positions())),
        row("norm", &format!("{}, {}, eps {:e}", plain(&config.norm), plain(&config.norm_placement), config.norm_eps)),
        row("positions", &positions(config)),
        row("block", &plain(&config.block_layout)),
    ];
    if config.bidirectional {
        rows.push(row("attention", "bidirectional (encoder)"));
    }
    if let Some(experts) = config.experts {
        let shared = experts.shared.map(|neurons| format!(", and a shared one of {neurons} neurons"));
        let shared = shared.unwrap_or_default();
        rows.push(row("experts", &format!("{} of {} per token{shared}", experts.per_token, experts.count)));
    }
    if let Some(widest) = windows.iter().max() {
        rows.push(row("window", &format!("{widest} positions, in {} of {} layers", windows.len(), config.n_layers)));
    }
    rows
}

/// An option's name, as in JSON.
fn plain(option: &impl Serialize) -> String {
    let value = serde_json::to_value(option).unwrap_or_default();
    let name = value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str));
    name.unwrap_or("?").replace('_', " ")
}

fn positions(config: &TransformerConfig) -> String {
    let ropes = (0..config.n_layers).filter_map(|layer| config.rope(layer)).filter(|rope| rope.dims > 0);
    let dims: Vec<usize> = ropes.map(|rope| rope.dims).collect();
    let rotated = dims.first().map(|dims| format!(", {dims} of {} dimensions of a head", config.d_head));
    let few = (1..config.n_layers).contains(&dims.len());
    let layers = few.then(|| format!(", in {} of {} layers", dims.len(), config.n_layers));
    format!("{}{}{}", plain(&config.positions), rotated.unwrap_or_default(), layers.unwrap_or_default())
}
