//! Parquet: one column of text, a row a document.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrakis_models::ground::nearest::{did_you_mean, nearest};
use parquet::basic::{Compression, Type};
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::document::{Content, Documents, text_of, wrong};
use crate::error::{Error, Result};

type Values = ColumnReaderImpl<ByteArrayType>;

pub(super) struct Parquet {
    path: PathBuf,
    file: SerializedFileReader<File>,
    column: usize,
    /// The level at which a value is present; below it the row has none.
    present: i16,
    /// The row groups that are still to be read.
    groups: std::ops::Range<usize>,
    values: Option<Values>,
    row: u64,
    rows: u64,
    bytes: u64,
}

impl Parquet {
    pub(super) fn open(path: &Path, name: &str) -> Result<Self> {
        let open = arrakis_models::files::open(path)?;
        let bytes = open.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?.len();
        let file = guarded(path, "", || SerializedFileReader::new(open))?;
        let metadata = file.metadata().file_metadata();
        let columns = metadata.schema_descr().columns();
        let names: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
        let column = found(path, &names, name)?;
        let described = &columns[column];
        is_text(path, name, described)?;
        let (present, rows) = (described.max_def_level(), u64::try_from(metadata.num_rows()).unwrap_or(0));
        for group in file.metadata().row_groups() {
            readable(path, name, group.column(column).compression())?;
        }
        let groups = 0..file.num_row_groups();
        Ok(Self { path: path.to_owned(), file, column, present, groups, values: None, row: 0, rows, bytes })
    }

    /// The bytes of the next row of the open row group, none for a row without text; `None` at its end.
    fn next_row(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(values) = &mut self.values else { return Ok(None) };
        let (mut levels, mut found) = (Vec::new(), Vec::new());
        let place = format!(", row {}", self.row);
        let read = guarded(&self.path, &place, || values.read_records(1, Some(&mut levels), None, &mut found))?;
        let value = || found.first().filter(|_| levels.first().is_none_or(|level| *level == self.present));
        Ok((read.0 == 1).then(|| value().map_or_else(Vec::new, |value: &ByteArray| value.data().to_vec())))
    }
}

impl Documents for Parquet {
    fn next(&mut self) -> Result<Option<Content>> {
        loop {
            if let Some(bytes) = self.next_row()? {
                let place = format!(", row {}", self.row);
                self.row += 1;
                return text_of(bytes, &self.path, &place).map(|text| Some(Content::Text(text)));
            }
            let Some(group) = self.groups.next() else { return Ok(None) };
            let (file, column, place) = (&self.file, self.column, format!(", row group {group}"));
            let reader = guarded(&self.path, &place, || file.get_row_group(group)?.get_column_reader(column))?;
            self.values = Some(get_typed_column_reader::<ByteArrayType>(reader));
        }
    }

    fn done(&self) -> u64 {
        self.bytes * self.row / self.rows.max(1)
    }
}

/// The index of a column; an error names the nearest.
fn found(path: &Path, columns: &[String], name: &str) -> Result<usize> {
    columns.iter().position(|column| column == name).ok_or_else(|| {
        let near = did_you_mean(nearest(name, columns).as_deref(), "; it has no columns");
        wrong(path, "", format!("it has no column `{name}`{near}"))
    })
}

fn is_text(path: &Path, name: &str, column: &ColumnDescriptor) -> Result<()> {
    if column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0 {
        return Ok(());
    }
    let kind = if column.max_rep_level() > 0 { "a list".into() } else { column.physical_type().to_string() };
    Err(wrong(path, "", format!("its column `{name}` is {kind}, not text; name another with `Corpus::column`")))
}

/// Codecs without a decoder in Rust are refused by name.
fn readable(path: &Path, name: &str, codec: Compression) -> Result<()> {
    if !matches!(codec, Compression::ZSTD(_) | Compression::LZO) {
        return Ok(());
    }
    let codec = codec.to_string();
    let codec = codec.split('(').next().unwrap_or_default();
    let problem = format!(
        "its column `{name}` is compressed with {codec}, which cannot be read without C code; write it again with \
         Snappy, gzip, LZ4 or Brotli (in pyarrow: `write_table(table, path, compression=\"snappy\")`)"
    );
    Err(wrong(path, "", problem))
}

/// Calls the reader, which may panic on a damaged file.
fn guarded<T>(path: &Path, place: &str, read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    let damaged = |problem: String| wrong(path, place, format!("it is damaged or not Parquet: {problem}"));
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| damaged(error.to_string())),
        Err(_) => Err(damaged("its reader failed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::all;
    use super::*;
    use crate::corpus::Corpus;

    /// Files that pyarrow wrote, with the script beside them.
    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus").join(name)
    }

    #[test]
    fn every_codec_gives_the_rows_that_pyarrow_wrote() {
        let lines = all(&Corpus::lines([fixture("documents.txt")])).unwrap();
        for codec in ["none", "snappy", "gzip", "lz4", "brotli"] {
            let path = fixture(&format!("{codec}.parquet"));
            assert_eq!(all(&Corpus::parquet([path])).unwrap(), lines, "{codec}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let said = |name: &str, column: &str| {
            let error = all(&Corpus::parquet([fixture(name)]).column(column)).unwrap_err().to_string();
            error.replace(&fixture(name).display().to_string(), name)
        };
        assert_eq!(
            said("snappy.parquet", "txt"),
            "cannot read the corpus `snappy.parquet`: it has no column `txt`; did you mean `text`?"
        );
        assert_eq!(
            said("snappy.parquet", "id"),
            "cannot read the corpus `snappy.parquet`: its column `id` is INT64, not text; name another with \
             `Corpus::column`"
        );
        assert_eq!(
            said("zstd.parquet", "text"),
            "cannot read the corpus `zstd.parquet`: its column `text` is compressed with ZSTD, which cannot be read \
             without C code; write it again with Snappy, gzip, LZ4 or Brotli (in pyarrow: `write_table(table, path, \
             compression=\"snappy\")`)"
        );
        assert!(
            said("documents.txt", "text")
                .starts_with("cannot read the corpus `documents.txt`: it is damaged or not Parquet: ")
        );
    }

    #[test]
    fn a_damaged_file_is_an_error_wherever_the_damage_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.parquet");
        let whole = std::fs::read(fixture("snappy.parquet")).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            let _ = all(&Corpus::parquet([&path]));
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(all(&Corpus::parquet([&path])).is_err());
    }
}
