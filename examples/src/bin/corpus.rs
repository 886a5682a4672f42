//! One pass over a corpus for two questions: how often does each neuron fire, and on what does the strongest one?

use arrakis::corpus::{Corpus, Firing, Pass, TopActivations, Unit};
use arrakis::models::files;
use arrakis::prelude::*;

/// Two kinds of text that the embedded model was trained on.
fn documents() -> Vec<String> {
    let names = ["Mary", "John", "Tom", "Anna", "David", "Sarah"];
    let pairs = names.iter().flat_map(|a| names.iter().filter(move |b| *b != a).map(move |b| (a, b)));
    let gifts = pairs.map(|(a, b)| format!("When {a} and {b} went to the store, {b} gave a drink to {a}"));
    let wars = (11..18).map(|year| format!("The war lasted from the year {year}32 to the year {year}45"));
    gifts.chain(wars).collect()
}

#[use_tools]
fn what_fires(bench: &Bench, #[tool] viz: FeatureViz) -> Result<()> {
    let (model, corpus) = (bench.model(), Corpus::texts(documents()));
    let neurons = (0..model.config().d_mlp).map(|neuron| Unit::neuron(1, neuron));
    let (mut firing, mut top) = (Firing::new("blocks.1.mlp.post"), TopActivations::new(neurons, 3));
    let report = Pass::new(model, &corpus).run(&mut [&mut firing, &mut top])?;
    println!("{report}");
    println!("{:.1} % of activations are 0 or less", 100.0 * firing.sparsity()?);
    let mut found = viz.of_pass(&top, 0);
    let strongest = firing.max().iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(neuron, _)| neuron);
    found.units = vec![found.units.swap_remove(strongest)];
    println!("{found}");
    let figure = found.figure(0)?;
    figure.save("experiments", "neuron")?;
    files::write_whole("experiments/neuron.html".as_ref(), figure.to_html())?;
    println!("experiments/neuron.html shows it in colour");
    Ok(())
}

fn main() -> Result<()> {
    what_fires(&Bench::embedded()?)
}
