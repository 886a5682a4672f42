//! Every site: its axes, and what capturing, changing and not changing it do.

use arrakis::models::device::read;
use arrakis::models::hooks::{Activation, Edit, Plan};
use arrakis::models::site::{Axis, Site};
use arrakis::models::{HookedTransformer, Tokens};

use super::{apart, each, logits, prompt};

/// The lengths of the axes in the site table.
fn expected_dims(model: &HookedTransformer, name: &str, tokens: &Tokens) -> Vec<usize> {
    let config = model.config();
    let row = Site::named(name).unwrap().row();
    let length = |axis: &Axis| match axis {
        Axis::Batch => tokens.batch(),
        Axis::Pos | Axis::Query | Axis::Key => tokens.pos(),
        Axis::Head => config.n_heads,
        Axis::KvHead => config.n_kv_heads,
        Axis::Model => config.d_model,
        Axis::DHead => config.d_head,
        Axis::Mlp => config.d_mlp,
        Axis::Vocab => config.d_vocab,
        Axis::Expert => config.experts.unwrap().count,
        Axis::Shared => config.experts.unwrap().shared.unwrap(),
        Axis::One => 1,
        other => panic!("axis {other}"),
    };
    row.axes.iter().map(length).collect()
}

#[test]
fn every_site_is_captured_with_the_axes_of_the_table() {
    each(axes_of_the_table);
}

pub(super) fn axes_of_the_table(model: &HookedTransformer) -> Result<(), String> {
    let tokens = prompt();
    let (_, cache) = model.run_with_cache(&tokens, ["*"]).map_err(|error| error.to_string())?;
    let mut met: Vec<&str> = cache.sites().collect();
    let mut known = model.sites();
    met.sort_unstable();
    known.sort_unstable();
    if met != known {
        return Err(format!(
            "the table and the run differ: {:?}",
            known.iter().filter(|site| !met.contains(&site.as_str())).collect::<Vec<_>>()
        ));
    }
    for (name, value) in cache.iter() {
        let expected = expected_dims(model, name, &tokens);
        // Learned positions are looked up once for all rows if the rows agree.
        if value.dims() != expected {
            return Err(format!("{name} is {:?}, the table says {expected:?}", value.dims()));
        }
    }
    Ok(())
}

#[test]
fn capturing_changes_no_bit() {
    each(|model| {
        let tokens = prompt();
        let seen = model.run_with_cache(&tokens, ["*"]).unwrap().0;
        if read(seen).unwrap() == logits(model, &tokens) {
            Ok(())
        } else {
            Err("capturing everything changed the logits".into())
        }
    });
}

#[test]
fn an_edit_at_every_site_changes_the_output_and_fires_once() {
    each(each_edit_moves_the_output);
}

pub(super) fn each_edit_moves_the_output(model: &HookedTransformer) -> Result<(), String> {
    let tokens = prompt();
    let clean = logits(model, &tokens);
    for name in model.sites() {
        // Shifted by uneven amounts, because norms ignore a constant and a factor.
        let edit = Edit::any("uneven", |value: Activation, _| {
            let shift =
                (0..value.dims().iter().product::<usize>()).map(|i| ((i * 37 % 11) as f32 - 4.0) * 0.05).collect();
            let shift = Activation::from_vec(shift, &[value.dims().iter().product()], value.device())?.tensor::<1>()?;
            let values = value.to_flat()? + shift;
            Activation::from_vec(read(values)?, value.dims(), value.device())
        });
        let outcome =
            model.run(&tokens, Plan::new().edit(name.as_str(), edit)).map_err(|error| format!("{name}: {error}"))?;
        if outcome.fired != [1] {
            return Err(format!("{name} fired {:?} times", outcome.fired));
        }
        let moved = apart(&read(outcome.output).unwrap(), &clean);
        if moved.is_nan() || moved < 1e-6 {
            return Err(format!("an edit at {name} moved nothing ({moved})"));
        }
    }
    Ok(())
}

#[test]
fn identity_edits_are_exact() {
    each(|model| {
        let tokens = prompt();
        let clean = logits(model, &tokens);
        for name in model
            .sites()
            .into_iter()
            .filter(|name| !name.ends_with("_input") && !name.ends_with("attn_in") && !name.ends_with("mlp_in"))
        {
            let same = Edit::any("same", |value, _| Ok(value));
            let out = read(model.run_with_hooks(&tokens, [(name.as_str(), same)]).unwrap()).unwrap();
            if out != clean {
                return Err(format!("an identity edit at {name} moved the logits by {}", apart(&out, &clean)));
            }
        }
        Ok(())
    });
}
