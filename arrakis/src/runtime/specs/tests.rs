//! Every plot: its numbers against those of the run, its errors word for word, and the cost of all together.

use arrakis_models::{HookedAutoModel, HookedTransformer, Side, Tokens, TransformerConfig};
use burn::tensor::Tensor;

use super::by_name::{self, ALL};
use super::{PlotSpec, Plots};
use crate::error::Result;
use crate::plot::{Figure, Panel};
use crate::profile;
use crate::tools::testing::{VOCAB, close, encoder, fixture, induction_model, not_finite};

const IDS: [u32; 6] = [5, 6, 7, 5, 6, 8];

#[allow(clippy::needless_pass_by_value, reason = "made for the call")]
fn panels(specs: Vec<PlotSpec>, tokens: Tokens, model: &HookedTransformer) -> Result<Vec<Panel>> {
    Plots::new(specs, &tokens, model).panels(model)
}

fn tokens() -> Tokens {
    Tokens::new(vec![IDS.to_vec()]).unwrap()
}

fn drawn(spec: PlotSpec, model: &HookedTransformer) -> Vec<Panel> {
    panels(vec![spec], tokens(), model).unwrap()
}

fn refused(spec: PlotSpec, model: &HookedTransformer) -> String {
    panels(vec![spec], tokens(), model).unwrap_err().to_string()
}

/// The rows, columns and values of the only heatmap.
#[allow(clippy::needless_pass_by_value, reason = "made for the call")]
fn only_map(panels: Vec<Panel>) -> (Vec<String>, Vec<String>, Vec<Vec<f64>>) {
    let [Panel::Heatmap(map)] = &panels[..] else { panic!("not one heatmap: {panels:?}") };
    (map.rows.clone(), map.columns.clone(), map.values.clone())
}

/// `L0`, `L1` ...
fn layers(model: &HookedTransformer) -> Vec<String> {
    (0..model.config().n_layers).map(|layer| format!("L{layer}")).collect()
}

/// The pattern of a layer on [`IDS`]: `[head][query][key]`.
fn pattern(model: &HookedTransformer, layer: usize) -> Vec<Vec<Vec<f64>>> {
    let cache = model.capture(tokens(), [arrakis_models::site::pattern(layer)]).unwrap();
    let pattern: Tensor<4> = cache.get(arrakis_models::site::pattern(layer)).unwrap();
    let [_, heads, pos, _] = pattern.dims();
    let values: Vec<f64> = arrakis_models::device::read(pattern).unwrap().into_iter().map(f64::from).collect();
    let head = |head: usize| values[head * pos * pos..][..pos * pos].chunks(pos).map(<[f64]>::to_vec).collect();
    (0..heads).map(head).collect()
}

#[test]
fn attention_is_the_pattern_of_each_head_and_qk_its_scores() {
    let model = fixture("gpt2");
    let panels = drawn(by_name::attention().site("blocks.1.attn.pattern").heads([1, 0]), &model);
    let [Panel::Attention(shown)] = &panels[..] else { panic!("{panels:?}") };
    let names: Vec<&str> = shown.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!((names, shown.title.as_str(), shown.queries.len()), (vec!["L1H1", "L1H0"], "blocks.1.attn.pattern", 6));
    let expected = pattern(&model, 1);
    assert_eq!((&shown.heads[0].pattern, &shown.heads[1].pattern), (&expected[1], &expected[0]));

    let panels = drawn(by_name::qk().site("blocks.0.attn.scores").title("scores"), &model);
    let [Panel::Attention(scores)] = &panels[..] else { panic!("{panels:?}") };
    let softmax = |row: &[f64]| {
        let sum: f64 = row.iter().map(|score| score.exp()).sum();
        row.iter().map(|score| score.exp() / sum).collect::<Vec<f64>>()
    };
    let last = softmax(scores.heads[0].pattern.last().unwrap());
    last.iter().zip(pattern(&model, 0)[0].last().unwrap()).for_each(|(a, b)| close(*a, *b, 1e-5));
    assert_eq!(scores.title, "scores");
}

#[test]
fn attention_statistics_are_those_of_the_weights() {
    let model = fixture("gpt2");
    let panels = drawn(by_name::attention_stats(), &model);
    let maps: Vec<_> = panels.into_iter().map(|panel| only_map(vec![panel])).collect();
    let rows = pattern(&model, 1)[0].clone();
    let mean = |number: &dyn Fn(usize) -> f64| (1..rows.len()).map(number).sum::<f64>() / (rows.len() - 1) as f64;
    let entropy = |query: usize| rows[query].iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
    let distance = |query: usize| (0..=query).map(|key| rows[query][key] * (query - key) as f64).sum::<f64>();
    close(maps[0].2[1][0], mean(&entropy), 1e-9);
    close(maps[1].2[1][0], mean(&distance), 1e-9);
    close(maps[2].2[1][0], mean(&|query| rows[query][0]), 1e-9);
    assert_eq!((maps.len(), maps[0].0.clone()), (3, layers(&model)));
}

