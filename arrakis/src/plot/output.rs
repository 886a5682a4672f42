//! A figure's files: PNG, SVG, CSV and JSON, each written to a temporary file and then renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use arrakis_models::files::{write_whole, write_whole_with};

use super::{Figure, Origin, paint};
use crate::{Error, Result};

impl Figure {
    /// Writes `stem.png`, `stem.svg`, `stem.csv` and `stem.json` into `dir`, which is created if needed.
    ///
    /// If there are several panels, each has its own table: `stem-1.csv`, `stem-2.csv` ... A file is either
    /// complete or absent, and the same figure gives the same bytes. Returns the paths, pictures first.
    ///
    /// # Errors
    ///
    /// Those of [`Figure::validate`]; `FigureValue` if `stem` is not a plain file name; `Write`.
    pub fn save(&self, dir: impl AsRef<Path>, stem: &str) -> Result<Vec<PathBuf>> {
        self.validate()?;
        check_stem(stem)?;
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
        let (scene, size) = self.scene();
        let png = dir.join(format!("{stem}.png"));
        write_whole_with(&png, |aside| {
            let written = paint::png(&scene, size, aside).and_then(|()| self.add_origin(aside));
            written.map_err(|source| Error::Write { path: png.clone(), source })
        })?;
        let texts = [(format!("{stem}.svg"), self.to_svg()?)]
            .into_iter()
            .chain(self.tables(stem))
            .chain([(format!("{stem}.json"), self.to_json())]);
        let mut files = vec![png];
        for (name, text) in texts {
            let path = dir.join(name);
            write_whole(&path, text)?;
            files.push(path);
        }
        Ok(files)
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    ///
    /// Those of [`Figure::validate`].
    pub fn to_svg(&self) -> Result<String> {
        self.validate()?;
        let (scene, size) = self.scene();
        let document = paint::svg(&scene, size);
        Ok(match Origin::of(self) {
            Some(origin) => origin.into_svg(&document),
            None => document,
        })
    }

    /// Says in a PNG file where the figure is from.
    fn add_origin(&self, png: &Path) -> io::Result<()> {
        let Some(origin) = Origin::of(self) else { return Ok(()) };
        fs::write(png, origin.into_png(&fs::read(png)?))
    }

    /// The figure in a few lines of text, or the reason it cannot be drawn.
    pub fn to_terminal(&self) -> String {
        if let Err(error) = self.validate() {
            return format!("{}\n{error}\n", self.title);
        }
        let mut out = format!("{}\n", self.title);
        for panel in &self.panels {
            let plot = panel.plot();
            if !plot.title().is_empty() {
                out += format!("{}\n", plot.title()).as_str();
            }
            out += &plot.to_terminal();
        }
        if let Some(record) = &self.record {
            out += format!("record {record}\n").as_str();
        }
        out
    }

    /// All data as strict JSON; non-finite floats are the strings `NaN`, `inf`, `-inf`.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("BUG: a figure is plain data");
        text + "\n"
    }

    /// Reads a figure from its JSON.
    ///
    /// # Errors
    ///
    /// `FigureValue` if the text is not a figure.
    pub fn from_json(text: &str) -> Result<Self> {
        let wrong =
            |error| Error::FigureValue { kind: "figure", problem: format!("not the JSON of a figure: {error}") };
        serde_json::from_str(text).map_err(wrong)
    }

    /// File names and CSV texts of all panels.
    fn tables(&self, stem: &str) -> Vec<(String, String)> {
        let csv = |panel: &super::Panel| panel.plot().table().to_csv();
        if let [panel] = self.panels.as_slice() {
            return vec![(format!("{stem}.csv"), csv(panel))];
        }
        let numbered = self.panels.iter().zip(1..);
        numbered.map(|(panel, number)| (format!("{stem}-{number}.csv"), csv(panel))).collect()
    }
}

/// Checks that a stem names files in the given folder, not elsewhere.
pub(super) fn check_stem(stem: &str) -> Result<()> {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    if !stem.is_empty() && !stem.starts_with('.') && !stem.contains(forbidden) && stem.len() <= 200 {
        return Ok(());
    }
    let problem = format!("`{stem}` cannot name its files: use letters, digits, `-`, `_` and `.`");
    Err(Error::FigureValue { kind: "figure", problem })
}

#[cfg(test)]
mod tests {
    use super::super::{Bars, Heatmap};
    use super::*;

    fn figure() -> Figure {
        let map = Heatmap::heads([[1.0, -0.5], [f64::NAN, 0.25]]).units("logit difference (nats)").annotate(1);
        Figure::new("A < B & \"C\"").heatmap(map).record("3f9a0c")
    }

    fn names(files: &[PathBuf]) -> Vec<String> {
        files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn four_files_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let files = figure().save(dir.path().join("new"), "map").unwrap();
        assert_eq!(names(&files), ["map.png", "map.svg", "map.csv", "map.json"]);
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 4);
        let png = fs::read(&files[0]).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"));
        let (_, (wide, high)) = figure().scene();
        let pixels = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((pixels(16), pixels(20)), (wide.ceil() as u32 * 2, high.ceil() as u32 * 2));
        let svg = fs::read_to_string(&files[1]).unwrap();
        assert!(svg.contains("A &lt; B &amp; &quot;C&quot;") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("record 3f9a0c"));
    }

    #[test]
    fn the_same_figure_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let read = |dir: &tempfile::TempDir| {
            let files = figure().save(dir.path(), "map").unwrap();
            files.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert!(read(&one) == read(&two));
    }

    #[test]
    fn json_keeps_every_number() {
        let text = figure().to_json();
        assert!(text.contains("\"NaN\"") && !text.contains("null,\n      0.25"));
        let back = Figure::from_json(&text).unwrap();
        assert_eq!(back.to_json(), text);
        assert!(back.record.as_deref() == Some("3f9a0c"));
    }

    #[test]
    fn each_panel_has_its_own_table() {
        let dir = tempfile::tempdir().unwrap();
        let files = figure().bar(Bars::new([("a", 1.0)])).save(dir.path(), "two").unwrap();
        assert_eq!(names(&files), ["two.png", "two.svg", "two-1.csv", "two-2.csv", "two.json"]);
        assert_eq!(fs::read_to_string(&files[3]).unwrap(), "label,value\na,1\n");
    }

    #[test]
    fn mistakes_are_named_and_write_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            figure().save(dir.path(), "../up").unwrap_err().to_string(),
            "figure: `../up` cannot name its files: use letters, digits, `-`, `_` and `.`"
        );
        assert!(Figure::new("t").save(dir.path(), "t").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let message = figure().save(&file, "map").unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write `{}`: ", file.display())), "{message}");
        let message = Figure::from_json("{}").unwrap_err().to_string();
        assert!(message.starts_with("figure: not the JSON of a figure: missing field `title`"), "{message}");
    }
}
