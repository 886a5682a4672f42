//! How do features share dimensions? (Elhage et al., "Toy Models of Superposition", 2022, arXiv 2209.10652.)
//!
//! `cargo run --bin toy_models` trains three sets of small models, for some minutes; `-- --long` has the paper's 400
//! features in 30 dimensions, and a finer phase diagram. A run that was stopped goes on from its last checkpoint.

mod model;
mod phases;
mod plans;
mod train;

use std::f64::consts::TAU;
use std::path::PathBuf;

use arrakis::models::device;
use arrakis::plot::{Heatmap, Line, Scatter, Series};
use arrakis::prelude::*;
use arrakis::tools::features::superposition::FeatureGeometry;
use arrakis_examples::{Expect, Golden, run_folder};
use clap::Parser;
use plans::{Grid, RESTARTS};
use train::Study;

/// A feature whose direction is shorter is not represented.
const REPRESENTED: f64 = 0.5;

#[derive(Parser)]
struct Options {
    /// The paper's 400 features in 30 dimensions, and a finer phase diagram. It takes hours on a CPU.
    #[arg(long)]
    long: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder of checkpoints and figure. The default is `experiments/toy_models`, or `.._long`.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Models with the geometry of their features.
struct Found {
    /// Five features of falling importance in two dimensions, a model for each density.
    few: Vec<(f64, Tensor<2>, FeatureGeometry)>,
    /// Many features of one importance, a model for each density.
    many: Vec<(f64, FeatureGeometry)>,
    /// The dimensions of the second of two features in one dimension, `[importance][density]`.
    phases: Vec<Vec<f64>>,
    grid: Grid,
}

impl Found {
    fn train(options: &Options, out: &std::path::Path) -> Result<Self> {
        let superposition: Superposition = Bench::embedded()?.tool()?;
        let density = |study: &Study, toy: usize| study.plan.toys[toy].density;
        let of = |study: &Study, toy: usize| superposition.feature_geometry(study.directions(toy));
        let few = Study::train(plans::few(options.seed), out)?;
        let few =
            few.best(RESTARTS)?.into_iter().map(|toy| Ok((density(&few, toy), few.directions(toy), of(&few, toy)?)));
        let few = few.collect::<Result<_>>()?;
        let many = Study::train(plans::many(options.long, options.seed), out)?;
        let many =
            many.best(1)?.into_iter().map(|toy| Ok((density(&many, toy), of(&many, toy)?))).collect::<Result<_>>()?;
        let grid = Grid::new(options.long);
        let pairs = Study::train(grid.plan(options.seed), out)?;
        let second = |toy| Ok(of(&pairs, toy)?.dimensionality[1]);
        let second = pairs.best(RESTARTS)?.into_iter().map(second).collect::<Result<Vec<f64>>>()?;
        let phases = second.chunks(grid.densities.len()).map(<[f64]>::to_vec).collect();
        Ok(Self { few, many, phases, grid })
    }

    fn few(&self, density: f64) -> (&Tensor<2>, &FeatureGeometry) {
        let (_, directions, geometry) =
            self.few.iter().find(|(of, ..)| *of == density).expect("BUG: every density of the plan was trained");
        (directions, geometry)
    }

    /// What the closed form says, `[importance][density]`.
    fn theory(&self) -> Vec<Vec<f64>> {
        let row = |importance: &f64| {
            self.grid.densities.iter().map(|density| phases::second_feature(*density, *importance)).collect()
        };
        self.grid.importances.iter().map(row).collect()
    }

