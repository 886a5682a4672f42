//! The container: a table of values, a list of tensors, and where the numbers of each are. Lengths are checked against
//! the file before memory is taken.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};

use super::blocks::BlockType;
use super::value::Value;

/// Limits of nesting of lists, of their items, of a tensor's axes, and of the bytes before the numbers. No vocabulary is
/// longer.
const DEEPEST: usize = 4;
const MOST_ITEMS: usize = 4 << 20;
const MOST_AXES: usize = 8;
const MOST_BYTES: u64 = 512 << 20;

/// What the file says before its numbers.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) table: BTreeMap<String, Value>,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// A tensor of the file.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// Row-major, outermost axis first.
    pub(super) shape: Vec<usize>,
    pub(super) kind: &'static BlockType,
    /// Where its numbers start in the file.
    pub(super) start: u64,
}

impl Container {
    /// Reads a file of `size` bytes up to its numbers.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub(super) fn read(file: &File, size: u64) -> Result<Self, String> {
        let mut reader = Reader { inner: BufReader::new(file), at: 0, end: size.min(MOST_BYTES) };
        if &reader.bytes::<4>()? != b"GGUF" {
            return Err("it does not begin with `GGUF`, so it is not a GGUF file; download it again".into());
        }
        let version = u32::from_le_bytes(reader.bytes()?);
        if !(2..=3).contains(&version) {
            return Err(format!(
                "it is a GGUF file of version {version}, but only versions 2 and 3 are read; convert it again with llama.cpp, or download it again"
            ));
        }
        let (tensors, values) = (reader.length()?, reader.length()?);
        let mut table = BTreeMap::new();
        for _ in 0..values {
            let key = reader.text()?;
            let kind = u32::from_le_bytes(reader.bytes()?);
            let value = reader.value(kind, 0).map_err(|problem| format!("`{}`: {problem}", key.escape_debug()))?;
            table.insert(key, value);
        }
        let listed = (0..tensors).map(|_| reader.tensor()).collect::<Result<Vec<_>, _>>()?;
        let alignment = table.get("general.alignment").map_or(Some(32), Value::count).filter(|to| *to > 0);
        let alignment = alignment.ok_or("`general.alignment` must be a positive whole number")? as u64;
        let data = reader.at.div_ceil(alignment) * alignment;
        Ok(Self { table, tensors: placed(listed, data, size)? })
    }
}

/// The tensors with their places in the file, which they must not leave.
fn placed(listed: Vec<(String, Tensor)>, data: u64, size: u64) -> Result<BTreeMap<String, Tensor>, String> {
    let mut tensors = BTreeMap::new();
    for (name, mut tensor) in listed {
        let bytes = tensor.kind.bytes_of(&tensor.shape);
        let end = bytes.and_then(|bytes| tensor.start.checked_add(data)?.checked_add(bytes));
        if end.is_none_or(|end| end > size) {
            return Err(format!(
                "`{name}` of shape {:?} ({}) does not fit the {size} bytes of the file: it is truncated; download it again",
                tensor.shape, tensor.kind.name
            ));
        }
        tensor.start += data;
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(format!("`{name}` is listed twice; download it again"));
        }
    }
    Ok(tensors)
}

/// Reads values of known length, and no further than the file goes.
struct Reader<'a> {
    inner: BufReader<&'a File>,
    at: u64,
    end: u64,
}

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.need(bytes.len() as u64)?;
        self.inner.read_exact(bytes).map_err(|error| error.to_string())?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn need(&self, bytes: u64) -> Result<(), String> {
        if self.end - self.at < bytes { Err("it is truncated; download it again".into()) } else { Ok(()) }
    }

    /// A number of things that follow, each of at least one byte.
    fn length(&mut self) -> Result<usize, String> {
        let length = u64::from_le_bytes(self.bytes()?);
        self.need(length)?;
        Ok(length as usize)
    }

    fn text(&mut self) -> Result<String, String> {
        let mut bytes = vec![0; self.length()?];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| "a text is not UTF-8; download it again".into())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Whole(u8::from_le_bytes(self.bytes()?).into()),
            1 => Value::Whole(i8::from_le_bytes(self.bytes()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.bytes()?).into()),
            3 => Value::Whole(i16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Whole(u32::from_le_bytes(self.bytes()?).into()),
            5 => Value::Whole(i32::from_le_bytes(self.bytes()?).into()),
            6 => Value::Number(f32::from_le_bytes(self.bytes()?).into()),
            7 => Value::Flag(self.bytes::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => self.list(depth)?,
            10 => Value::Whole(i64::try_from(u64::from_le_bytes(self.bytes()?)).unwrap_or(i64::MAX)),
            11 => Value::Whole(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Number(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(format!("it is of kind {kind}, which GGUF does not have; download it again")),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        if depth >= DEEPEST {
            return Err(format!("its lists are more than {DEEPEST} deep; download it again"));
        }
        let kind = u32::from_le_bytes(self.bytes()?);
        let length = self.length()?;
        if length > MOST_ITEMS {
            return Err(format!("a list of it has {length} items, more than any model's; download it again"));
        }
        (0..length).map(|_| self.value(kind, depth + 1)).collect::<Result<Vec<_>, _>>().map(Value::List)
    }

    fn tensor(&mut self) -> Result<(String, Tensor), String> {
        let name = self.text()?;
        if name.len() > 64 || name.contains(char::is_control) {
            return Err(format!(
                "the name of a tensor, `{}`, is not one; download it again",
                name.escape_debug().take(80).collect::<String>()
            ));
        }
        let axes = u32::from_le_bytes(self.bytes()?) as usize;
        if axes > MOST_AXES {
            return Err(format!("the tensor `{name}` has {axes} axes, more than any weight"));
        }
        let mut shape = (0..axes).map(|_| self.bytes().map(u64::from_le_bytes)).collect::<Result<Vec<_>, _>>()?;
        shape.reverse();
        let shape = shape.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>();
        let kind =
            BlockType::numbered(u32::from_le_bytes(self.bytes()?)).map_err(|kind| format!("`{name}` is {kind}"))?;
        let start = u64::from_le_bytes(self.bytes()?);
        Ok((name.clone(), Tensor { shape: shape.map_err(|_| format!("`{name}` is too large"))?, kind, start }))
    }
}
