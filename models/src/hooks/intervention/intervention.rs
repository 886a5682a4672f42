//! An action, and the rows, positions, tokens, heads and features that it applies to.

use serde::{Deserialize, Serialize};

use super::selection::{Selection, slots_without_rows};
use super::vector::Vector;
use super::{Action, action_types, actions};
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;
use crate::site::Axes;

/// An action on the selected numbers of a tensor. Without any selection it applies to the whole tensor.
///
/// Its JSON, as records store it: `{"action":{"do":"zero"},"heads":[3]}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervention {
    /// The action.
    pub action: Action,
    /// Batch rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<usize>>,
    /// Positions among a row's own tokens, not counting padding. Negative ones count from the end of the prompt. For
    /// `scores` and `pattern` they are query positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Vec<isize>>,
    /// Token ids: selects the positions that hold one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<u32>>,
    /// Heads, at sites with a head axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// Entries of the last axis, such as neurons or directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<usize>>,
}

/// Defines one constructor per action.
macro_rules! constructors {
    ($($(#[doc = $doc:literal])+ $name:ident $Type:ident ($($argument:ident: $kind:ty),*);)+) => {
        impl Intervention {
            $($(#[doc = $doc])+ pub fn $name($($argument: $kind),*) -> Self {
                Self::new(action_types::$Type::new($($argument),*))
            })+
        }
    };
}
actions!(constructors);

impl Intervention {
    /// An action on the whole tensor of a site.
    pub fn new(action: impl Into<Action>) -> Self {
        Self { action: action.into(), rows: None, positions: None, tokens: None, heads: None, features: None }
    }

    /// Only these batch rows.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.rows = Some(rows.into_iter().collect());
        self
    }

    /// Only these positions of each row; see the field [`Intervention::positions`].
    #[must_use]
    pub fn positions(mut self, positions: impl IntoIterator<Item = isize>) -> Self {
        self.positions = Some(positions.into_iter().collect());
        self
    }

    /// Only positions that hold one of these tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: impl IntoIterator<Item = u32>) -> Self {
        self.tokens = Some(tokens.into_iter().collect());
        self
    }

    /// Only this head.
    #[must_use]
    pub fn head(self, head: usize) -> Self {
        self.heads([head])
    }

    /// Only these heads.
    #[must_use]
    pub fn heads(mut self, heads: impl IntoIterator<Item = usize>) -> Self {
        self.heads = Some(heads.into_iter().collect());
        self
    }

    /// Only these entries of the last axis.
    #[must_use]
    pub fn features(mut self, features: impl IntoIterator<Item = usize>) -> Self {
        self.features = Some(features.into_iter().collect());
        self
    }

    /// Checks that the action and the selection fit a tensor of these dims.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a selection outside the tensor, [`Error::EditShape`] for a value that does not fit.
    pub fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.selection(dims, &at.axes(dims), at)?;
        self.action.check(dims, at)
    }

    /// The tensor with the action applied to the selection.
    ///
    /// # Errors
    ///
    /// Those of [`Intervention::check`].
    pub fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
        self.check(value.dims(), at)?;
        let axes = at.axes(value.dims());
        let changed = self.action.apply(value, at)?;
        let Some(mask) = self.selection(value.dims(), &axes, at)?.mask(value.device()) else {
            return Ok(changed);
        };
        let (flat, changed) = (value.to_flat()?, changed.to_flat()?);
        Activation::shaped(flat.mask_where(mask, changed), value.dims())
    }

    /// The selection within a tensor of these dims.
    fn selection<'a>(&self, dims: &'a [usize], axes: &Axes, at: &At<'a>) -> Result<Selection<'a>> {
        let mut selection = Selection::all(dims, at);
        let rows = at.rows_of(dims);
        if let Some(wanted) = &self.rows {
            selection.only(Some(0), "row", wanted, rows.map_or((0, dims[0]), Rows::batch))?;
        }
        if let Some(heads) = &self.heads {
            let length = axes.head.and_then(|axis| dims.get(axis)).copied().unwrap_or(0);
            selection.only(axes.head, "head", heads, (0, length))?;
        }
        if let Some(features) = &self.features {
            selection.only(Some(dims.len() - 1), "feature", features, (0, dims[dims.len() - 1]))?;
        }
        if let Some(positions) = &self.positions {
            let slots = match rows {
                Some(rows) => rows.at(positions)?,
                None => slots_without_rows(positions, dims, axes.position)?,
            };
            selection.only_slots(axes.position, slots);
        }
        if let Some(tokens) = &self.tokens {
            let rows = rows.ok_or_else(|| Error::no_tokens(at.site, dims))?;
            selection.only_slots(axes.position, rows.holding(tokens));
        }
        Ok(selection)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::intervention::testing::{four, run};

    #[test]
    fn a_head_that_does_not_exist_is_named() {
        let error = run(&Intervention::zero().head(2), &four()).unwrap_err();
        assert_eq!(error.to_string(), "head 2 is out of range: there are 2, numbered from 0");
    }

    #[test]
    fn tokens_need_a_run_on_tokens() {
        let error = run(&Intervention::zero().tokens([1]), &four()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`blocks.0.attn.z` of shape [1, 2, 2, 2] does not belong to a model that runs on tokens: nothing says which \
             tokens its positions hold"
        );
    }

    #[test]
    fn a_record_keeps_every_bit() {
        let masked = vec![f32::NEG_INFINITY, f32::INFINITY, 0.1, -0.0, 1e-40, f32::MAX, 2.0, 3.0];
        let masked = Activation::from_vec(masked, &[1, 2, 2, 2], &Device::flex()).unwrap();
        for intervention in [
            Intervention::patch(&four()).head(1),
            Intervention::patch(&masked),
            Intervention::set(f32::NEG_INFINITY).head(0),
            Intervention::scale(f32::INFINITY),
            Intervention::add(vec![f32::NAN, 0.1], f32::NEG_INFINITY),
        ] {
            let text = serde_json::to_string(&intervention).unwrap();
            let back: Intervention = serde_json::from_str(&text).unwrap();
            let bits = |of: &Intervention| run(of, &four()).unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&back), bits(&intervention), "{text}");
        }
    }

    #[test]
    fn the_json_of_each_action_has_its_name() {
        let json = |of: Intervention| serde_json::to_string(&of).unwrap();
        assert_eq!(json(Intervention::zero().heads([1, 2])), r#"{"action":{"do":"zero"},"heads":[1,2]}"#);
        assert_eq!(json(Intervention::mean_over_positions()), r#"{"action":{"do":"mean_over_positions"}}"#);
        assert_eq!(json(Intervention::knock_out([0, -1])), r#"{"action":{"do":"knock_out","keys":[0,-1]}}"#);
        let projected = json(Intervention::project_out(vec![0.0, 3.0]));
        assert_eq!(projected, r#"{"action":{"do":"project_out","direction":[0.0,3.0]}}"#);
    }

    #[test]
    fn unknown_words_in_json_are_refused() {
        let said = |text: &str| serde_json::from_str::<Intervention>(text).unwrap_err().to_string();
        let misspelt = said(r#"{"action":{"do":"zero"},"head":[3]}"#);
        assert!(misspelt.starts_with("unknown field `head`, expected one of `action`, `rows`"), "{misspelt}");
        let unknown = said(r#"{"action":{"do":"negate"}}"#);
        assert!(unknown.starts_with("unknown variant `negate`, expected one of `zero`, `set`"), "{unknown}");
        assert!(said(r#"{"action":{"do":"scale","factor":2.0,"of":1}}"#).starts_with("unknown field `of`"));
    }
}
