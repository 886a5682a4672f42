//! Cases that share a forward.

use std::ops::Range;

/// One case in a group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) index: usize,
    /// The block at which it joins the forward. `None` means at the embedding.
    pub(super) layer: Option<usize>,
    /// Its only site, if the edited tensor there is known before the forward.
    pub(super) prepared: Option<String>,
}

/// Cases that run as one forward. It starts with those of the lowest block, and the others join it at theirs.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// In the order in which they join.
    pub(super) cases: Vec<Member>,
    pub(super) from_position: usize,
    /// Whether the edits change nothing, so that the clean result is kept.
    pub(super) unchanged: bool,
}

/// A part of a group's forward: from the block at which some cases join to that of the next.
pub(super) struct Leg {
    pub(super) layer: Option<usize>,
    /// Where it stops; `None` means at the logits.
    pub(super) stop: Option<usize>,
    /// The cases that join here. All before them run too.
    pub(super) joined: Range<usize>,
}

impl Group {
    /// The parts of the forward, in order.
    pub(super) fn legs(&self) -> Vec<Leg> {
        let mut legs: Vec<Leg> = Vec::new();
        for (at, member) in self.cases.iter().enumerate() {
            match legs.last_mut() {
                Some(last) if last.layer == member.layer => last.joined.end = at + 1,
                last => {
                    if let Some(last) = last {
                        last.stop = member.layer;
                    }
                    legs.push(Leg { layer: member.layer, stop: None, joined: at..at + 1 });
                }
            }
        }
        legs
    }

    /// Blocks that all cases together pass.
    pub(super) fn blocks(&self, n_layers: usize) -> usize {
        self.cases.iter().map(|member| n_layers - member.layer.unwrap_or(0)).sum()
    }

    /// The same group with every `of`-th case, from case `first`.
    pub(super) fn share(self, first: usize, of: usize) -> Self {
        Self { cases: self.cases.into_iter().skip(first).step_by(of).collect(), ..self }
    }

    /// The same cases in groups of at most `most`.
    pub(super) fn in_parts(self, most: usize) -> Vec<Self> {
        let Self { cases, from_position, unchanged } = self;
        cases.chunks(most.max(1)).map(|cases| Self { cases: cases.to_vec(), from_position, unchanged }).collect()
    }
}
