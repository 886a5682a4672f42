//! Where the ends of a path are in a model, and which comes before which.

use arrakis_models::site::{self, Site};
use arrakis_models::{HookedTransformer, TransformerConfig};
use serde::{Deserialize, Serialize};

use crate::tools::Position;
use crate::tools::shared::common;

/// The input of a head that receives a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HeadInput {
    /// Its query.
    Query,
    /// Its key; with grouped heads, that of a key head and so of its whole group.
    Key,
    /// Its value; with grouped heads, that of a value head and so of its whole group.
    Value,
    /// All three, for this head alone.
    All,
}

impl HeadInput {
    /// What follows the head's label.
    pub(in crate::tools) fn suffix(self) -> &'static str {
        match self {
            Self::Query => ".q",
            Self::Key => ".k",
            Self::Value => ".v",
            Self::All => "",
        }
    }
}

/// What a sender writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tools) enum Writes {
    Head(usize),
    Mlp,
    Resid,
}

/// What a receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tools) enum Reads {
    Head(HeadInput, usize),
    Mlp,
    Resid,
}

/// A sender in a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::tools) struct Start {
    pub(in crate::tools) layer: usize,
    pub(in crate::tools) writes: Writes,
    pub(in crate::tools) position: Option<Position>,
}

/// A receiver in a model. The stream that the logits read enters block `last`, which does not exist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::tools) struct End {
    pub(in crate::tools) layer: usize,
    pub(in crate::tools) reads: Reads,
    pub(in crate::tools) position: Option<Position>,
    pub(super) last: usize,
}

/// Moments of a block: the stream enters, heads write, the MLP writes, the next block begins.
const MOMENTS: usize = 3;

impl Start {
    pub(in crate::tools) fn label(&self) -> String {
        let part = match self.writes {
            Writes::Head(head) => format!("L{}H{head}", self.layer),
            Writes::Mlp => format!("L{} mlp", self.layer),
            Writes::Resid => format!("L{} resid", self.layer),
        };
        part + &at(self.position)
    }

    fn written(&self) -> usize {
        let moment = match self.writes {
            Writes::Resid => 0,
            Writes::Head(_) => 1,
            Writes::Mlp => 2,
        };
        MOMENTS * self.layer + moment
    }

    /// Whether anything can flow from here to there.
    pub(super) fn reaches(&self, end: &End, config: &TransformerConfig) -> bool {
        self.written() <= end.read(config)
            && !(self.writes == Writes::Resid && end.reads == Reads::Resid && self.layer == end.layer)
    }
}

impl End {
    pub(in crate::tools) fn label(&self) -> String {
        let part = match self.reads {
            Reads::Head(input, head) => format!("L{}H{head}{}", self.layer, input.suffix()),
            Reads::Mlp => format!("L{} mlp", self.layer),
            Reads::Resid if self.layer == self.last => "logits".to_owned(),
            Reads::Resid => format!("L{} resid", self.layer),
        };
        part + &at(self.position)
    }

    /// The last moment whose writes it reads.
    fn read(&self, config: &TransformerConfig) -> usize {
        let block = MOMENTS * self.layer;
        if self.reads == Reads::Mlp && !config.is_parallel() { block + 1 } else { block }
    }

    /// The number of blocks that must run before its input is known.
    pub(super) fn blocks(&self) -> usize {
        if self.reads == Reads::Resid { self.layer } else { self.layer + 1 }
    }

    /// The site that is recorded and then patched. Queries and keys are taken after rotation, where one head's are its
    /// own even if a norm joins all heads before it.
    pub(super) fn site(&self, model: &HookedTransformer) -> Site {
        let rotates = common::has(model, site::rot_q);
        let of = match self.reads {
            Reads::Head(HeadInput::Query, _) if rotates => site::rot_q,
            Reads::Head(HeadInput::Key, _) if rotates => site::rot_k,
            Reads::Head(HeadInput::Query, _) => site::q,
            Reads::Head(HeadInput::Key, _) => site::k,
            Reads::Head(HeadInput::Value, _) => site::v,
            Reads::Head(HeadInput::All, _) => site::z,
            Reads::Mlp => site::mlp_out_unnormed,
            Reads::Resid => return site::resid_post(self.layer.saturating_sub(1)),
        };
        of(self.layer)
    }

    pub(super) fn head(&self) -> Option<usize> {
        if let Reads::Head(_, head) = self.reads { Some(head) } else { None }
    }
}

fn at(position: Option<Position>) -> String {
    position.map_or_else(String::new, |position| format!("@{}", position.offset()))
}

#[cfg(test)]
mod tests {
    use super::super::ends::{Receiver, Sender};
    use super::*;

    #[test]
    fn a_path_runs_from_what_is_written_to_what_is_read_after_it() {
        let serial = TransformerConfig::plain("test", 3, 8, 2, 4, 4);
        let reaches =
            |start: Sender, end: Receiver| start.of(&serial).unwrap().reaches(&end.of(&serial).unwrap(), &serial);
        let query = |layer| Receiver::head(layer, 0, HeadInput::Query);
        assert!(reaches(Sender::head(0, 0), query(1)) && !reaches(Sender::head(1, 0), query(1)));
        assert!(reaches(Sender::head(1, 0), Receiver::mlp(1)) && !reaches(Sender::mlp(1), Receiver::mlp(1)));
        assert!(reaches(Sender::mlp(0), Receiver::resid(1)) && reaches(Sender::mlp(-1), Receiver::logits()));
        assert!(reaches(Sender::resid(0), query(0)) && !reaches(Sender::resid(1), Receiver::resid(1)));
    }

    #[test]
    fn in_a_parallel_block_the_mlp_does_not_read_its_heads() {
        let mut config = TransformerConfig::plain("test", 3, 8, 2, 4, 4);
        config.block_layout = arrakis_models::transformer::BlockLayout::Parallel;
        let end = Receiver::mlp(1).of(&config).unwrap();
        assert!(!Sender::head(1, 0).of(&config).unwrap().reaches(&end, &config));
        assert!(Sender::head(0, 0).of(&config).unwrap().reaches(&end, &config));
    }
}
