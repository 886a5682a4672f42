//! What a head moves of what an earlier head wrote, on a prompt whose attention patterns are frozen.

use arrakis_models::site;
use burn::tensor::{Tensor, TensorData};

use crate::error::Result;
use crate::tools::place::Head;
use crate::tools::shared::common;
use crate::tools::shared::metric::Linear;
use crate::tools::shared::stream::{self, Stream};

/// A reader on one run. Everything here is linear in the parts of the stream that it reads.
pub(super) struct VirtualHead<'a> {
    pub(super) stream: &'a Stream,
    pub(super) reader: Head,
}

impl VirtualHead<'_> {
    /// What the reader writes of parts of the stream, `[batch, pos, n, d_model]` to the same.
    pub(super) fn moved(&self, parts: Tensor<4>) -> Result<Tensor<4>> {
        let [batch, pos, n, d_model] = parts.dims();
        let values = self.values(parts)?.swap_dims(1, 2);
        let pattern = self.pattern()?.expand([batch, n, pos, pos]);
        let z = pattern.matmul(values).swap_dims(1, 2);
        let written = z.matmul(self.w_o()?).reshape([batch, pos, n, d_model]);
        self.stream.as_attention(self.reader.layer, written)
    }

    /// What the parts add through the reader to what is read of the logits, `[batch * n]`.
    pub(super) fn added(&self, parts: Tensor<4>, seen: &Seen) -> Result<Vec<f64>> {
        let [batch, _, n, d_model] = parts.dims();
        let moved = self.stream.read_by_unembedding(self.moved(parts)?)?;
        let at_position = (moved * seen.there.clone()).sum_dim(1).reshape([batch, n, d_model]);
        common::numbers((at_position * seen.directions.clone()).sum_dim(2))
    }

    /// Values of parts of the stream, `[batch, pos, n, d_head]`.
    fn values(&self, parts: Tensor<4>) -> Result<Tensor<4>> {
        let w_v = self.stream.model.w_v(self.reader.layer)?.narrow(0, self.reader.head, 1);
        Ok(self.stream.read_by_attention(self.reader.layer, parts)?.matmul(w_v.unsqueeze_dim(0)))
    }

    /// `[1, 1, d_head, d_model]`
    fn w_o(&self) -> Result<Tensor<4>> {
        Ok(self.stream.model.w_o(self.reader.layer)?.narrow(0, self.reader.head, 1).unsqueeze_dim(0))
    }

    /// `[batch, 1, query, key]`
    fn pattern(&self) -> Result<Tensor<4>> {
        Ok(self.stream.cache.get::<4>(site::pattern(self.reader.layer))?.narrow(1, self.reader.head, 1))
    }
}

/// What a sum of logits reads of the stream that has passed the final norm.
pub(super) struct Seen {
    /// One at the position of each prompt, `[batch, pos, 1, 1]`.
    there: Tensor<4>,
    /// `[batch, 1, d_model]`
    directions: Tensor<3>,
}

impl Seen {
    pub(super) fn of(stream: &Stream, linear: &Linear) -> Result<Self> {
        let (slots, pos) = (linear.position.of(&stream.tokens)?, stream.tokens.pos());
        let flags: Vec<f32> =
            slots.iter().flat_map(|slot| (0..pos).map(move |own| f32::from(u8::from(own == *slot)))).collect();
        let there = Tensor::from_data(TensorData::new(flags, [slots.len(), pos, 1, 1]), stream.model.device());
        let of_prompt = |terms: &Vec<(u32, f32)>| {
            let (ids, signs): (Vec<u32>, Vec<f32>) = terms.iter().copied().unzip();
            let signs = Tensor::<2>::from_data(TensorData::new(signs, [ids.len(), 1]), stream.model.device());
            Ok((stream::unembed_directions(&stream.model, &ids)? * signs).sum_dim(0).unsqueeze_dim(0))
        };
        let directions = linear.terms.iter().map(of_prompt).collect::<Result<Vec<Tensor<3>>>>()?;
        Ok(Self { there, directions: Tensor::cat(directions, 0) })
    }
}