#[test]
fn the_planted_induction_head_has_the_stripe() {
    let model = induction_model();
    let once: Vec<u32> = (0..VOCAB as u32).collect();
    let twice = Tokens::new(vec![[once.clone(), once.clone()].concat()]).unwrap();
    let (rows, columns, values) = only_map(panels(vec![by_name::induction()], twice, &model).unwrap());
    let best = values.iter().flatten().copied().fold(0.0, f64::max);
    assert_eq!((rows[1].as_str(), columns[0].as_str(), values[1][0]), ("L1", "H0", best));
    assert!(best > 0.9, "{values:?}");
    let error = panels(vec![by_name::induction()], Tokens::new(vec![once]).unwrap(), &model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "induction: no token of the prompt occurs again after another: give a text that repeats"
    );
}

#[test]
fn norms_are_one_number_for_each_layer_and_token() {
    let model = fixture("gpt2");
    let (rows, columns, values) = only_map(drawn(by_name::residual_norms(), &model));
    let stream: Tensor<3> = model
        .capture(tokens(), [arrakis_models::site::resid_post(1)])
        .unwrap()
        .get(arrakis_models::site::resid_post(1))
        .unwrap();
    let norms = arrakis_models::device::read(stream.powf_scalar(2.0).sum_dim(2).sqrt()).unwrap();
    norms.iter().zip(&values[1]).for_each(|(a, b)| close(*a, *b, 1e-4));
    assert_eq!((rows, columns.len()), (layers(&model), IDS.len()));

    let (rows, _, scales) = only_map(drawn(by_name::layer_norms(), &model));
    let in_block = |layer: usize| [format!("L{layer} ln1.scale"), format!("L{layer} ln2.scale")];
    let mut expected: Vec<String> = (0..model.config().n_layers).flat_map(in_block).collect();
    expected.push("ln_final.scale".into());
    assert_eq!(rows, expected);
    let first: Tensor<3> = model.capture(tokens(), ["blocks.0.ln1.scale"]).unwrap().get("blocks.0.ln1.scale").unwrap();
    let expected = arrakis_models::device::read(first).unwrap();
    assert_eq!(scales[0], expected.into_iter().map(f64::from).collect::<Vec<f64>>());
}

#[test]
fn neurons_are_the_strongest_or_those_that_are_named() {
    let model = fixture("gpt2");
    let neurons: Tensor<3> = model.capture(tokens(), ["blocks.0.mlp.post"]).unwrap().get("blocks.0.mlp.post").unwrap();
    let d_mlp = neurons.dims()[2];
    let values: Vec<f64> = arrakis_models::device::read(neurons).unwrap().into_iter().map(f64::from).collect();
    let of = |neuron: usize| values.iter().skip(neuron).step_by(d_mlp).copied().collect::<Vec<f64>>();
    let strength = |neuron: &usize| of(*neuron).iter().map(|value| value.abs()).sum::<f64>();
    let strongest = (0..d_mlp).max_by(|a, b| strength(a).total_cmp(&strength(b))).unwrap();

    let panels = drawn(by_name::neuron_trajectories().site("blocks.0.mlp.post"), &model);
    let [Panel::Line(line)] = &panels[..] else { panic!("{panels:?}") };
    assert_eq!((line.series.len(), line.series[0].name.clone()), (5, format!("neuron {strongest}")));
    assert_eq!((&line.series[0].y, line.series[0].x[5]), (&of(strongest), 5.0));

    let panels = drawn(by_name::neuron_activations().site("blocks.0.mlp.post").neurons([3, 1]), &model);
    let [Panel::Violin(violin)] = &panels[..] else { panic!("{panels:?}") };
    let labels: Vec<&str> = violin.groups.iter().map(|group| group.label.as_str()).collect();
    assert_eq!((labels, &violin.groups[0].values), (vec!["3", "1"], &of(3)));
}

#[test]
fn a_heatmap_shows_any_site() {
    let model = fixture("gpt2");
    let (config, of) = (model.config().clone(), |site: &str| drawn(by_name::heatmap().site(site), &model));
    let (rows, columns, _) = only_map(of("blocks.0.resid_post"));
    assert_eq!((rows.len(), columns.len()), (IDS.len(), config.d_model));
    let heads = of("blocks.0.attn.q");
    let (_, columns, _) = only_map(vec![heads[0].clone()]);
    assert_eq!((heads.len(), columns.len()), (config.n_heads, config.d_head));
    let patterns = of("blocks.1.attn.pattern");
    assert_eq!(only_map(vec![patterns[1].clone()]).2, pattern(&model, 1)[1]);
}

