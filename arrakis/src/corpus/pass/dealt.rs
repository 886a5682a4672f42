//! A pass in a program that runs as one shard of a job: it runs its own batches.

use arrakis_models::ground::shard::{self, Next, Parts, Step};
use arrakis_models::ground::warnings::warn_once;

use super::Pass;
use crate::corpus::reducer::Reducer;
use crate::corpus::report::PassReport;
use crate::corpus::state::{self, State};
use crate::error::Result;

impl Pass<'_> {
    /// The step of this pass, if this process shares it with others.
    pub(super) fn step(&self, reducers: &[&mut dyn Reducer]) -> Result<Option<Step>> {
        let Some(parts) = Parts::active()? else { return Ok(None) };
        if let Some(reducer) = reducers.iter().find(|reducer| !reducer.is_joinable()) {
            warn_once(&format!(
                "a corpus pass is not cut into {} shards, so each of them runs it whole: `{}` has seen tokens before, or \
                 cannot join what another gathered",
                parts.of(),
                reducer.name()
            ));
            return Ok(None);
        }
        let names: Vec<String> = reducers.iter().map(|reducer| reducer.name()).collect();
        // The device without its details, which differ between machines of one kind.
        let device = self.model.device_name().split(' ').next().unwrap_or_default();
        let (corpus, model) = (self.corpus.fingerprint()?, self.model.fingerprint()?);
        let inputs = format!("{corpus} {model} {device} {:?} {names:?}", self.settings);
        Ok(shard::begin(|| "a corpus pass".into(), || Ok(inputs))?)
    }

    /// Runs the batches of this shard, or joins what all shards gathered.
    pub(super) fn run_dealt(
        &self,
        sites: &[String],
        step: Step,
        reducers: &mut [&mut dyn Reducer],
    ) -> Result<PassReport> {
        match step.next()? {
            Next::All(parts) => joined(&step, &parts, reducers),
            Next::Own(own) => {
                let report = self.run_batches(Some(own), sites, reducers)?;
                let states: Vec<State> = reducers.iter().map(|reducer| reducer.state()).collect::<Result<_>>()?;
                let report = serde_json::to_string(&report).expect("BUG: a report is plain data");
                Err(step.keep(&state::bytes(&report, &states)?).into())
            }
        }
    }
}

/// Gives every reducer what those of all shards gathered.
fn joined(step: &Step, parts: &[Vec<u8>], reducers: &mut [&mut dyn Reducer]) -> Result<PassReport> {
    let mut first: Option<PassReport> = None;
    for part in parts {
        let (report, states) = state::parse(part).ok_or_else(|| step.unreadable("it is no state of a pass"))?;
        let report: PassReport = serde_json::from_str(&report).map_err(|error| step.unreadable(error))?;
        if first.get_or_insert_with(|| report.clone()) != &report {
            return Err(step.unreadable("the shards cut the corpus into other batches").into());
        }
        reducers.iter_mut().zip(states).try_for_each(|(reducer, state)| reducer.join(state))?;
    }
    first.ok_or_else(|| step.unreadable("there is none").into())
}
