//! The measured values that a claim is about.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Origin, stats};
use crate::error::{Error, Result};

/// One or many finite numbers, in units of the metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Sample {
    values: Vec<f64>,
    origin: Option<Box<Origin>>,
    /// What each value was measured on. It is not saved.
    prompts: Option<Vec<String>>,
}

impl Sample {
    /// Makes a sample of the values of a measurement.
    ///
    /// # Errors
    ///
    /// [`Error::Statistics`] for no values, and for a value that is not finite; it gives the index.
    pub fn new(values: Vec<f64>) -> Result<Self> {
        let refuse = |problem: String, fix: &str| Error::Statistics { test: "sample", problem, fix: fix.into() };
        if values.is_empty() {
            return Err(refuse("there are no values".into(), "measure at least one"));
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(refuse(
                format!("value {index} of {} is {}", values.len(), values[index]),
                "measure finite values, or leave this one out and say so",
            )),
            None => Ok(Self { values, origin: None, prompts: None }),
        }
    }

    /// The values, in the order of measurement.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same values, measured at this place and on these prompts.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(Box::new(origin)), ..self }
    }

    /// The place and the prompts that the values were measured at, if they are known. A file does not keep them.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// Says what each value was measured on, in the order of the values. Two samples that name the same prompts are pairs.
    ///
    /// # Errors
    ///
    /// [`Error::Statistics`] for another number of prompts than of values.
    pub fn prompts<T: ToString>(mut self, prompts: impl IntoIterator<Item = T>) -> Result<Self> {
        let prompts: Vec<String> = prompts.into_iter().map(|prompt| prompt.to_string()).collect();
        if prompts.len() != self.n() {
            let problem = format!("there are {} values and {} prompts", self.n(), prompts.len());
            return Err(Error::Statistics { test: "sample", problem, fix: "name one prompt per value".into() });
        }
        self.prompts = Some(prompts);
        Ok(self)
    }

    /// Whether both samples name their prompts, and whether these are the same in the same order.
    pub(super) fn same_prompts(&self, other: &Self) -> Option<bool> {
        Some(self.named_prompts()? == other.named_prompts()?)
    }

    /// Whether both samples name some of the same prompts.
    pub(super) fn shares_prompts(&self, other: &Self) -> bool {
        let (Some(mine), Some(its)) = (self.named_prompts(), other.named_prompts()) else { return false };
        let its: BTreeSet<&String> = its.iter().collect();
        mine.iter().any(|prompt| its.contains(prompt))
    }

    /// The prompt of each value, if they are named or the origin knows one for each.
    fn named_prompts(&self) -> Option<&[String]> {
        let origins = || self.origin().map(|origin| &origin.prompts).filter(|prompts| prompts.len() == self.n());
        self.prompts.as_ref().or_else(origins).map(Vec::as_slice)
    }

    /// The same sample with `shift` added to every value.
    pub(super) fn moved(&self, shift: f64) -> Result<Self> {
        let moved = Self::new(self.values.iter().map(|value| value + shift).collect())?;
        Ok(Self { values: moved.values, ..self.clone() })
    }

    /// The number of values, at least one.
    pub fn n(&self) -> usize {
        self.values.len()
    }

    /// The value, if there is only one.
    pub fn single(&self) -> Option<f64> {
        if let [value] = self.values[..] { Some(value) } else { None }
    }

    /// Whether every value is 0 or 1.
    pub fn is_binary(&self) -> bool {
        self.values.iter().all(|&value| value == 0.0 || value == 1.0)
    }

    /// Number, mean and standard deviation.
    pub fn summary(&self) -> Summary {
        Summary { n: self.n(), mean: stats::mean(&self.values), sd: stats::standard_deviation(&self.values) }
    }
}

impl TryFrom<Vec<f64>> for Sample {
    type Error = Error;

    fn try_from(values: Vec<f64>) -> Result<Self> {
        Self::new(values)
    }
}

impl From<Sample> for Vec<f64> {
    fn from(sample: Sample) -> Self {
        sample.values
    }
}

/// A sample in three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// Their mean, in units of the metric.
    pub mean: f64,
    /// Their sample standard deviation, in units of the metric; `None` for one value.
    pub sd: Option<f64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sd {
            Some(sd) => write!(f, "{:.4} (sd {sd:.4}, n = {})", self.mean, self.n),
            None => write!(f, "{:.4}", self.mean),
        }
    }
}

/// A type that can be the measurement of a claim: a number, a truth value (as 0 or 1), or several of either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a measurement",
    label = "a claim is about a number, a `bool`, or a `Vec`, slice or array of them"
)]
pub trait IntoSample {
    /// The values as a sample.
    ///
    /// # Errors
    ///
    /// As [`Sample::new`].
    fn into_sample(self) -> Result<Sample>;
}