#[test]
fn layers_are_in_the_order_of_the_forward() {
    let config = TransformerConfig::plain("deep", 12, 8, 2, 32, 16);
    let model = HookedAutoModel::from_config(&config, 0).unwrap();
    let (rows, ..) = only_map(drawn(by_name::residual_norms(), &model));
    assert_eq!(rows, layers(&model));
    let reversed = by_name::residual_norms().site("blocks.{10,2}.resid_post").site("blocks.0.resid_post");
    assert_eq!(only_map(drawn(reversed, &model)).0, ["L0", "L2", "L10"]);
}

#[test]
fn every_plot_draws_every_model_that_has_its_sites_and_can_be_painted() {
    for model in [fixture("gpt2"), encoder(), induction_model()] {
        for plot in ALL {
            let spec = || if plot().name == "heatmap" { plot().site("blocks.0.resid_pre") } else { plot() };
            match panels(vec![spec()], tokens(), &model) {
                Ok(panels) => {
                    let figure = panels.into_iter().fold(Figure::new("t"), Figure::with);
                    assert!(figure.to_svg().is_ok(), "{}: {:?}", spec().name, figure.validate());
                }
                Err(error) => {
                    let without = format!("{}: `{}` has no site ", spec().name, model.name());
                    assert!(error.to_string().starts_with(&without), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_plot_of_numbers_that_are_not_finite_says_so() {
    let model = not_finite();
    let figure = panels(vec![by_name::residual_norms()], tokens(), &model).unwrap();
    let figure = figure.into_iter().fold(Figure::new("t"), Figure::with);
    let seen = figure.to_svg().unwrap_or_else(|error| error.to_string());
    assert!(seen.contains("NaN") || seen.contains("not finite") || seen.contains("not\u{a0}finite"), "{seen}");
}

#[test]
fn all_plots_of_a_function_share_one_run() {
    let model = fixture("gpt2");
    let plots = vec![by_name::attention(), by_name::residual_norms(), by_name::attention_stats(), by_name::induction()];
    let (drawn, profile) = profile::measure(|| panels(plots, tokens(), &model), || ());
    assert_eq!(drawn.unwrap().len(), model.config().n_layers + 1 + 3 + 1);
    let passes = profile.sites.iter().find(|site| site.site == "blocks.0.resid_pre").unwrap().passes;
    assert_eq!(passes, 1);
}

#[test]
fn padded_prompts_count_without_their_padding() {
    let model = fixture("gpt2");
    let alone =
        |ids: &[u32]| panels(vec![by_name::attention_stats()], Tokens::new(vec![ids.to_vec()]).unwrap(), &model);
    let rows = [IDS.to_vec(), vec![9, 10, 11]];
    let each = rows.iter().map(|ids| alone(ids).unwrap()).collect::<Vec<_>>();
    for side in [Side::Left, Side::Right] {
        let together =
            panels(vec![by_name::attention_stats()], Tokens::padded(&rows, side, 0).unwrap(), &model).unwrap();
        for panel in 0..3 {
            let value = |panels: &[Panel]| only_map(vec![panels[panel].clone()]).2[1][1];
            close(value(&together), f64::midpoint(value(&each[0]), value(&each[1])), 1e-5);
        }
    }
}

#[test]
fn mistakes_are_named_before_the_run() {
    let model = fixture("gpt2");
    let unknown = refused(by_name::attention().site("blocks.0.atn.pattern"), &model);
    assert!(unknown.contains("`blocks.0.atn.pattern`") && unknown.contains("blocks.0.attn.pattern"), "{unknown}");
    assert_eq!(
        refused(by_name::attention().site("blocks.0.resid_post"), &model),
        "attention: it draws sites with the axes [b, h, q, k], and `blocks.0.resid_post` has [b, p, m]"
    );
    assert_eq!(refused(by_name::heatmap(), &model), "heatmap: name what it draws: `heatmap(\"blocks.*.resid_post\")`");
    assert_eq!(
        refused(by_name::residual_norms().heads([0]), &model),
        "residual_norms: it does not use `heads`; leave it out"
    );
    let most = model.config().n_heads;
    assert_eq!(
        refused(by_name::qk().heads([most]), &model),
        format!("qk: head {most} is out of range: there are {most}, numbered from 0")
    );
    let two = Tokens::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
    assert_eq!(
        panels(vec![by_name::attention()], two, &model).unwrap_err().to_string(),
        "attention: it shows one prompt, and there are 2: pass one"
    );
}
