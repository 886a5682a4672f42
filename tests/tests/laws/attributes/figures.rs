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
