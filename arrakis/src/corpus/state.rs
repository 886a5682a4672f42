//! The saved state of a pass: one file, replaced whole.

use std::collections::BTreeMap;
use std::path::Path;

use arrakis_models::files::write_whole;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// What a reducer has gathered: plain data, and long lists of numbers kept to the bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    json: String,
    arrays: BTreeMap<String, Vec<f64>>,
}

impl State {
    /// A state of plain data.
    ///
    /// # Errors
    ///
    /// Data that cannot be written as JSON.
    pub fn of(data: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_string(data).map_err(|error| refuse(format!("it cannot be saved: {error}")))?;
        Ok(Self { json, arrays: BTreeMap::new() })
    }

    /// Adds a list of numbers.
    #[must_use]
    pub fn array(mut self, name: &str, numbers: Vec<f64>) -> Self {
        self.arrays.insert(name.to_owned(), numbers);
        self
    }

    /// The plain data.
    ///
    /// # Errors
    ///
    /// Data of another type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.json).map_err(|error| refuse(format!("its data is of another kind: {error}")))
    }

    /// Takes out a list of numbers.
    ///
    /// # Errors
    ///
    /// No list of this name.
    pub fn take(&mut self, name: &str) -> Result<Vec<f64>> {
        self.arrays.remove(name).ok_or_else(|| refuse(format!("it has no numbers `{name}`")))
    }
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "State", problem }
}

/// Writes the state of a pass and of each reducer.
pub(super) fn write(path: &Path, pass: &str, reducers: &[State]) -> Result<()> {
    Ok(write_whole(path, bytes(pass, reducers)?)?)
}

/// The state of a pass and of each reducer, as a file has it.
pub(super) fn bytes(pass: &str, reducers: &[State]) -> Result<Vec<u8>> {
    let mut parts: Vec<(String, Dtype, Vec<u8>)> = vec![("pass".into(), Dtype::U8, pass.into())];
    for (index, state) in reducers.iter().enumerate() {
        parts.push((format!("{index}"), Dtype::U8, state.json.clone().into_bytes()));
        for (name, numbers) in &state.arrays {
            let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            parts.push((format!("{index}.{name}"), Dtype::F64, bytes));
        }
    }
    let view = |(name, dtype, bytes): &'_ (String, Dtype, Vec<u8>)| {
        let length = bytes.len() / if *dtype == Dtype::F64 { 8 } else { 1 };
        (name.clone(), *dtype, length)
    };
    let views = parts.iter().map(|part| {
        let (name, dtype, length) = view(part);
        let view = TensorView::new(dtype, vec![length], &part.2);
        view.map(|view| (name, view)).map_err(|error| refuse(format!("it cannot be saved: {error}")))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    serialize(views, None).map_err(|error| refuse(format!("it cannot be saved: {error}")))
}

/// Reads the state of a pass and of its reducers; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<(String, Vec<State>)>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    parse(&bytes).map(Some).ok_or_else(|| Error::Corpus {
        path: path.to_owned(),
        place: String::new(),
        problem: "it is not the saved state of a pass; delete it to start again, or name another file".into(),
    })
}

/// The inverse of [`bytes`]; `None` for bytes of something else.
pub(super) fn parse(bytes: &[u8]) -> Option<(String, Vec<State>)> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let text = |name: &str| String::from_utf8(file.tensor(name).ok()?.data().to_vec()).ok();
    let mut states = Vec::new();
    while let Some(json) = text(&states.len().to_string()) {
        let start = format!("{}.", states.len());
        let mut arrays = BTreeMap::new();
        for (name, view) in file.iter().filter(|(_, view)| view.dtype() == Dtype::F64) {
            let Some(name) = name.strip_prefix(&start) else { continue };
            let numbers =
                view.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default()));
            arrays.insert(name.to_owned(), numbers.collect());
        }
        states.push(State { json, arrays });
    }
    Some((text("pass")?, states))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.state");
        assert_eq!(read(&path).unwrap(), None);
        let numbers = vec![0.1, -0.0, 1e-310, f64::INFINITY];
        let states =
            [State::of(&(1, "a")).unwrap().array("m", numbers.clone()).array("n", vec![]), State::of(&2).unwrap()];
        write(&path, "{}", &states).unwrap();
        let (pass, mut back) = read(&path).unwrap().unwrap();
        assert_eq!((pass.as_str(), &back[..]), ("{}", &states[..]));
        let bits = |numbers: &[f64]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back[0].take("m").unwrap()), bits(&numbers));
        assert_eq!(back[0].take("m").unwrap_err().to_string(), "`State`: it has no numbers `m`");
        assert!(back[0].data::<Vec<u8>>().is_err());
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.state");
        std::fs::write(&path, "notes").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("delete it to start again, or name another file"), "{error}");
    }
}
