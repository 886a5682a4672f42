//! The figure that a function draws on.

use super::*;

#[log_experiment]
#[plot_results(name = "Head effects")]
fn draws(_bench: &Bench, effect: f64, #[figure] fig: &mut Figure) -> Result<f64> {
    fig.push(plot::Heatmap::new([[effect, 0.0], [0.5, 1.0]]));
    Ok(effect)
}

#[plot_results]
fn draws_nothing(_bench: &Bench, #[figure] _fig: &mut Figure) -> Result<()> {
    Ok(())
}

#[plot_results(dir = dir)]
fn draws_elsewhere(_bench: &Bench, dir: &str, #[figure] fig: &mut Figure) {
    fig.title = "Mine".into();
    fig.push(plot::Heatmap::new([[1.0]]));
}

#[plot_results]
fn fails_first(_bench: &Bench, #[figure] _fig: &mut Figure) -> Result<()> {
    Err(Error::Tool { tool: "first", problem: "failed".into() })
}

#[test]
fn a_figure_is_saved_next_to_its_record_and_has_its_id() {
    let (folder, bench) = bench();
    draws(&bench, 0.25).unwrap();
    draws(&bench, 0.25).unwrap();
    let last = bench.last().unwrap();
    let record = last.record.unwrap();
    let kinds: Vec<&str> = record.figures.iter().filter_map(|file| file.rsplit('.').next()).collect();
    assert!(kinds.contains(&"png") && kinds.contains(&"svg"), "{kinds:?}");
    for file in &record.figures {
        let path = folder.path().join(file);
        assert!(path.is_file() && file.starts_with(&format!("draws/figures/{}-head_effects.", record.id)), "{file}");
    }
    let saved: Vec<_> = record.figures.iter().map(|file| folder.path().join(file)).collect();
    assert_eq!(last.figures, saved);
    let data = record.figures.iter().find(|file| file.rsplit('.').next() == Some("json")).unwrap();
    assert!(std::fs::read_to_string(folder.path().join(data)).unwrap().contains(&record.id));
    let first = &bench.runs("draws", &record.version).unwrap()[0];
    assert_ne!(first.figures, record.figures);
}

#[test]
fn an_empty_figure_is_an_error() {
    let (_folder, bench) = bench();
    let error = draws_nothing(&bench).unwrap_err();
    assert!(matches!(error, Error::EmptyFigure { .. }), "{error}");
}

#[test]
fn a_body_that_fails_keeps_its_own_error() {
    let (_folder, bench) = bench();
    assert_eq!(fails_first(&bench).unwrap_err().to_string(), "first: failed");
}

#[test]
fn a_folder_can_be_named() {
    let (_folder, bench) = bench();
    let elsewhere = tempfile::tempdir().unwrap();
    draws_elsewhere(&bench, elsewhere.path().to_str().unwrap());
    let names: Vec<String> = std::fs::read_dir(elsewhere.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name.contains("-mine.")), "{names:?}");
}

#[log_experiment]
#[plot_results(
    name = "Norms",
    residual_norms(),
    attention("blocks.1.attn.pattern", heads = [1], title = format!("layer {layer}")),
    induction("blocks.{0,1}.attn.pattern")
)]
fn drawn_by_the_attribute(_bench: &Bench, prompt: Vec<u32>, layer: usize, #[figure] fig: &mut Figure) -> Result<usize> {
    let before = fig.panels.len();
    fig.push(plot::Heatmap::new([[1.0, 2.0]]));
    Ok(before * 100 + layer + prompt.len())
}

#[plot_results(residual_norms("blocks.9.resid_post"))]
fn of_an_unknown_site(_bench: &Bench, tokens: &[u32]) -> Result<()> {
    panic!("sites are checked before the body runs: {tokens:?}")
}

#[plot_results(residual_norms(), prompt = [1, 2, bench.model().config().n_layers as u32])]
fn without_a_figure_argument(bench: &Bench) {}

/// Keeps what it was given, as a plotter that a user wrote.
#[derive(Clone, Default)]
struct Kept(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl plot::Plotter for Kept {
    fn plot(&self, figure: &Figure, folder: &std::path::Path, stem: &str) -> Result<Vec<std::path::PathBuf>> {
        self.0.lock().unwrap().push(figure.title.clone());
        Ok(vec![folder.join(stem)])
    }
}

#[test]
fn plots_of_the_attribute_come_first_and_the_body_adds_its_own() {
    let (folder, bench) = bench();
    assert_eq!(drawn_by_the_attribute(&bench, vec![1, 2, 3, 1, 2], 7).unwrap(), 312);
    let record = bench.last().unwrap().record.unwrap();
    let data = record
        .figures
        .iter()
        .find(|file| std::path::Path::new(file).extension().is_some_and(|end| end == "json"))
        .unwrap();
    let figure = Figure::from_json(&std::fs::read_to_string(folder.path().join(data)).unwrap()).unwrap();
    let kinds: Vec<&str> = figure.panels.iter().map(|panel| panel.plot().name()).collect();
    assert_eq!(kinds, ["heatmap", "attention", "heatmap", "heatmap"]);
    let titles: Vec<&str> = figure.panels.iter().map(|panel| panel.plot().title()).collect();
    assert_eq!(titles, ["norm of the residual stream", "layer 7", "induction stripe", ""]);
    assert_eq!((record.result::<usize>().unwrap(), figure.title.as_str()), (312, "Norms"));
}

#[test]
fn a_plot_that_cannot_be_drawn_is_the_functions_error_before_the_body() {
    let (_folder, bench) = bench();
    let error = of_an_unknown_site(&bench, &[1, 2]).unwrap_err().to_string();
    assert!(error.starts_with("no site fits `blocks.9.resid_post`; did you mean"), "{error}");
}

#[test]
fn plots_alone_need_no_figure_argument_and_any_prompt_may_be_named() {
    let (_folder, bench) = bench();
    without_a_figure_argument(&bench);
    assert_eq!(bench.last().unwrap().figures.len(), 4);
}

#[test]
fn a_plotter_of_a_user_draws_every_figure() {
    let (folder, mut bench) = bench();
    let kept = Kept::default();
    bench.set_plotting_lib(kept.clone());
    draws(&bench, 0.25).unwrap();
    let run = bench.last().unwrap();
    assert_eq!(*kept.0.lock().unwrap(), ["Head effects"]);
    assert!(run.figures[0].starts_with(folder.path()) && run.figures.len() == 1, "{run:?}");
    bench.set_plotting_lib(plot::Html);
    draws(&bench, 0.25).unwrap();
    let [page] = &bench.last().unwrap().figures[..] else { panic!("one page") };
    assert!(std::fs::read_to_string(page).unwrap().starts_with("<!DOCTYPE html>"));
}