    /// The share of the diagram in which the nearest of 0, 1/2 and 1 is what the closed form says.
    fn agreement(&self) -> f64 {
        let (trained, theory) = (self.phases.concat(), self.theory().concat());
        let alike = trained.iter().zip(&theory).filter(|(trained, theory)| (*trained - *theory).abs() < 0.25).count();
        alike as f64 / theory.len() as f64
    }
}

/// The dimensions of the features that are represented.
fn represented(geometry: &FeatureGeometry) -> Vec<f64> {
    let of = geometry.norms.iter().zip(&geometry.dimensionality);
    of.filter(|(norm, _)| **norm >= REPRESENTED).map(|(_, dimensions)| *dimensions).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The corner of a figure with this many corners that is furthest from where a regular one has it, in degrees.
fn uneven(directions: &Tensor<2>) -> Result<f64> {
    let values = device::read(directions.clone())?;
    let mut angles: Vec<f64> =
        values.chunks(2).map(|of| f64::from(of[1]).atan2(f64::from(of[0])).rem_euclid(TAU).to_degrees()).collect();
    angles.sort_by(f64::total_cmp);
    let step = 360.0 / angles.len() as f64;
    let next = angles.iter().skip(1).copied().chain(angles.first().map(|first| first + 360.0));
    Ok(angles.iter().zip(next).map(|(angle, next)| (next - angle - step).abs()).fold(0.0, f64::max))
}

fn golden(found: &Found) -> Result<Golden> {
    let (dense, pairs, (corners, pentagon)) = (found.few(1.0).1, found.few(0.2).1, found.few(0.1));
    let count = |geometry: &FeatureGeometry| represented(geometry).len() as f64;
    let many = |density: f64| {
        found.many.iter().min_by(|(a, _), (b, _)| (a - density).abs().total_cmp(&(b - density).abs())).map(|(_, of)| of)
    };
    let of_many = |density, value: fn(&FeatureGeometry) -> f64| many(density).map_or(f64::NAN, value);
    let per_feature = |geometry: &FeatureGeometry| geometry.features_per_dimension.recip();
    Ok(Golden::new("Superposition in toy models")
        .row("5 features in 2 dimensions, always active: represented", "2", count(dense), Expect::Near(2.0, 0.0))
        .row("  dimensions of each", "1", mean(&represented(dense)), Expect::Near(1.0, 0.03))
        .row("active in 20 %: represented, in antipodal pairs", "4", count(pairs), Expect::Near(4.0, 0.0))
        .row("  dimensions of each", "1/2", mean(&represented(pairs)), Expect::Near(0.5, 0.03))
        .row("active in 10 %: represented, as a pentagon", "5", count(pentagon), Expect::Near(5.0, 0.0))
        .row("  dimensions of each", "2/5", mean(&represented(pentagon)), Expect::Near(0.4, 0.02))
        .row("  corner furthest from 72°, degrees", "0", uneven(corners)?, Expect::AtMost(8.0))
        .row(
            "many features, always active: dimensions for each",
            "1",
            of_many(1.0, per_feature),
            Expect::Near(1.0, 0.05),
        )
        .row("active in 30 %: dimensions for each", "1/2", of_many(0.3, per_feature), Expect::Near(0.5, 0.05))
        .row(
            "  share of the represented with 1/2 ± 0.05",
            "nearly all",
            of_many(0.3, |geometry| {
                let all = represented(geometry);
                all.iter().filter(|dimensions| (*dimensions - 0.5).abs() <= 0.05).count() as f64 / all.len() as f64
            }),
            Expect::AtLeast(0.8),
        )
        .row("active in 1 %: dimensions for each", "below 1/4", of_many(0.01, per_feature), Expect::AtMost(0.25))
        .row("phase diagram that is as its closed form", "nearly all", found.agreement(), Expect::AtLeast(0.9)))
}

fn figure(found: &Found) -> Result<Figure> {
    let mut figure = Figure::new("Superposition in toy models").columns(4);
    for density in [1.0, 0.2, 0.1] {
        let points = device::read(found.few(density).0.clone())?;
        let points = points.chunks(2).map(|of| (f64::from(of[0]), f64::from(of[1])));
        let title = format!("5 features in 2 dimensions, active in {:.0} %", 100.0 * density);
        figure.push(Scatter::new("dimension 0", "dimension 1", points).labels(1..=5)?.titled(title));
    }
    let log = |density: &f64| -density.log10();
    let per_feature = found.many.iter().map(|(_, geometry)| geometry.features_per_dimension.recip());
    let shared = Line::new("log₁₀ 1 / density", "m / ‖W‖²")
        .series(Series::new("m / ‖W‖²", found.many.iter().map(|(density, _)| log(density)), per_feature))
        .titled("dimensions for each feature");
    let each = found.many.iter().flat_map(|(density, geometry)| {
        represented(geometry).into_iter().map(move |dimensions| (log(density), dimensions))
    });
    let each = Scatter::new("log₁₀ 1 / density", "dimensions of a feature", each);
    let map = |values: Vec<Vec<f64>>, title: &str| {
        let short = |value: &f64| if *value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") };
        let short = |values: &[f64]| values.iter().map(short).collect::<Vec<_>>();
        Heatmap::new(values)
            .rows("importance of the second feature", short(&found.grid.importances))
            .columns("density", short(&found.grid.densities))
            .units("dimensions")
            .sequential()
            .limits(0.0, 1.0)
            .titled(title)
    };
    Ok(figure
        .with(shared)
        .with(each.titled("the same, each feature"))
        .with(map(found.phases.clone(), "2 features in 1 dimension: the second, trained"))
        .with(map(found.theory(), "the same, in closed form")))
}

fn main() -> Result<()> {
    let options = Options::parse();
    let out = run_folder("toy_models", options.long, options.out.as_deref());
    let found = Found::train(&options, &out)?;
    let files = figure(&found)?.save(&out, "toy_models")?;
    println!("{}{}", golden(&found)?, files[0].display());
    Ok(())
}
