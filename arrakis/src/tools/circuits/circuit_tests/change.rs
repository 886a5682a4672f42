//! What senders write in a run, less what they write in the source run.

use arrakis_models::HookedTransformer;
use burn::tensor::Tensor;

/// What a group of senders has written, less what it writes in the source run.
#[allow(clippy::large_enum_variant, reason = "one for each layer of a run")]
pub(super) enum Change {
    /// Of each sender: `[circuit, sender, batch * pos * d_model]`.
    Sum(Tensor<3>),
    /// Of heads whose sum is normed before it is added.
    Normed(Normed),
}

/// Heads whose sum is normed, so that what each of them writes depends on the others.
pub(super) struct Normed {
    model: HookedTransformer,
    layer: usize,
    /// `[circuit, 1, batch, pos, head, d_head]`
    z: Tensor<6>,
    /// The same, less that of the source run.
    change: Tensor<6>,
}

impl Change {
    /// Of the heads of a layer, from `attn.z` of this run, whose rows hold so many circuits, and of the source run.
    pub(super) fn of_heads(
        model: &HookedTransformer,
        layer: usize,
        z: Tensor<4>,
        source: Tensor<4>,
        copies: usize,
    ) -> arrakis_models::Result<Self> {
        let ([batch, pos, heads, width], block) = (z.dims(), model.block(layer)?);
        let change = z.clone() - source.repeat_dim(0, copies);
        if block.ln1_post.is_some() {
            let shape = [copies, 1, batch / copies, pos, heads, width];
            let (z, change) = (z.reshape(shape), change.reshape(shape));
            return Ok(Self::Normed(Normed { model: model.clone(), layer, z, change }));
        }
        let written = block.scaled(block.attn.head_results(change));
        let width = written.dims()[3];
        let split = written.reshape([copies, batch / copies, pos, heads, width]).permute([0, 3, 1, 2, 4]);
        Ok(Self::Sum(split.reshape([copies, heads, batch / copies * pos * width])))
    }

    /// What each receiver no longer reads: `[circuit, receiver, batch * pos * d_model]`.
    pub(super) fn gone(&self, cut: &Tensor<3>) -> Tensor<3> {
        match self {
            Self::Sum(changes) => cut.clone().cast(changes.dtype()).matmul(changes.clone()),
            Self::Normed(heads) => heads.gone(cut),
        }
    }
}

impl Normed {
    fn gone(&self, cut: &Tensor<3>) -> Tensor<3> {
        let ([copies, _, batch, pos, heads, width], receivers) = (self.z.dims(), cut.dims()[1]);
        let cut = cut.clone().cast(self.z.dtype()).reshape([copies, receivers, 1, 1, heads, 1]);
        let left = self.z.clone() - self.change.clone() * cut;
        let whole = self.written(self.z.clone().reshape([copies * batch, pos, heads * width]));
        let left = self.written(left.reshape([copies * receivers * batch, pos, heads * width]));
        let each = batch * pos * whole.dims()[2];
        whole.reshape([copies, 1, each]) - left.reshape([copies, receivers, each])
    }

    /// What attention adds to the stream.
    fn written(&self, z: Tensor<3>) -> Tensor<3> {
        let block = self.model.block(self.layer).expect("BUG: the layer was there before");
        let out = block.attn.w_o.apply(z);
        block.scaled(block.ln1_post.as_ref().map_or_else(|| out.clone(), |norm| norm.apply(out.clone())))
    }
}
