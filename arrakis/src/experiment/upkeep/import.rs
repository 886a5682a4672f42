//! Records of another store or folder, taken over as they are.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrakis_models::files;
use serde_json::Value;

use super::super::belongings::belongings;
use super::super::json::{BLOBS, blob_files};
use super::super::{Problem, Record, Store, Unreadable, file_name};
use super::annotations;
use crate::error::{Error, Result};

/// What became of the records of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Records that were not there yet.
    pub new: usize,
    /// Records that were there already, byte for byte.
    pub same: usize,
    /// Files with the name of an imported record and other contents. They stay as they are.
    pub conflicts: Vec<PathBuf>,
    /// What cannot be taken over, and why.
    pub refused: Vec<Unreadable>,
}

impl Import {
    /// Whether everything is there now.
    pub fn is_whole(&self) -> bool {
        self.conflicts.is_empty() && self.refused.is_empty()
    }
}

impl Store {
    /// Takes over the records of another store, of the folder of one experiment, or of a file of JSON lines with whole records.
    /// Each is checked against its digest, with its arrays, and written once, with the same bytes. What lies beside it comes along:
    /// arrays, helpers' texts, changes of sources, figures, profiles, registrations, metrics, tags and notes.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if there is nothing at that place, [`Error::Write`] if this store cannot be written.
    pub fn import(&self, from: &Path) -> Result<Import> {
        let mut import = Import::default();
        if from.is_file() {
            self.import_lines(from, &mut import)?;
            return Ok(import);
        }
        fs::read_dir(from).map_err(|source| Error::Read { path: from.to_owned(), source })?;
        // The folder of one experiment has records, that of a store has none.
        let (above, name) = (from.parent().unwrap_or(from), from.file_name().unwrap_or_default().to_string_lossy());
        let own = Self::new(above).files(&name)?;
        let files = if own.iter().any(|path| Self::read(path).is_ok()) { own } else { Self::new(from).all_files()? };
        files.iter().try_for_each(|path| self.import_file(path, &mut import))?;
        Ok(import)
    }

    /// The files of all experiments that should be records.
    fn all_files(&self) -> Result<Vec<PathBuf>> {
        let files = self.names()?.iter().map(|name| self.files(name)).collect::<Result<Vec<_>>>()?;
        Ok(files.into_iter().flatten().collect())
    }

    fn import_file(&self, path: &Path, import: &mut Import) -> Result<()> {
        let read = Self::read(path).and_then(|record| record.verify().map(|()| record));
        let (record, text) = match (read, fs::read(path)) {
            (Ok(record), Ok(text)) => (record, text),
            (Err(problem), _) => {
                import.refused.push(Unreadable { path: path.to_owned(), problem });
                return Ok(());
            }
            (_, Err(source)) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let (Some(from), Some(file)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let target = self.folder_of(&record.name).join(file);
        if !has_other(&target, &text) {
            beside(&record, from, self.folder())?;
            self.import_annotations(&record, from)?;
        }
        write(&target, &text, import)
    }

    fn import_lines(&self, path: &Path, import: &mut Import) -> Result<()> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match self.whole(line) {
                Ok(record) => {
                    let target = self.folder_of(&record.name).join(format!("{}.json", record.id));
                    write(&target, format!("{:#}\n", record.to_json()).as_bytes(), import)?;
                }
                Err(problem) => {
                    let problem = Problem::not_a_record(&format!("line {}: {problem}", index + 1));
                    import.refused.push(Unreadable { path: path.to_owned(), problem });
                }
            }
        }
        Ok(())
    }

    /// The record that a line is, if it is whole and its arrays are here.
    fn whole(&self, line: &str) -> Result<Record, String> {
        let json: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if json.get("digest").is_none() && json.get("outcome").is_some() {
            let problem = "it is a line of `arrakis export`, which has neither source nor digest: import the folder of the records";
            return Err(problem.into());
        }
        let record = Record::from_json(&json).map_err(|problem| problem.to_string())?;
        let folder = self.folder_of(&record.name).join(BLOBS);
        match blob_files(&json).into_iter().find(|file| !folder.join(file).is_file()) {
            Some(file) => Err(format!("its array `{file}` is in no line: import the folder of the records")),
            None => Ok(record),
        }
    }

    /// Adds the tags and notes that are not there yet.
    fn import_annotations(&self, record: &Record, from: &Path) -> Result<()> {
        let name = annotations::name_of(&record.id);
        let Ok(theirs) = fs::read_to_string(from.join(&name)) else { return Ok(()) };
        annotations::add_lines(&self.folder_of(&record.name).join(name), &theirs)
    }
}

/// Whether a file has other contents than these.
fn has_other(path: &Path, text: &[u8]) -> bool {
    fs::read(path).is_ok_and(|there| there != text)
}

fn write(target: &Path, text: &[u8], import: &mut Import) -> Result<()> {
    if written(target, text)? {
        import.new += 1;
    } else if has_other(target, text) {
        import.conflicts.push(target.to_owned());
    } else {
        import.same += 1;
    }
    Ok(())
}

