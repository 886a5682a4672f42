//! `arrakis whence`: the run that drew a figure.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{Answer, Dir, SourceArgs, show};
use crate::error::{Error, Result};
use crate::plot::Origin;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A PNG or an SVG file
    figure: PathBuf,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    sources: SourceArgs,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let origin = Origin::read(&args.figure)?.ok_or_else(|| Error::Value {
        of: "arrakis whence",
        problem: format!(
            "`{}` does not say which record it is of: it is no figure of a logged experiment, or another program rewrote it",
            args.figure.display()
        ),
    })?;
    let store = args.dir.store()?;
    let record = store.find(&origin.record)?;
    let data = args.figure.with_extension("json");
    let beside = match std::fs::read(&data) {
        Err(_) => "not beside the figure".to_owned(),
        Ok(json) if format!("{:x}", Sha256::digest(&json)) == origin.data => format!("{}", data.display()),
        Ok(_) => format!("{} is of another figure, or was changed", data.display()),
    };
    let page = show::page(&store, &record, &args.sources.read().assess(&record))?;
    Ok(Answer { text: format!("data        {beside}\ndigest      {}\n{page}", origin.data), yes: true })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};
    use crate::plot::{Figure, Heatmap};

    #[test]
    fn a_figure_names_its_run_and_its_data() {
        let study = Study::new();
        let figure = Figure::new("t").heatmap(Heatmap::new([[0.25, 1.0]])).record(study.id(1));
        let files = figure.save(study.folder(), "f").unwrap();
        for picture in &files[..2] {
            let (code, out, _) = ran(&study.args(&["whence", picture.to_str().unwrap()]));
            let json = files.last().unwrap();
            assert!(code == 0 && out.starts_with(&format!("data        {}\ndigest      ", json.display())), "{out}");
            assert!(out.contains(&format!("\nrun         {}\n", study.id(1))), "{out}");
        }
        std::fs::write(files.last().unwrap(), "{}").unwrap();
        let (_, out, _) = ran(&study.args(&["whence", files[0].to_str().unwrap()]));
        assert!(out.contains("is of another figure, or was changed"), "{out}");
        let (code, _, err) = ran(&study.args(&["whence", files.last().unwrap().to_str().unwrap()]));
        assert!(code == 2 && err.contains("does not say which record it is of"), "{err}");
    }
}
