//! Where a figure is from, inside its pictures: a text chunk of a PNG, `<metadata>` of an SVG.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Figure;
use crate::{Error, Result};

/// What a picture says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id of the record of the run that drew it.
    pub record: String,
    /// SHA-256 of the figure's data, the JSON beside the picture, in hex.
    pub data: String,
}

/// The name of the chunk in a PNG.
const KEYWORD: &[u8] = b"arrakis";
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The tags around the text in an SVG.
const TAGS: [&str; 2] = ["<metadata id=\"arrakis\">", "</metadata>"];

impl Origin {
    /// The origin of a figure; `None` if it belongs to no record.
    pub(super) fn of(figure: &Figure) -> Option<Self> {
        let record = figure.record.clone()?;
        Some(Self { record, data: format!("{:x}", Sha256::digest(figure.to_json())) })
    }

    /// The origin in a picture; `None` if it says none.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let text = if bytes.starts_with(SIGNATURE) { in_png(&bytes) } else { in_svg(&bytes) };
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// An SVG document with it.
    pub(super) fn into_svg(self, document: &str) -> String {
        let text = self.text().replace('&', "&amp;").replace('<', "&lt;");
        let start = document.find("<svg").and_then(|at| Some(at + document[at..].find('>')? + 1));
        let (head, body) = document.split_at(start.unwrap_or(0));
        format!("{head}{}{text}{}{body}", TAGS[0], TAGS[1])
    }

    /// A PNG file with it, before the image data.
    pub(super) fn into_png(self, file: &[u8]) -> Vec<u8> {
        let mut contents = [b"iTXt", KEYWORD, b"\0\0\0\0\0"].concat();
        contents.extend(self.text().into_bytes());
        let length = (contents.len() - 4) as u32;
        let chunk = [&length.to_be_bytes()[..], &contents, &crc(&contents).to_be_bytes()].concat();
        // The signature and the header, which must be first.
        let (head, rest) = file.split_at(file.len().min(SIGNATURE.len() + 25));
        [head, &chunk, rest].concat()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("BUG: an origin is plain data")
    }
}

fn in_svg(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, after) = text.split_once(TAGS[0])?;
    let (text, _) = after.split_once(TAGS[1])?;
    Some(text.replace("&lt;", "<").replace("&amp;", "&"))
}

fn in_png(bytes: &[u8]) -> Option<String> {
    let mut rest = &bytes[SIGNATURE.len()..];
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (kind, contents) = (after.get(..4)?, after.get(4..length.checked_add(4)?)?);
        let of_ours = contents.strip_prefix(KEYWORD).and_then(|contents| contents.strip_prefix(b"\0\0\0\0\0"));
        if let (b"iTXt", Some(text)) = (kind, of_ours) {
            return String::from_utf8(text.to_vec()).ok();
        }
        rest = after.get(length.checked_add(8)?..)?;
    }
}

/// The check sum of a chunk (the PNG specification, annex D).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::super::Heatmap;
    use super::*;

    #[test]
    fn pictures_say_which_record_and_data_they_are_of() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Figure::new("t").heatmap(Heatmap::new([[0.25, 1.0]]));
        for path in plain.save(folder.path(), "plain").unwrap() {
            assert_eq!(Origin::read(&path).unwrap(), None);
        }
        let figure = plain.record("a&b<c é");
        let files = figure.save(folder.path(), "f").unwrap();
        let [png, svg] = [0, 1].map(|index| Origin::read(&files[index]).unwrap().unwrap());
        assert_eq!((png.record.as_str(), &png), ("a&b<c é", &svg));
        let json = fs::read(files.last().unwrap()).unwrap();
        assert_eq!(png.data, format!("{:x}", Sha256::digest(json)));
    }

    #[test]
    fn a_chunk_has_the_sum_of_the_specification() {
        assert_eq!(crc(b"IEND"), 0xae42_6082);
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn broken_pictures_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes = [SIGNATURE, b"\xff\xff\xff\xffiTXtarrakis"].concat();
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            assert_eq!(Origin::read(&path).unwrap(), None);
        }
        assert!(matches!(Origin::read(&folder.path().join("none")), Err(Error::Read { .. })));
    }
}
