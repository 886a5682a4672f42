//! A training on the disk: one file, replaced whole.

use std::collections::BTreeMap;
use std::path::Path;

use arrakis_models::device;
use arrakis_models::files::write_whole;
use arrakis_models::hooks::ParameterPath;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::learner::{Learner, State};
use super::optimizer::Moments;
use super::settings::refuse;
use crate::error::{Error, Result};

/// What a checkpoint says besides numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    settings: Vec<String>,
    states: Vec<State>,
    /// Adam's step of each parameter of each learner.
    times: Vec<BTreeMap<String, usize>>,
    place: Value,
}

const HEADER: &str = "training";

/// Writes all learners and the place of their source.
pub(super) fn write(path: &Path, learners: &[Learner], place: Value) -> Result<()> {
    let mut numbers: Vec<(String, Vec<f32>)> = Vec::new();
    let mut times = Vec::new();
    for (at, learner) in learners.iter().enumerate() {
        let mut found = Read { path: ParameterPath::default(), found: Vec::new() };
        learner.dictionary.visit(&mut found);
        for (name, values) in found.found {
            numbers.push((format!("{at}.{name}"), values?));
        }
        let moments = learner.optimizer.moments()?;
        times.push(moments.iter().map(|(name, own)| (name.clone(), own.time)).collect());
        for (name, Moments { first, second, .. }) in moments {
            numbers.extend([(format!("{at}.{name}.first"), first), (format!("{at}.{name}.second"), second)]);
        }
    }
    let header = Header {
        settings: learners.iter().map(Learner::settings).collect(),
        states: learners.iter().map(|learner| learner.state.clone()).collect(),
        times,
        place,
    };
    let header = serde_json::to_vec(&header).expect("BUG: a state is plain data");
    let unsaved = |error: safetensors::SafeTensorError| refuse(format!("the checkpoint cannot be saved: {error}"));
    let bytes = numbers.iter().map(|(name, values)| {
        (name.as_str(), Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    });
    let parts: Vec<(&str, Dtype, Vec<u8>)> = [(HEADER, Dtype::U8, header)].into_iter().chain(bytes).collect();
    let views = parts.iter().map(|(name, dtype, bytes)| {
        let length = bytes.len() / if *dtype == Dtype::F32 { 4 } else { 1 };
        Ok((*name, TensorView::new(*dtype, vec![length], bytes).map_err(unsaved)?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    Ok(write_whole(path, serialize(views, None).map_err(unsaved)?)?)
}

/// Puts the learners where a checkpoint was, and gives the place of their source; `None` if there is no file.
pub(super) fn read(path: &Path, learners: &mut [Learner]) -> Result<Option<Value>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    let broken = || {
        refuse(format!(
            "`{}` is not the checkpoint of a training; delete it to start again, or name another",
            path.display()
        ))
    };
    let file = SafeTensors::deserialize(&bytes).map_err(|_| broken())?;
    let header = file.tensor(HEADER).map_err(|_| broken())?;
    let header: Header = serde_json::from_slice(header.data()).map_err(|_| broken())?;
    check(path, &header, learners)?;
    for (at, (learner, (state, times))) in
        learners.iter_mut().zip(header.states.into_iter().zip(header.times)).enumerate()
    {
        let numbers = |name: &str| {
            let view = file.tensor(&format!("{at}.{name}")).ok().filter(|view| view.dtype() == Dtype::F32)?;
            let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            Some(view.data().chunks_exact(4).map(number).collect::<Vec<f32>>())
        };
        let mut write = Write { path: ParameterPath::default(), numbers: &numbers, missing: false };
        learner.dictionary = learner.dictionary.clone().map(&mut write);
        let moments = times.into_iter().map(|(name, time)| {
            let (first, second) = (numbers(&format!("{name}.first"))?, numbers(&format!("{name}.second"))?);
            Some((name, Moments { time, first, second }))
        });
        let moments = moments.collect::<Option<_>>().filter(|_| !write.missing).ok_or_else(broken)?;
        learner.optimizer.restore(moments, &learner.dictionary.device());
        learner.state = state;
        learner.set_threshold(learner.state.threshold);
    }
    Ok(Some(header.place))
}

/// Refuses the checkpoint of other dictionaries or settings.
fn check(path: &Path, header: &Header, learners: &[Learner]) -> Result<()> {
    let own: Vec<String> = learners.iter().map(Learner::settings).collect();
    if own == header.settings {
        return Ok(());
    }
    let differs = own.iter().zip(&header.settings).position(|(own, saved)| own != saved);
    let what = differs.map_or("another number of dictionaries".to_owned(), |at| {
        format!("another dictionary or other settings than `{}`", learners[at].name())
    });
    Err(refuse(format!(
        "the checkpoint `{}` is of {what}; delete it to start again, or name another file",
        path.display()
    )))
}

/// Every parameter by path.
struct Read {
    path: ParameterPath,
    found: Vec<(String, Result<Vec<f32>>)>,
}

impl ModuleVisitor for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.joined(), device::read(param.val()).map_err(Into::into)));
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }
}

/// Puts saved numbers into every parameter.
struct Write<'a> {
    path: ParameterPath,
    numbers: &'a dyn Fn(&str) -> Option<Vec<f32>>,
    missing: bool,
}

impl ModuleMapper for Write<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (shape, saved) = (param.val().shape(), (self.numbers)(&self.path.joined()));
        let Some(saved) = saved.filter(|saved| saved.len() == shape.num_elements()) else {
            self.missing = true;
            return param;
        };
        param.map(|value| Tensor::from_data(TensorData::new(saved, shape), &value.device()))
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }
}
