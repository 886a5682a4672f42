//! Where each of our tensors is in a checkpoint, and how it is cut out.

use std::ops::Range;

/// How a tensor is cut from the output axis of the checkpoint's tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All of it.
    Whole,
    /// `len` outputs from `start`, for fused projections that follow one another.
    Range {
        /// First output.
        start: usize,
        /// Number of outputs.
        len: usize,
    },
    /// `len` outputs from `start` in each of `groups` groups of `stride` outputs, for projections interleaved by head.
    PerGroup {
        /// Number of groups.
        groups: usize,
        /// Width of a group.
        stride: usize,
        /// First output in each group.
        start: usize,
        /// Number of outputs from each group.
        len: usize,
    },
    /// Every `step`-th output from `start` of one element of a stack `[count, in, out]`, or `[count, out]` for vectors.
    InStack {
        /// Which element.
        index: usize,
        /// Outputs of an element.
        width: usize,
        /// First output.
        start: usize,
        /// Distance between outputs.
        step: usize,
    },
}

impl Cut {
    /// The ranges of outputs taken from an axis of this many; of a stack, from the outputs of its element.
    pub fn ranges(self, outputs: usize) -> Vec<Range<usize>> {
        match self {
            Self::Whole => std::iter::once(0..outputs).collect(),
            Self::Range { start, len } => std::iter::once(start..start + len).collect(),
            Self::PerGroup { groups, stride, start, len } => {
                (0..groups).map(|group| group * stride + start).map(|start| start..start + len).collect()
            }
            Self::InStack { width, start, .. } => std::iter::once(start..width).collect(),
        }
    }

    /// Which outputs of each range are taken: every one, or every second, ...
    pub fn step(self) -> usize {
        if let Self::InStack { step, .. } = self { step } else { 1 }
    }

    /// The index on the checkpoint's output axis of output `index` of the cut. The outputs of a stack are those of its
    /// elements, one after the other.
    pub fn place(self, index: usize) -> usize {
        match self {
            Self::Whole => index,
            Self::Range { start, .. } => start + index,
            Self::PerGroup { stride, start, len, .. } => index / len * stride + start + index % len,
            Self::InStack { index: element, width, start, step } => element * width + start + index * step,
        }
    }

    /// The least length of the checkpoint's output axis for a cut of `outputs` outputs.
    pub fn reach(self, outputs: usize) -> usize {
        match self {
            Self::Whole => outputs,
            Self::Range { start, len } => start + len,
            Self::PerGroup { groups, stride, .. } => groups * stride,
            Self::InStack { index, width, .. } => (index + 1) * width,
        }
    }
}

/// One of our tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Our name, such as `blocks.3.attn.w_q.weight`. Matrices are `[in, out]`.
    pub ours: String,
    /// The checkpoint's names. Several are joined along the output axis. A stack of matrices `[count, out, in]` counts
    /// as one matrix with `count * out` outputs.
    pub theirs: Vec<String>,
    /// Whether the checkpoint's matrix is `[out, in]`, as `torch.nn.Linear` has it.
    pub out_in: bool,
    /// Which part of the output axis.
    pub cut: Cut,
    /// Where it is in checkpoints that lack `theirs`, in another layout of the same architecture.
    pub otherwise: Option<Box<Weight>>,
}

/// All tensors of a model, the prefix its names may lack, and the names to ignore.
#[derive(Clone, Debug, Default)]
pub struct WeightMap {
    /// The prefix of names, such as `transformer.` or `model.`. Names are tried with it and without it.
    pub prefix: &'static str,
    /// One entry for each of our tensors.
    pub weights: Vec<Weight>,
    /// Ends of names of tensors that are not weights: mask buffers, rotary tables.
    pub ignored: Vec<&'static str>,
    /// Ends of names that repeat a tensor, with our name of that tensor: a tied unembedding that was saved twice.
    pub copies: Vec<(&'static str, &'static str)>,
    /// Tensors also written under another name, where other releases look for them; not read.
    pub twins: Vec<Weight>,
}

impl WeightMap {
    /// An empty map of names that may have this prefix.
    pub fn new(prefix: &'static str) -> Self {
        Self { prefix, ignored: vec!["rotary_emb.inv_freq"], ..Self::default() }
    }

