//! Whether the code of a record is still the code of its source file.

use std::path::Path;

use super::Record;

/// A record beside its source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The file has the function as it was recorded, comments and attributes included.
    Fresh,
    /// The file has it in another form, or no longer.
    Changed,
    /// There is no such file.
    NotFound,
}

impl Freshness {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Changed => "changed",
            Self::NotFound => "not found",
        }
    }
}

/// Compares the text of a record's function with its file below `root`. Spaces and line breaks do not matter. Helpers that
/// the function calls are not compared.
pub fn freshness(record: &Record, root: &Path) -> Freshness {
    match std::fs::read_to_string(root.join(&record.file)) {
        Ok(text) if dense(&text).contains(&dense(&record.source)) => Freshness::Fresh,
        Ok(_) => Freshness::Changed,
        Err(_) => Freshness::NotFound,
    }
}

fn dense(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_does_not_matter_and_code_does() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record { file: "heads.rs".into(), source: "fn sweep() { 1 } // all".into(), ..Record::default() };
        assert_eq!(freshness(&record, folder.path()), Freshness::NotFound);
        let write = |text: &str| std::fs::write(folder.path().join("heads.rs"), text).unwrap();
        write("mod a;\nfn sweep() {\n    1\n} // all\n");
        assert_eq!(freshness(&record, folder.path()), Freshness::Fresh);
        write("fn sweep() { 2 } // all");
        assert_eq!(freshness(&record, folder.path()).word(), "changed");
    }
}
