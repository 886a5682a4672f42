//! Cases that start at the same place, run as one forward.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::case::{Start, SweepCase};
use super::clean::Clean;
use crate::device;
use crate::error::Result;
use crate::hooks::{Activation, At, Edit, Plan, Rows};
use crate::model::{HookedTransformer, RunOptions};
use crate::tokens::Tokens;
use crate::transformer::Context;

/// One case in a group. `prepared` is its only site, if the edited tensor there is known before the forward.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) index: usize,
    prepared: Option<String>,
}

/// Cases that resume at one layer and position.
pub(super) struct Group {
    pub(super) cases: Vec<Member>,
    /// `None` means from the embedding.
    pub(super) layer: Option<usize>,
    pub(super) from_position: usize,
    /// Whether the edits change nothing, so that the clean result is kept.
    pub(super) unchanged: bool,
}

/// Groups the cases by where they resume. No group exceeds `limit` tokens, including those of kept keys and values.
///
/// Each edited tensor is inspected and dropped: a sweep holds those of one group at a time, however many cases it has.
pub(super) fn groups(
    clean: &Clean,
    cases: &[SweepCase],
    starts: Vec<Start>,
    tokens: &Tokens,
    limit: usize,
) -> Result<Vec<Group>> {
    let mut by_start: BTreeMap<(Option<usize>, usize, bool), Vec<Member>> = BTreeMap::new();
    for (index, start) in starts.into_iter().enumerate() {
        let layer = start.layer.map(|layer| layer.min(clean.n_layers)).filter(|_| clean.n_layers > 0);
        let first = match &start.only {
            Some(site) => first_change(clean, &cases[index], site, tokens)?,
            None => FirstChange::Unknown,
        };
        let from = if let FirstChange::At(first) = first { first } else { 0 };
        let prepared = start.only.filter(|_| matches!(first, FirstChange::At(_)));
        by_start.entry((layer, from, first == FirstChange::Never)).or_default().push(Member { index, prepared });
    }
    let mut groups = Vec::new();
    for ((layer, from_position, unchanged), members) in by_start {
        let tokens_each = tokens.batch() * tokens.pos();
        for part in members.chunks((limit / tokens_each).max(1)) {
            groups.push(Group { cases: part.to_vec(), layer, from_position, unchanged });
        }
    }
    Ok(groups)
}

/// What an edit does to the clean tensor at its site.
#[derive(Clone, Copy, PartialEq)]
enum FirstChange {
    /// It changes numbers at this position and none before.
    At(usize),
    /// It changes nothing.
    Never,
    /// The tensor does not have one position per token.
    Unknown,
}

/// The clean tensor at a site after the case's edit.
fn edited(clean: &Clean, case: &SweepCase, site: &str, tokens: &Tokens) -> Result<Activation> {
    let rows = Rows::new(tokens, &[]);
    case.edits[0].1.apply(clean.at(site)?.clone(), &At { rows: Some(&rows), table: &clean.sites, ..At::new(site) })
}

fn first_change(clean: &Clean, case: &SweepCase, site: &str, tokens: &Tokens) -> Result<FirstChange> {
    let (before, after) = (clean.at(site)?, edited(clean, case, site, tokens)?);
    let axes = clean.sites.roles(site, before.dims().len());
    let (outer, length, inner) = axes.around_position(before.dims());
    // Masked scores are -inf in both tensors. Their difference is NaN, but they are equal, so compare instead of
    // subtracting.
    let changed = before.to_flat()?.not_equal(after.to_flat()?).float().reshape([outer, length, inner]);
    let by_position = device::read(changed.max_dim(0).max_dim(2).reshape([length]))?;
    Ok(match by_position.iter().position(|change| *change != 0.0) {
        None => FirstChange::Never,
        Some(first) if length == tokens.pos() => FirstChange::At(if clean.resumes { first } else { 0 }),
        Some(_) => FirstChange::Unknown,
    })
}

/// Logits of all cases of a group, `[case * batch, pos from the group's start, d_vocab]`.
pub(super) fn run(
    model: &HookedTransformer,
    clean: &Clean,
    cases: &[SweepCase],
    group: &Group,
    tokens: &Tokens,
    last_only: bool,
) -> Result<Tensor<3>> {
    let times = group.cases.len();
    let plan = plan_of(clean, cases, group, tokens)?;
    let options = RunOptions { last_only, stop_at_layer: None, capture_limit: None };
    let Some(layer) = group.layer else {
        return Ok(model.run_from(tokens.repeated(times), plan, None, &options)?.output);
    };
    let resid = clean.resid(layer, group.from_position, times)?;
    if group.from_position == 0 {
        return Ok(model.run_from(tokens.repeated(times), plan, Some((layer, resid)), &options)?.output);
    }
    let mut cache = clean.prefix(model, layer, group.from_position, times, tokens)?;
    let context = Context::new(
        model.config(),
        &cache.visible,
        &cache.positions,
        tokens.pos() - group.from_position,
        model.device(),
    );
    Ok(model.run_blocks(resid, plan, layer, &context, &mut cache, &options)?.output)
}

/// The edits of a group. Each case's edit changes only its own rows.
fn plan_of(clean: &Clean, cases: &[SweepCase], group: &Group, tokens: &Tokens) -> Result<Plan> {
    let rows = tokens.batch();
    let mut plan = Plan::new();
    let mut prepared: BTreeMap<String, Vec<(usize, Activation)>> = BTreeMap::new();
    for (at, member) in group.cases.iter().enumerate() {
        if let Some(site) = &member.prepared {
            let after = edited(clean, &cases[member.index], site, tokens)?;
            let axes = clean.sites.roles(site, after.dims().len());
            let kept =
                after.narrow(axes.position, group.from_position, after.dims()[axes.position] - group.from_position)?;
            prepared.entry(site.clone()).or_default().push((at, kept));
            continue;
        }
        for (site, edit) in &cases[member.index].edits {
            plan = plan.edit(site.clone(), on_rows(edit.clone(), at * rows, rows));
        }
    }
    for (site, parts) in prepared {
        plan = plan.edit(site, replace_rows(parts, rows));
    }
    Ok(plan)
}

/// The edit, applied to some rows of the batch only.
fn on_rows(edit: Edit, start: usize, rows: usize) -> Edit {
    Edit::any("sweep", move |value, at| {
        let own_rows = at.rows.map(|all| all.narrow(start..start + rows).within(0, rows));
        let own = edit.apply(value.narrow(0, start, rows)?, &At { rows: own_rows.as_ref(), ..*at })?;
        spliced(&value, vec![(start, own)])
    })
    .unmeasured()
}

/// Replaces each case's rows with its prepared tensor.
fn replace_rows(parts: Vec<(usize, Activation)>, rows: usize) -> Edit {
    let parts = Arc::new(parts);
    Edit::any("sweep", move |value, _| {
        spliced(&value, parts.iter().map(|(at, own)| (at * rows, own.clone())).collect())
    })
    .unmeasured()
}

/// The batch with some runs of rows replaced, in one copy.
fn spliced(value: &Activation, parts: Vec<(usize, Activation)>) -> Result<Activation> {
    let mut pieces = Vec::new();
    let mut next = 0;
    for (start, own) in parts {
        if start > next {
            pieces.push(value.narrow(0, next, start - next)?);
        }
        next = start + own.dims()[0];
        pieces.push(own);
    }
    if next < value.dims()[0] {
        pieces.push(value.narrow(0, next, value.dims()[0] - next)?);
    }
    if pieces.len() == 1 { Ok(pieces.remove(0)) } else { Activation::cat(&pieces) }
}
