//! Latents that have not fired for long.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// For how long a latent has not fired. Published numbers use either definition, and a number of dead latents means
/// nothing without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadAfter {
    /// Not active on this many tokens (`OpenAI`, sparsify, `dictionary_learning`: 10 million).
    Tokens(u64),
    /// Not active in this many steps of training, each a batch (`SAELens`: 1000).
    Steps(u64),
}

/// When each latent last fired. It holds 16 bytes a latent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    tokens: u64,
    steps: u64,
    /// The tokens and steps seen when each latent last fired.
    last: Vec<(u64, u64)>,
}

impl Dead {
    /// Of `d_sae` latents that have had no chance to fire.
    pub fn new(d_sae: usize) -> Self {
        Self { tokens: 0, steps: 0, last: vec![(0, 0); d_sae] }
    }

    /// Takes in a step: whether each latent fired on any of its tokens, `[d_sae]`.
    ///
    /// # Errors
    ///
    /// Another number of latents.
    pub fn step(&mut self, fired: &[bool], tokens: u64) -> Result<()> {
        if fired.len() != self.last.len() {
            let problem = format!("{} latents after {}; give one flag for each latent", fired.len(), self.last.len());
            return Err(Error::Value { of: "Dead", problem });
        }
        (self.tokens, self.steps) = (self.tokens + tokens, self.steps + 1);
        let now = (self.tokens, self.steps);
        self.last.iter_mut().zip(fired).filter(|(_, fired)| **fired).for_each(|(last, _)| *last = now);
        Ok(())
    }

    /// Takes latents for having fired now, such as those that were given new weights.
    pub fn revive(&mut self, latents: &[usize]) {
        let now = (self.tokens, self.steps);
        for latent in latents {
            if let Some(last) = self.last.get_mut(*latent) {
                *last = now;
            }
        }
    }

    /// Whether each latent is dead, `[d_sae]`. None is before it could be.
    pub fn flags(&self, after: DeadAfter) -> Vec<bool> {
        let dead = |(tokens, steps): &(u64, u64)| match after {
            DeadAfter::Tokens(most) => self.tokens - tokens >= most,
            DeadAfter::Steps(most) => self.steps - steps >= most,
        };
        self.last.iter().map(dead).collect()
    }

    /// The dead latents, in order.
    pub fn latents(&self, after: DeadAfter) -> Vec<usize> {
        self.flags(after).iter().enumerate().filter_map(|(latent, dead)| dead.then_some(latent)).collect()
    }

    /// Tokens and steps seen.
    pub fn seen(&self) -> (u64, u64) {
        (self.tokens, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps of 10 tokens: latent 0 fires in each, latent 1 in the first, latent 2 never.
    #[test]
    fn by_hand_and_the_two_definitions_differ() {
        let mut dead = Dead::new(3);
        assert_eq!(dead.latents(DeadAfter::Steps(1)), [0_usize; 0]);
        for fired in [[true, true, false], [true, false, false], [true, false, false]] {
            dead.step(&fired, 10).unwrap();
        }
        assert_eq!(dead.seen(), (30, 3));
        assert_eq!(dead.latents(DeadAfter::Steps(2)), [1, 2]);
        assert_eq!(dead.latents(DeadAfter::Steps(3)), [2]);
        assert_eq!(dead.latents(DeadAfter::Tokens(20)), [1, 2]);
        dead.step(&[true, false, false], 1).unwrap();
        assert_eq!(dead.latents(DeadAfter::Steps(3)), [1, 2]);
        assert_eq!(dead.latents(DeadAfter::Tokens(22)), [2], "a step of one token is a step, but one token");
        dead.revive(&[2]);
        assert_eq!(dead.latents(DeadAfter::Steps(3)), [1]);
        let said = dead.step(&[true], 1).unwrap_err().to_string();
        assert_eq!(said, "`Dead`: 1 latents after 3; give one flag for each latent");
    }
}