impl IntoSample for Sample {
    fn into_sample(self) -> Result<Sample> {
        Ok(self)
    }
}

impl IntoSample for &Sample {
    fn into_sample(self) -> Result<Sample> {
        Ok(self.clone())
    }
}

/// A number, or a truth value as 0 or 1.
pub(crate) trait Number: Copy {
    fn number(self) -> f64;
}

/// Calls a macro with every type of numbers.
macro_rules! with_numbers {
    ($macro:ident) => {
        $macro!(f64, f32, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
    };
}

pub(crate) use with_numbers;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            #[allow(clippy::cast_lossless, reason = "not every type converts without loss")]
            fn number(self) -> f64 {
                self as f64
            }
        }
    )*};
}

with_numbers!(numbers);

impl Number for bool {
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

fn collect<T: Number>(values: &[T]) -> Result<Sample> {
    Sample::new(values.iter().map(|value| value.number()).collect())
}

macro_rules! into_sample {
    ($($number:ty),*) => {$(
        impl IntoSample for $number {
            fn into_sample(self) -> Result<Sample> {
                collect(&[self])
            }
        }

        impl IntoSample for Vec<$number> {
            fn into_sample(self) -> Result<Sample> {
                collect(&self)
            }
        }

        impl IntoSample for &Vec<$number> {
            fn into_sample(self) -> Result<Sample> {
                collect(self)
            }
        }

        impl IntoSample for &[$number] {
            fn into_sample(self) -> Result<Sample> {
                collect(self)
            }
        }

        impl<const N: usize> IntoSample for [$number; N] {
            fn into_sample(self) -> Result<Sample> {
                collect(&self)
            }
        }
    )*};
}

with_numbers!(into_sample);
into_sample!(bool);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_truth_values_become_samples() {
        assert_eq!(0.5f32.into_sample().unwrap().single(), Some(0.5));
        assert_eq!(vec![true, false].into_sample().unwrap().values(), [1.0, 0.0]);
        assert_eq!([1.0, 2.0, 3.0].into_sample().unwrap().summary(), Summary { n: 3, mean: 2.0, sd: Some(1.0) });
        let slice: &[f32] = &[1.0, 0.0];
        assert!(slice.into_sample().unwrap().is_binary());
        assert_eq!(true.into_sample().unwrap().summary().sd, None);
        assert_eq!([3_usize, 4].into_sample().unwrap().values(), [3.0, 4.0]);
        assert_eq!((-3).into_sample().unwrap().single(), Some(-3.0));
    }

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        assert_eq!(
            vec![1.0, f64::NAN].into_sample().unwrap_err().to_string(),
            "`sample`: value 1 of 2 is NaN; measure finite values, or leave this one out and say so"
        );
        assert_eq!(
            Sample::new(Vec::new()).unwrap_err().to_string(),
            "`sample`: there are no values; measure at least one"
        );
    }

    #[test]
    fn prompts_are_counted_and_compared() {
        let named = |prompts: &[&str]| [1.0, 2.0].into_sample().unwrap().prompts(prompts).unwrap();
        assert_eq!(named(&["a", "b"]).same_prompts(&named(&["a", "b"])), Some(true));
        assert_eq!(named(&["a", "b"]).same_prompts(&named(&["b", "a"])), Some(false));
        assert!(
            named(&["a", "b"]).shares_prompts(&named(&["b", "c"]))
                && !named(&["a", "b"]).shares_prompts(&named(&["c", "d"]))
        );
        assert_eq!(named(&["a", "b"]).same_prompts(&[1.0, 2.0].into_sample().unwrap()), None);
        let at = |prompts: &[&str]| {
            let prompts = prompts.iter().map(|prompt| (*prompt).to_owned()).collect();
            [1.0, 2.0].into_sample().unwrap().with_origin(Origin { prompts, ..Origin::default() })
        };
        assert_eq!(at(&["a", "b"]).same_prompts(&named(&["a", "b"])), Some(true));
        assert_eq!(at(&[]).same_prompts(&at(&[])), None, "nobody knows the prompts");
        assert_eq!(
            [1.0, 2.0].into_sample().unwrap().prompts(["a"]).unwrap_err().to_string(),
            "`sample`: there are 2 values and 1 prompts; name one prompt per value"
        );
    }

    #[test]
    fn a_sample_read_from_a_file_is_checked() {
        let sample = [0.1, 0.2].into_sample().unwrap();
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(text, "[0.1,0.2]");
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
        assert!(serde_json::from_str::<Sample>("[]").is_err());
    }
}
