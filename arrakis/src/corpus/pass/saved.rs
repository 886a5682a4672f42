//! The file of a pass that can be resumed.

use std::path::{Path, PathBuf};

use arrakis_models::HookedTransformer;
use arrakis_models::ground::shard::Shard;
use serde::{Deserialize, Serialize};

use crate::corpus::reducer::Reducer;
use crate::corpus::report::PassReport;
use crate::corpus::settings::{Settings, refuse};
use crate::corpus::source::Corpus;
use crate::corpus::state::{self, State};
use crate::error::Result;

/// How far a pass came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Saved {
    key: Option<Key>,
    pub(super) report: PassReport,
    pub(super) done: bool,
}

/// What a saved pass is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Key {
    corpus: String,
    model: String,
    device: String,
    settings: Settings,
    reducers: Vec<String>,
}

/// The file of a shard beside that of a whole pass.
pub(super) fn file(path: &Path, shard: Option<Shard>) -> PathBuf {
    match shard {
        None => path.to_owned(),
        Some(shard) => {
            let mut own = path.as_os_str().to_owned();
            own.push(format!(".{}", shard.folder()));
            own.into()
        }
    }
}

impl Saved {
    /// The saved pass if there is one, with its state in the reducers; otherwise a new one. Reads the whole corpus once for
    /// its fingerprint.
    pub(super) fn resumed(
        path: &Path,
        model: &HookedTransformer,
        corpus: &Corpus,
        settings: &Settings,
        reducers: &mut [&mut dyn Reducer],
    ) -> Result<Self> {
        let own = Key {
            corpus: corpus.fingerprint()?,
            model: model.fingerprint()?,
            device: model.device_name().to_owned(),
            settings: settings.clone(),
            reducers: reducers.iter().map(|reducer| reducer.name()).collect(),
        };
        let Some((pass, states)) = state::read(path)? else { return Ok(Self { key: Some(own), ..Self::default() }) };
        let saved: Self = serde_json::from_str(&pass)
            .map_err(|error| refuse(format!("the state in `{}` cannot be read: {error}", path.display())))?;
        if let Some(what) = saved.key.as_ref().map_or(Some("format"), |key| key.differs(&own)) {
            return Err(refuse(format!(
                "the state in `{}` is of a pass with another {what}; delete it to start again, or name another file",
                path.display()
            )));
        }
        reducers.iter_mut().zip(states).try_for_each(|(reducer, state)| reducer.restore(state))?;
        Ok(saved)
    }

    /// Replaces the file.
    pub(super) fn write(&self, path: &Path, reducers: &[&mut dyn Reducer]) -> Result<()> {
        let states: Vec<State> = reducers.iter().map(|reducer| reducer.state()).collect::<Result<_>>()?;
        state::write(path, &serde_json::to_string(self).expect("BUG: a pass is plain data"), &states)
    }
}

impl Key {
    /// The first thing in which two passes differ.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("corpus", self.corpus != other.corpus),
            ("model", self.model != other.model),
            ("device", self.device != other.device),
            ("windows or limits", self.settings != other.settings),
            ("reducers", self.reducers != other.reducers),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(what, _)| what)
    }
}
