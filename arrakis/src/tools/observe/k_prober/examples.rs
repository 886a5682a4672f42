//! Labelled activations.

use burn::tensor::{Device, Tensor, TensorData};

use super::refuse::refuse;
use crate::error::Result;

/// Activations with a label each, in groups that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// `[example][feature]`
    pub(super) features: Vec<Vec<f64>>,
    pub(super) labels: Vec<bool>,
    pub(super) groups: Vec<usize>,
}

impl Examples {
    /// Examples from features `[example][feature]` and a label for each. Each example is a group of its own.
    ///
    /// # Errors
    ///
    /// No example, rows of different lengths, another number of labels, a number that is not finite, one label only.
    pub fn new(features: Vec<Vec<f64>>, labels: Vec<bool>) -> Result<Self> {
        let width = features.first().map_or(0, Vec::len);
        if width == 0 {
            return Err(refuse("there is no activation to probe; give at least two examples"));
        }
        if labels.len() != features.len() {
            return Err(refuse(format!(
                "got {} labels for {} examples; give one for each",
                labels.len(),
                features.len()
            )));
        }
        if let Some(row) = features.iter().position(|row| row.len() != width) {
            let problem =
                format!("example {row} has {} features, the first has {width}; give one length", features[row].len());
            return Err(refuse(problem));
        }
        if let Some(row) = features.iter().position(|row| row.iter().any(|x| !x.is_finite())) {
            return Err(refuse(format!("example {row} has a feature that is not finite; leave it out")));
        }
        if labels.iter().all(|label| *label == labels[0]) {
            return Err(refuse(format!("every label is {}; give examples of both", labels[0])));
        }
        let groups = (0..labels.len()).collect();
        Ok(Self { features, labels, groups })
    }

    /// Puts examples into groups, such as the prompts of one template or the tokens of one word. No group is both
    /// trained and tested on.
    ///
    /// # Errors
    ///
    /// Another number of groups than examples, or one group only.
    pub fn grouped(self, groups: &[usize]) -> Result<Self> {
        if groups.len() != self.labels.len() {
            return Err(refuse(format!(
                "got {} groups for {} examples; give one for each",
                groups.len(),
                self.labels.len()
            )));
        }
        if groups.iter().all(|group| *group == groups[0]) {
            return Err(refuse("all examples are in one group, so none is left to test on; give at least two groups"));
        }
        Ok(Self { groups: groups.to_vec(), ..self })
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of features of each example.
    pub fn width(&self) -> usize {
        self.features[0].len()
    }

    /// How many examples have the commoner label, as a share of all.
    pub fn base_rate(&self) -> f64 {
        let share = self.labels.iter().filter(|label| **label).count() as f64 / self.len() as f64;
        share.max(1.0 - share)
    }

    /// The label of each example.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The group of each example.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// The features, `[example, feature]`.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let numbers: Vec<f32> = self.features.iter().flatten().map(|x| *x as f32).collect();
        Tensor::from_data(TensorData::new(numbers, [self.len(), self.width()]), device)
    }

    /// Rows of the features, with labels.
    pub(super) fn rows(&self, rows: &[usize]) -> (Vec<&[f64]>, Vec<bool>) {
        (
            rows.iter().map(|row| self.features[*row].as_slice()).collect(),
            rows.iter().map(|row| self.labels[*row]).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let said = |features: Vec<Vec<f64>>, labels: &[bool]| {
            Examples::new(features, labels.to_vec()).unwrap_err().to_string()
        };
        let rows = || vec![vec![1.0], vec![2.0]];
        assert_eq!(said(Vec::new(), &[]), "k_prober: there is no activation to probe; give at least two examples");
        assert_eq!(said(rows(), &[true]), "k_prober: got 1 labels for 2 examples; give one for each");
        assert_eq!(said(rows(), &[true; 2]), "k_prober: every label is true; give examples of both");
        assert_eq!(
            said(vec![vec![1.0], vec![f64::NAN]], &[true, false]),
            "k_prober: example 1 has a feature that is not finite; leave it out"
        );
        assert_eq!(
            said(vec![vec![1.0], vec![1.0, 2.0]], &[true, false]),
            "k_prober: example 1 has 2 features, the first has 1; give one length"
        );
        let examples = Examples::new(rows(), vec![true, false]).unwrap();
        assert_eq!(
            examples.clone().grouped(&[4, 4]).unwrap_err().to_string(),
            "k_prober: all examples are in one group, so none is left to test on; give at least two groups"
        );
        assert_eq!(
            examples.clone().grouped(&[1]).unwrap_err().to_string(),
            "k_prober: got 1 groups for 2 examples; give one for each"
        );
        assert_eq!((examples.base_rate(), examples.width(), examples.len()), (0.5, 1, 2));
    }
}
