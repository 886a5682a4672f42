//! What draws the figures of an experiment: files of pictures, one page, the terminal, or something of your own.

use std::fs;
use std::path::{Path, PathBuf};

use arrakis_models::files::write_whole;

use super::Figure;
use super::output::check_stem;
use crate::{Error, Result};

/// Draws figures. [`Bench::set_plotting_lib`](crate::Bench::set_plotting_lib) chooses one.
///
/// ```
/// use std::path::{Path, PathBuf};
///
/// use arrakis::plot::{Figure, Plotter};
/// use arrakis::prelude::*;
///
/// /// Appends the numbers of every figure to one file.
/// struct Numbers;
///
/// impl Plotter for Numbers {
///     fn plot(&self, figure: &Figure, folder: &Path, _stem: &str) -> Result<Vec<PathBuf>> {
///         let file = folder.join("numbers.json");
///         std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, figure.to_json())).expect("a writable folder");
///         Ok(vec![file])
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let mut bench = Bench::embedded()?;
/// bench.set_plotting_lib(Numbers);
/// # Ok(())
/// # }
/// ```
pub trait Plotter: Send + Sync {
    /// Draws a figure. Its files are in `folder`, which need not exist, and their names begin with `stem`, which is
    /// different for each figure. Returns the files, which the record lists.
    ///
    /// # Errors
    ///
    /// A figure that cannot be drawn, a file that cannot be written.
    fn plot(&self, figure: &Figure, folder: &Path, stem: &str) -> Result<Vec<PathBuf>>;
}

/// PNG and SVG with the numbers beside them, as CSV and JSON: [`Figure::save`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Pictures;

impl Plotter for Pictures {
    fn plot(&self, figure: &Figure, folder: &Path, stem: &str) -> Result<Vec<PathBuf>> {
        figure.save(folder, stem)
    }
}

/// One HTML file, which needs no network and holds the numbers: [`Figure::to_html`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Html;

impl Plotter for Html {
    fn plot(&self, figure: &Figure, folder: &Path, stem: &str) -> Result<Vec<PathBuf>> {
        write(figure, folder, &format!("{stem}.html"), figure.to_html())
    }
}

/// A few lines of text on stdout: [`Figure::to_terminal`]. The numbers are saved as JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

impl Plotter for Terminal {
    fn plot(&self, figure: &Figure, folder: &Path, stem: &str) -> Result<Vec<PathBuf>> {
        let files = write(figure, folder, &format!("{stem}.json"), figure.to_json())?;
        println!("{}", figure.to_terminal());
        Ok(files)
    }
}

/// Writes one file of a valid figure.
fn write(figure: &Figure, folder: &Path, name: &str, text: String) -> Result<Vec<PathBuf>> {
    figure.validate()?;
    check_stem(name)?;
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let path = folder.join(name);
    write_whole(&path, text)?;
    Ok(vec![path])
}

#[cfg(test)]
mod tests {
    use super::super::Heatmap;
    use super::*;

    fn files(plotter: &dyn Plotter) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let figure = Figure::new("t").heatmap(Heatmap::new([[0.25, 1.0]]));
        let listed = plotter.plot(&figure, &folder.path().join("new"), "f").unwrap();
        let read = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        listed.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(path))).collect()
    }

    #[test]
    fn each_plotter_writes_its_files_with_the_numbers() {
        let names = |plotter| files(plotter).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(&Pictures), ["f.png", "f.svg", "f.csv", "f.json"]);
        assert_eq!((names(&Html), names(&Terminal)), (vec!["f.html".to_owned()], vec!["f.json".to_owned()]));
        for plotter in [&Html as &dyn Plotter, &Terminal] {
            assert!(files(plotter)[0].1.contains("0.25"));
        }
    }

    #[test]
    fn no_plotter_writes_a_figure_that_is_empty_or_a_name_that_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let figure = Figure::new("t").heatmap(Heatmap::new([[1.0]]));
        for plotter in [&Pictures as &dyn Plotter, &Html, &Terminal] {
            assert!(matches!(plotter.plot(&Figure::new("t"), folder.path(), "f"), Err(Error::EmptyFigure { .. })));
            assert!(plotter.plot(&figure, folder.path(), "../f").is_err());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
