//! The share of a sweep that one shard runs.

use super::group::Group;

/// Every `of`-th case, in the order in which they run, starting at case `index`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) index: usize,
    pub(super) of: usize,
    /// Every `of`-th forward instead, with all of its cases.
    pub(super) whole_groups: bool,
}

impl Share {
    /// Every case.
    pub(super) const ALL: Self = Self { index: 0, of: 1, whole_groups: true };
}

/// The groups of a share. A group without any case is left out.
pub(super) fn share(groups: Vec<Group>, share: Share) -> Vec<Group> {
    let Share { index, of, whole_groups } = share;
    if whole_groups {
        return groups.into_iter().skip(index).step_by(of).collect();
    }
    let mut before = 0;
    let own = groups.into_iter().map(|group| {
        let first = (index + of - before % of) % of;
        before += group.cases.len();
        group.share(first, of)
    });
    own.filter(|group| !group.cases.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::group::Member;
    use super::*;

    /// By hand: forwards of 3, 2 and 4 cases, numbered from 0.
    #[test]
    fn cases_or_whole_forwards_are_dealt_out() {
        let mut next = 0..;
        let group = |cases: usize| Group {
            cases: next.by_ref().take(cases).map(|index| Member { index, layer: None, prepared: None }).collect(),
            from_position: 0,
            unchanged: false,
        };
        let groups: Vec<Group> = [3, 2, 4].map(group).into();
        let dealt = |index: usize, of: usize, whole_groups: bool| {
            let own = share(groups.clone(), Share { index, of, whole_groups });
            own.iter().map(|group| group.cases.iter().map(|case| case.index).collect()).collect::<Vec<Vec<usize>>>()
        };
        assert_eq!(dealt(1, 4, false), [vec![1], vec![5]]);
        assert_eq!(dealt(3, 4, false), [vec![3], vec![7]]);
        assert_eq!(dealt(0, 2, true), [vec![0, 1, 2], vec![5, 6, 7, 8]]);
        assert_eq!(dealt(1, 2, true), [vec![3, 4]]);
        assert_eq!(dealt(3, 4, true), Vec::<Vec<usize>>::new());
    }
}
