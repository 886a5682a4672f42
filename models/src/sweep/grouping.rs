//! Which cases share a forward.

use std::collections::BTreeMap;

use super::case::{Start, SweepCase};
use super::clean::Clean;
use super::cut::cut;
use super::edits;
use super::group::{Group, Member};
use super::size::Size;
use crate::device;
use crate::error::Result;
use crate::tokens::Tokens;

/// Cases that may share a forward: `None` for those whose edits are all in the block where they join, else the block.
/// The others would meet their later edits in another leg of the forward.
type Lane = Option<Option<usize>>;

/// Groups the cases. Each edited tensor is inspected and dropped: a sweep holds those of one group at a time, however many
/// cases it has.
pub(super) fn groups(
    clean: &Clean,
    cases: &[SweepCase],
    starts: Vec<Start>,
    tokens: &Tokens,
    size: &Size<'_>,
) -> Result<Vec<Group>> {
    let mut unchanged = Vec::new();
    let mut lanes: BTreeMap<Lane, BTreeMap<usize, Vec<Member>>> = BTreeMap::new();
    for (index, start) in starts.into_iter().enumerate() {
        let layer = start.layer.map(|layer| layer.min(clean.n_layers)).filter(|_| clean.n_layers > 0);
        let first = match &start.only {
            Some(site) => first_change(clean, &cases[index], site, tokens)?,
            None => FirstChange::Unknown,
        };
        let prepared = start.only.filter(|_| matches!(first, FirstChange::At(_)));
        let member = Member { index, layer, prepared };
        let from = match first {
            FirstChange::Never => {
                unchanged.push(member);
                continue;
            }
            FirstChange::At(from) => from,
            FirstChange::Unknown => 0,
        };
        let lane = if clean.joins && start.one_layer { None } else { Some(layer) };
        lanes.entry(lane).or_default().entry(from).or_default().push(member);
    }
    let mut groups = Vec::new();
    if !unchanged.is_empty() {
        groups.push(Group { cases: unchanged, from_position: 0, unchanged: true });
    }
    for by_position in lanes.into_values() {
        for (from_position, mut members) in cut(by_position, clean.n_layers, tokens) {
            members.sort_by_key(|member| (member.layer, member.index));
            let group = Group { cases: members, from_position, unchanged: false };
            groups.extend(group.in_parts(size.cases(from_position)));
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

fn first_change(clean: &Clean, case: &SweepCase, site: &str, tokens: &Tokens) -> Result<FirstChange> {
    let (before, after) = (clean.at(site)?, edits::edited(clean, case, site, tokens)?);
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
