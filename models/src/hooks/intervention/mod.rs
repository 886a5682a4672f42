//! Named edits that a record can keep: an action, and the part of the tensor that it is done to.

mod action;
#[allow(clippy::module_inception, reason = "the room's main file carries its name")]
pub(super) mod intervention;
mod selection;
#[cfg(test)]
mod testing;
pub(super) mod vector;

use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use action::register;

/// Every action: its file, its type, and how an [`Intervention`](crate::Intervention) of it is made. A new action is a file
/// and a row here.
macro_rules! actions {
    ($make:ident) => {
        $make! {
            /// Set to zero.
            zero Zero();
            /// Set to one value.
            set Set(value: f32);
            /// Multiplied by a factor.
            scale Scale(factor: f32);
            /// Replaced by the mean over positions of the same row, padding left out.
            mean_over_positions MeanOverPositions();
            /// Replaced by the same numbers of another tensor. An axis of length one serves the whole axis.
            patch Patch(value: &Activation);
            /// Replaced row by row by the numbers of other rows: resample ablation, where `from` is a draw.
            resample Resample(from: impl IntoIterator<Item = usize>);
            /// A vector added along the last axis, `coefficient` times: numbers, a tensor or an activation.
            add Add(vector: impl Into<Vector>, coefficient: f32);
            /// The component along a direction removed from the last axis.
            project_out ProjectOut(direction: impl Into<Vector>);
            /// Attention from the selected queries to these keys masked, at `attn.scores`.
            knock_out KnockOut(keys: impl IntoIterator<Item = isize>);
        }
    };
}
use actions;

actions!(register);
