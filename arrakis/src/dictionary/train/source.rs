//! Where the activations of a training come from.

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use crate::dictionary::{ActivationStream, Planted, SideBySide, StreamPlace};
use crate::error::{Error, Result};

/// Batches of activations without end. A training that is stopped goes on at the place where it was.
pub trait Source {
    /// The next batch: for each site `[token, width]`, in the units of the site.
    ///
    /// # Errors
    ///
    /// What the source cannot read.
    fn next(&mut self) -> Result<Vec<Tensor<2>>>;

    /// The place before the next batch, as plain data.
    fn place(&self) -> Value;

    /// Goes to a place that [`Source::place`] gave: the same batches follow, to the bit.
    ///
    /// # Errors
    ///
    /// A place of another source.
    fn go_to(&mut self, place: &Value) -> Result<()>;
}

fn elsewhere(error: impl std::fmt::Display) -> Error {
    let problem = format!("the place is not one of this source: {error}; go on with the source of the checkpoint");
    Error::Value { of: "Source", problem }
}

impl Source for ActivationStream<'_> {
    fn next(&mut self) -> Result<Vec<Tensor<2>>> {
        Self::next(self)
    }

    fn place(&self) -> Value {
        serde_json::to_value(Self::place(self)).expect("BUG: a place is plain data")
    }

    fn go_to(&mut self, place: &Value) -> Result<()> {
        let place: StreamPlace = serde_json::from_value(place.clone()).map_err(elsewhere)?;
        *self = self.activations().stream_from(&place)?;
        Ok(())
    }
}

impl Source for SideBySide<'_> {
    fn next(&mut self) -> Result<Vec<Tensor<2>>> {
        Ok(vec![Self::next(self)?])
    }

    fn place(&self) -> Value {
        serde_json::to_value(Self::place(self)).expect("BUG: a place is plain data")
    }

    fn go_to(&mut self, place: &Value) -> Result<()> {
        Self::go_to(self, &serde_json::from_value(place.clone()).map_err(elsewhere)?)
    }
}

/// The activations of planted features, batch after batch.
#[derive(Clone, Debug)]
pub struct PlantedStream {
    planted: Planted,
    tokens: usize,
    device: Device,
    next: u64,
}

impl Planted {
    /// Batches of so many tokens.
    pub fn stream(&self, tokens: usize, device: &Device) -> PlantedStream {
        PlantedStream { planted: self.clone(), tokens, device: device.clone(), next: 0 }
    }
}

impl Source for PlantedStream {
    fn next(&mut self) -> Result<Vec<Tensor<2>>> {
        self.next += 1;
        Ok(vec![self.planted.batch(self.next - 1, self.tokens, &self.device).1])
    }

    fn place(&self) -> Value {
        self.next.into()
    }

    fn go_to(&mut self, place: &Value) -> Result<()> {
        self.next = place.as_u64().ok_or_else(|| elsewhere(format!("`{place}` is not the number of a batch")))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis_models::device;

    #[test]
    fn a_stream_goes_to_a_place() {
        let mut stream = Planted::new(3, 2, 1).stream(4, &Device::flex());
        let mut next = || device::read(Source::next(&mut stream).unwrap().remove(0)).unwrap();
        let batches = [next(), next(), next()];
        assert_ne!(batches[0], batches[1]);
        let mut again = Planted::new(3, 2, 1).stream(4, &Device::flex());
        again.go_to(&Value::from(2)).unwrap();
        assert_eq!(device::read(again.next().unwrap().remove(0)).unwrap(), batches[2]);
        assert_eq!(
            again.go_to(&Value::from("x")).unwrap_err().to_string(),
            "`Source`: the place is not one of this source: `\"x\"` is not the number of a batch; go on with the source of the \
             checkpoint"
        );
    }
}
