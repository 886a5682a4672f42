//! What an encoder computes, and what it is trained on: an architecture a file.

mod encoder;
mod register;

use crate::error::{Error, Result};
use encoder::{Encoder, Loss};
pub(super) use encoder::{Parts, Pre};
use register::register;

/// Every architecture: its file, its settings, its objective, and its name in files. A new architecture is a file and a
/// row here.
macro_rules! architectures {
    ($make:ident) => {
        $make! {
            /// `ReLU` with a penalty on the sizes of latents.
            standard Standard StandardLoss "standard";
            /// A gate decides which latents are active, a second encoder with the same directions how much.
            gated Gated GatedLoss "gated";
            /// The `k` largest latents of each activation.
            top_k TopK TopKLoss "topk";
            /// The `k` largest latents an activation, over the whole batch; a threshold afterwards.
            batch_top_k BatchTopK BatchTopKLoss "batchtopk";
            /// A threshold for each latent, which is learnt.
            jump_relu JumpRelu JumpReluLoss "jumprelu";
            /// Nested dictionaries: every prefix of the latents is one.
            matryoshka Matryoshka MatryoshkaLoss "matryoshka_batchtopk";
        }
    };
}

architectures!(register);

pub use jump_relu::Sparsity;
pub use standard::Penalty;
pub(super) use standard::power as penalty_of_power;
pub use top_k::Reconstruction;