/// Writes a file that is not there yet. Returns whether it was not.
fn written(target: &Path, text: &[u8]) -> Result<bool> {
    let unwritten = |source| Error::Write { path: target.to_owned(), source };
    fs::create_dir_all(target.parent().unwrap_or(target)).map_err(unwritten)?;
    match files::write_new(target, text) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(unwritten(error)),
    }
}

/// Copies what a record needs from its folder there, which may have another name. Texts that do not have their digest stay behind.
fn beside(record: &Record, from: &Path, to: &Path) -> Result<()> {
    let own = format!("{}/", file_name(&record.name));
    for file in belongings(record) {
        let source = file.name.strip_prefix(&own).map(|name| from.join(name));
        match fs::read(source.unwrap_or_else(|| from.parent().unwrap_or(from).join(&file.name))) {
            Ok(bytes) if file.fits(&bytes) => drop(written(&to.join(&file.name), &bytes)?),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::super::super::testing::store;
    use super::super::super::{Annotation, Outcome};
    use super::*;

    #[test]
    fn records_come_over_with_what_belongs_to_them_once() {
        let ((_a, from), (_b, to)) = (store(), store());
        let (value, blobs) = super::super::super::json::to_value_and_blobs(&vec![0.5_f32; 5000]).unwrap();
        let record =
            Record { outcome: Outcome::Ok(value), blobs, figures: vec!["sweep/figures/a.png".into()], ..record(0) };
        let record = record.sealed();
        let path = from.write(&record).unwrap();
        from.annotate(&record, Annotation::Tag("paper".into())).unwrap();
        fs::create_dir_all(from.folder_of("sweep").join("figures")).unwrap();
        fs::write(from.folder().join("sweep/figures/a.png"), "png").unwrap();
        fs::create_dir_all(from.folder_of("sweep").join("metrics")).unwrap();
        let metrics = from.folder_of("sweep").join("metrics").join(format!("{}.jsonl", record.id));
        fs::write(metrics, "{\"name\":\"loss\",\"step\":0,\"value\":1.0}\n").unwrap();
        let import = to.import(from.folder()).unwrap();
        assert_eq!(import, Import { new: 1, ..Import::default() });
        let copied = to.find(&record.id).unwrap();
        assert_eq!(copied, record);
        copied.verify().unwrap();
        assert_eq!(fs::read(to.path_of("sweep", &record.id)).unwrap(), fs::read(&path).unwrap());
        assert!(to.annotations(&copied).unwrap().tags_of(&copied).contains("paper"));
        assert_eq!(to.metrics(&copied).unwrap()["loss"], [(0, 1.0)]);
        assert!(to.folder().join("sweep/figures/a.png").is_file());
        let again = to.import(&from.folder_of("sweep")).unwrap();
        assert_eq!(again, Import { same: 1, ..Import::default() });
        let file = to.folder_of("sweep").join("annotations").join(format!("{}.jsonl", record.id));
        assert_eq!(fs::read_to_string(file).unwrap().matches("paper").count(), 1);
    }

    #[test]
    fn conflicts_and_bad_records_are_said_and_change_nothing() {
        let ((_a, from), (_b, to)) = (store(), store());
        let [one, two] = [0, 1].map(|layer| record(layer).sealed());
        let theirs = from.write(&one).unwrap();
        let ours = to.write(&Record { seed: 9, ..one.clone() }.sealed()).unwrap();
        let before = fs::read(&ours).unwrap();
        let bad = from.write(&two).unwrap();
        fs::write(&bad, fs::read_to_string(&bad).unwrap().replace("\"seed\": 0", "\"seed\": 1")).unwrap();
        let import = to.import(from.folder()).unwrap();
        assert_eq!((import.new, import.same, &import.conflicts), (0, 0, &vec![ours.clone()]));
        assert_eq!(import.refused, [Unreadable { path: bad, problem: Problem::Changed }]);
        assert!(!import.is_whole() && fs::read(&ours).unwrap() == before && theirs.is_file());
        let none = to.import(&from.folder().join("none")).unwrap_err().to_string();
        assert!(none.starts_with("cannot read `"), "{none}");
    }

    #[test]
    fn lines_are_records_if_they_are_whole() {
        let ((folder, from), (_b, to)) = (store(), store());
        let record = record(0).sealed();
        let path = from.write(&record).unwrap();
        let file = folder.path().join("lines.jsonl");
        fs::write(&file, format!("{}\n\n{{\"id\": \"x\", \"outcome\": {{\"ok\": 1}}}}\n{{\n", record.to_json()))
            .unwrap();
        let import = to.import(&file).unwrap();
        let said: Vec<String> = import.refused.iter().map(|file| file.problem.to_string()).collect();
        assert_eq!((import.new, said.len()), (1, 2), "{said:?}");
        assert!(
            said[0].contains("line 3: it is a line of `arrakis export`, which has neither source nor digest"),
            "{said:?}"
        );
        assert_eq!(fs::read(to.path_of("sweep", &record.id)).unwrap(), fs::read(path).unwrap());
    }
}
