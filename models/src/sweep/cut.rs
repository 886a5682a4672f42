//! Which positions share a forward: few forwards, or few positions computed that no edit has changed.

use std::collections::BTreeMap;

use super::group::Member;
use crate::tokens::Tokens;

/// What a forward costs besides, in tokens: the weights are read once however many rows there are.
const ALONE: usize = 16;

/// Members by the position where they start, cut into forwards at the least cost. A forward starts at the first position of
/// its members, so later ones compute positions that are known.
pub(super) fn cut(
    by_position: BTreeMap<usize, Vec<Member>>,
    n_layers: usize,
    tokens: &Tokens,
) -> Vec<(usize, Vec<Member>)> {
    let blocks = |members: &Vec<Member>| members.iter().map(|member| 1 + n_layers - member.layer.unwrap_or(0)).sum();
    let work: Vec<(usize, usize)> = by_position.iter().map(|(from, members)| (*from, blocks(members))).collect();
    let firsts = cheapest(&work, ALONE * (1 + n_layers), tokens.batch(), tokens.pos());
    let mut parts: Vec<(usize, Vec<Member>)> = Vec::new();
    for (at, (from, members)) in by_position.into_iter().enumerate() {
        match parts.last_mut() {
            Some((_, part)) if !firsts.contains(&at) => part.extend(members),
            _ => parts.push((from, members)),
        }
    }
    parts
}

/// Where forwards begin, as indices of `work`: pairs of a position and the blocks that pass from there, by position.
fn cheapest(work: &[(usize, usize)], alone: usize, batch: usize, pos: usize) -> Vec<usize> {
    // For each number of entries: the cost of the cheapest cut of them, and where its last forward begins.
    let mut best = vec![(0, 0)];
    for end in 1..=work.len() {
        let (mut blocks, mut cheapest) = (0, (usize::MAX, 0));
        for start in (0..end).rev() {
            let (from, own) = work[start];
            blocks += own;
            let cost = best[start].0 + alone + blocks * batch * (pos - from);
            if cost < cheapest.0 {
                cheapest = (cost, start);
            }
        }
        best.push(cheapest);
    }
    let mut firsts = Vec::new();
    let mut end = work.len();
    while end > 0 {
        end = best[end].1;
        firsts.push(end);
    }
    firsts.reverse();
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the last three positions of ten compute 3 + 2 + 1 tokens in forwards of their own and 3 · 3 together.
    #[test]
    fn positions_share_a_forward_if_that_is_cheaper() {
        let work = [(7, 1), (8, 1), (9, 1)];
        assert_eq!(cheapest(&work, 0, 1, 10), [0, 1, 2]);
        assert_eq!(cheapest(&work, 1, 1, 10), [0, 1, 2], "two forwards more cost 2, and save 1 + 2");
        assert_eq!(cheapest(&work, 3, 1, 10), [0], "they would cost 6");
        assert_eq!(cheapest(&work, 3, 4, 10), [0, 1, 2], "four rows each: they save 12");
        assert_eq!(cheapest(&[], 2, 4, 10), Vec::<usize>::new());
    }

    /// Every cut of six entries, tried one by one.
    #[test]
    fn no_cut_is_cheaper() {
        let work = [(0, 3), (2, 1), (3, 9), (7, 2), (8, 2), (11, 5)];
        for alone in [0, 5, 17, 60, 300] {
            let cost = |firsts: &[usize]| {
                let part = |at: usize| firsts.iter().rposition(|first| *first <= at).unwrap();
                let each = |(at, own): (usize, &(usize, usize))| own.1 * 2 * (12 - work[firsts[part(at)]].0);
                firsts.len() * alone + work.iter().enumerate().map(each).sum::<usize>()
            };
            let cuts =
                (0..32_u32).map(|bits| [0].into_iter().chain((1..6).filter(move |at| bits >> (at - 1) & 1 == 1)));
            let least = cuts.map(|cut| cost(&cut.collect::<Vec<usize>>())).min().unwrap();
            assert_eq!(cost(&cheapest(&work, alone, 2, 12)), least, "{alone}");
        }
    }
}