    /// Ignores names with these ends.
    #[must_use]
    pub fn ignoring(mut self, ends: &[&'static str]) -> Self {
        self.ignored.extend(ends);
        self
    }

    /// A vector or table that is the same in both: embeddings, norms.
    pub fn same(&mut self, ours: impl Into<String>, theirs: impl Into<String>) {
        self.push(ours, theirs, false, Cut::Whole);
    }

    /// A projection's weight (`out_in`, as in `torch.nn.Linear`) and, if asked for, its bias.
    pub fn linear(&mut self, ours: &str, theirs: &str, bias: bool) {
        self.projection(ours, theirs, true, bias, Cut::Whole);
    }

    /// A projection with any layout and cut.
    pub fn projection(&mut self, ours: &str, theirs: &str, out_in: bool, bias: bool, cut: Cut) {
        self.push(format!("{ours}.weight"), format!("{theirs}.weight"), out_in, cut);
        if bias {
            self.push(format!("{ours}.bias"), format!("{theirs}.bias"), false, cut);
        }
    }

    /// One of the projections of a stack `[count, in, out]`, with its bias in another stack if asked for.
    pub fn stacked(&mut self, ours: &str, theirs: &str, bias: bool, cut: Cut) {
        self.push(format!("{ours}.weight"), theirs, false, cut);
        if bias {
            self.push(format!("{ours}.bias"), format!("{theirs}_bias"), false, cut);
        }
    }

    /// A norm's weight and, if asked for, its bias.
    pub fn norm(&mut self, ours: &str, theirs: &str, bias: bool) {
        self.same(format!("{ours}.weight"), format!("{theirs}.weight"));
        if bias {
            self.same(format!("{ours}.bias"), format!("{theirs}.bias"));
        }
    }

    /// One tensor of ours joined from several of theirs.
    pub fn joined(&mut self, ours: impl Into<String>, theirs: Vec<String>) {
        self.weights.push(Weight { ours: ours.into(), theirs, out_in: false, cut: Cut::Whole, otherwise: None });
    }

    /// The unembedding. If it is tied, the embedding is used, and the file may hold a copy.
    pub fn unembed(&mut self, theirs: &str, tied: bool, bias: bool) {
        if tied {
            self.copies.push(("lm_head.weight", "embed.weight"));
        } else {
            self.push("unembed.weight", format!("{theirs}.weight"), true, Cut::Whole);
        }
        if bias {
            self.same("unembed.bias", format!("{theirs}.bias"));
        }
    }

    /// Another place where the tensor just mapped may be.
    ///
    /// # Panics
    ///
    /// If nothing has been mapped.
    pub fn otherwise(&mut self, theirs: impl Into<String>, out_in: bool, cut: Cut) {
        let last = self.weights.last_mut().expect("BUG: an alternative follows the tensor it is for");
        last.otherwise = Some(Box::new(Weight {
            ours: last.ours.clone(),
            theirs: vec![theirs.into()],
            out_in,
            cut,
            otherwise: None,
        }));
    }

    /// Resolves the layout of a checkpoint: a tensor it lacks is taken from its other place, if that is there.
    #[must_use]
    pub fn settled(mut self, has: impl Fn(&str) -> bool) -> Self {
        for weight in &mut self.weights {
            let lacks = |weight: &Weight| !weight.theirs.iter().all(|name| has(name));
            if lacks(weight)
                && let Some(other) = weight.otherwise.take_if(|other| !lacks(other))
            {
                *weight = *other;
            }
        }
        self
    }

    /// Gives the vector just mapped a second name, which other releases use. It is read from there if the first name is
    /// missing, and written under both.
    ///
    /// # Panics
    ///
    /// If nothing has been mapped.
    pub fn twin(&mut self, theirs: &'static str) {
        self.otherwise(theirs, false, Cut::Whole);
        self.twins.extend(self.weights.last().and_then(|last| last.otherwise.as_deref()).cloned());
        self.ignored.push(theirs);
    }

    fn push(&mut self, ours: impl Into<String>, theirs: impl Into<String>, out_in: bool, cut: Cut) {
        self.weights.push(Weight { ours: ours.into(), theirs: vec![theirs.into()], out_in, cut, otherwise: None });
    }
}
