//! The edits of cases that share a forward.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::case::SweepCase;
use super::clean::Clean;
use super::group::Group;
use crate::error::Result;
use crate::hooks::{Activation, At, Edit, Plan, Rows};
use crate::tokens::Tokens;

/// The clean tensor at a site after the case's edit.
pub(super) fn edited(clean: &Clean, case: &SweepCase, site: &str, tokens: &Tokens) -> Result<Activation> {
    let rows = Rows::new(tokens, &[]);
    case.edits[0].1.apply(clean.at(site)?.clone(), &At { rows: Some(&rows), table: &clean.sites, ..At::new(site) })
}

/// The edits of some cases of a group. Each case's edit changes only its own rows.
pub(super) fn plan(
    clean: &Clean,
    cases: &[SweepCase],
    group: &Group,
    joined: Range<usize>,
    tokens: &Tokens,
) -> Result<Plan> {
    let rows = tokens.batch();
    let mut plan = Plan::new();
    let mut prepared: BTreeMap<String, Vec<(usize, Activation)>> = BTreeMap::new();
    for at in joined {
        let member = &group.cases[at];
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
