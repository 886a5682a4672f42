//! Named edits that a record can keep: an action, and the part of the tensor that it applies to.

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

/// Every action: its file, its type, and the constructor of an [`Intervention`](crate::Intervention) with it. A new
/// action is a file and a row here.
macro_rules! actions {
    ($make:ident) => {
        $make! {
            /// Sets to zero.
            zero Zero();
            /// Sets to one value.
            set Set(value: f32);
            /// Multiplies by a factor.
            scale Scale(factor: f32);
            /// Replaces each number by the mean over positions of the same row, excluding padding.
            mean_over_positions MeanOverPositions();
            /// Replaces numbers with those of another tensor. An axis of length one is repeated along the site's axis.
            patch Patch(value: &Activation);
            /// Replaces each row with another row of the batch: resample ablation, where `from` is a random draw.
            resample Resample(from: impl IntoIterator<Item = usize>);
            /// Adds a vector along the last axis, `coefficient` times. The vector is numbers, a tensor or an
            /// activation.
            add Add(vector: impl Into<Vector>, coefficient: f32);
            /// Removes the component along a direction from the last axis.
            project_out ProjectOut(direction: impl Into<Vector>);
            /// Masks attention from the selected queries to these keys, at `attn.scores`.
            knock_out KnockOut(keys: impl IntoIterator<Item = isize>);
        }
    };
}
use actions;

actions!(register);
