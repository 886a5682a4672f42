//! A rotation's settings in `config.json`, in the spellings of transformers 4 and 5.

use serde_json::Value;

use super::HfConfig;
use crate::error::Result;
use crate::transformer::{Rope, RopeScaling};

const TYPES: &str = "default, linear, dynamic, yarn, longrope, llama3";

/// What a rotation needs besides its own table.
pub(super) struct RopeReader {
    /// Width of a head.
    pub(super) d_head: usize,
    /// `max_position_embeddings`.
    pub(super) n_ctx: usize,
    /// Base if the table does not give one.
    pub(super) theta: f64,
    /// Fraction of a head that is rotated, if the table does not give one.
    pub(super) fraction: f64,
    /// `original_max_position_embeddings` beside the table, which overrides the one in the table.
    pub(super) original: Option<usize>,
}

impl Rope {
    /// Reads `rope_theta`, `partial_rotary_factor` and `rope_scaling` (transformers 4), or `rope_parameters` (5).
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::error::Error::Config) naming the key that is unknown, missing or not valid.
    pub(crate) fn from_hf(
        hf: &HfConfig,
        d_head: usize,
        n_ctx: usize,
        default_theta: f64,
        default_partial_fraction: f64,
    ) -> Result<Self> {
        let theta = hf.number_or("rope_theta", default_theta)?;
        let fraction = hf.number_or("partial_rotary_factor", default_partial_fraction)?;
        let original = hf.optional_count("original_max_position_embeddings")?;
        RopeReader { d_head, n_ctx, theta, fraction, original }.read(hf, rope_table(hf)?.as_ref())
    }
}

/// `rope_scaling` if it is not empty, else `rope_parameters`, as in transformers.
pub(super) fn rope_table(hf: &HfConfig) -> Result<Option<HfConfig>> {
    let old = hf.table("rope_scaling")?.filter(|table| !table.is_empty());
    let new = hf.table("rope_parameters")?.filter(|table| !table.is_empty());
    if old.is_some() && new.is_some() && hf.value("rope_scaling") != hf.value("rope_parameters") {
        return Err(hf.problem("rope_scaling", "`rope_parameters` says something else; keep one of the two"));
    }
    Ok(old.or(new))
}

impl RopeReader {
    /// The rotation that a table describes, or the plain rotation if there is no table.
    pub(super) fn read(&self, hf: &HfConfig, table: Option<&HfConfig>) -> Result<Rope> {
        let (theta, fraction) = match table {
            Some(table) => {
                (table.number_or("rope_theta", self.theta)?, table.number_or("partial_rotary_factor", self.fraction)?)
            }
            None => (self.theta, self.fraction),
        };
        let place = table.unwrap_or(hf);
        if theta <= 1.0 {
            return Err(place.problem("rope_theta", format!("the base of the rotation is {theta}; it must be above 1")));
        }
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(place.problem(
                "partial_rotary_factor",
                format!("the rotated fraction of a head is {fraction}; it must be above 0 and at most 1"),
            ));
        }
        let dims = (self.d_head as f64 * fraction) as usize;
        if dims == 0 || !dims.is_multiple_of(2) {
            return Err(place.problem(
                "partial_rotary_factor",
                format!(
                    "{fraction} of a head of {} is {dims} rotated dimensions; their number must be even and above 0",
                    self.d_head
                ),
            ));
        }
        let scaling = table.map_or(Ok(RopeScaling::Default), |table| self.scaling(table, dims))?;
        Ok(Rope { theta, dims, interleaved: false, scaling })
    }

    fn scaling(&self, table: &HfConfig, dims: usize) -> Result<RopeScaling> {
        let old_name = table.word_or("type", "default")?;
        let name = table.word_or("rope_type", &old_name)?;
        let scaling = match name.as_str() {
            "default" => RopeScaling::Default,
            "linear" => RopeScaling::Linear { factor: factor(table)? },
            "dynamic" => self.dynamic(table, dims)?,
            "yarn" => self.yarn(table)?,
            "longrope" | "su" => self.longrope(table, dims)?,
            "llama3" => self.llama3(table)?,
            _ => {
                return Err(table.problem(
                    if table.has("rope_type") { "rope_type" } else { "type" },
                    format!("this rotation is not known; known: {TYPES}"),
                ));
            }
        };
        // transformers does not read these for types that do not use them.
        table.finish(&["original_max_position_embeddings", "finetuned"])?;
        Ok(scaling)
    }

    fn dynamic(&self, table: &HfConfig, dims: usize) -> Result<RopeScaling> {
        if dims < 4 {
            return Err(table.problem("rope_type", "a dynamic rotation needs at least 4 rotated dimensions"));
        }
        Ok(RopeScaling::Dynamic { factor: factor(table)?, original_n_ctx: self.n_ctx })
    }

    fn yarn(&self, table: &HfConfig) -> Result<RopeScaling> {
        let original_n_ctx = self.original(table)?;
        let factor = self.factor_or_ratio(table, original_n_ctx)?;
        let mscale = |scale: f64| {
            if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
        };
        let (all, one) = (table.number_or("mscale_all_dim", 0.0)?, table.number_or("mscale", 0.0)?);
        let usual = if all != 0.0 && one != 0.0 { mscale(one) / mscale(all) } else { mscale(1.0) };
        let attention_factor = attention_factor(table, usual)?;
        let beta =
            |key: &str, usual: f64| table.number_or(key, usual).map(|beta| if beta == 0.0 { usual } else { beta });
        let (beta_fast, beta_slow) = (beta("beta_fast", 32.0)?, beta("beta_slow", 1.0)?);
        if beta_slow <= 0.0 || beta_fast < beta_slow {
            return Err(table.problem("beta_fast", format!("beta_fast is {beta_fast} and beta_slow {beta_slow}; both must be positive, and beta_fast must be greater")));
        }
        Ok(RopeScaling::Yarn {
            factor,
            original_n_ctx,
            beta_fast,
            beta_slow,
            attention_factor,
            truncate: table.flag_or("truncate", true)?,
        })
    }

    fn longrope(&self, table: &HfConfig, dims: usize) -> Result<RopeScaling> {
        let original_n_ctx = self.original(table)?;
        let factor = self.factor_or_ratio(table, original_n_ctx)?;
        let usual = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original_n_ctx as f64).ln()).sqrt() };
        if !usual.is_finite() {
            return Err(table.problem("original_max_position_embeddings", "must be at least 2"));
        }
        let list = |key: &str| {
            let factors = table.numbers(key)?;
            let fits = factors.len() == dims / 2 && factors.iter().all(|factor| *factor > 0.0);
            if fits {
                Ok(factors)
            } else {
                Err(table.problem(
                    key,
                    format!("must be a list of {} positive numbers, one for each rotated pair of dimensions", dims / 2),
                ))
            }
        };
        Ok(RopeScaling::Longrope {
            short: list("short_factor")?,
            long: list("long_factor")?,
            original_n_ctx,
            attention_factor: attention_factor(table, usual)?,
        })
    }

    fn llama3(&self, table: &HfConfig) -> Result<RopeScaling> {
        let needed = |key: &str| {
            let number = table.optional_number(key)?.filter(|number| *number > 0.0);
            number.ok_or_else(|| table.problem(key, "this key is needed: a positive number"))
        };
        let (low_freq_factor, high_freq_factor) = (needed("low_freq_factor")?, needed("high_freq_factor")?);
        if high_freq_factor <= low_freq_factor {
            return Err(
                table.problem("high_freq_factor", format!("must be above low_freq_factor, which is {low_freq_factor}"))
            );
        }
        Ok(RopeScaling::Llama3 {
            factor: factor(table)?,
            low_freq_factor,
            high_freq_factor,
            original_n_ctx: self.original(table)?,
        })
    }

    /// The context it was trained with, from beside the table or in it, else the whole context.
    fn original(&self, table: &HfConfig) -> Result<usize> {
        let within = table.count_or("original_max_position_embeddings", self.n_ctx)?;
        Ok(self.original.unwrap_or(within))
    }

    fn factor_or_ratio(&self, table: &HfConfig, original: usize) -> Result<f64> {
        if table.value("factor").is_some() { factor(table) } else { Ok(self.n_ctx as f64 / original as f64) }
    }
}

fn factor(table: &HfConfig) -> Result<f64> {
    let factor = table.optional_number("factor")?.filter(|factor| *factor >= 1.0);
    factor.ok_or_else(|| table.problem("factor", "this key is needed: a number that is at least 1"))
}

fn attention_factor(table: &HfConfig, usual: f64) -> Result<f64> {
    let given = table.number_or("attention_factor", usual)?;
    if given > 0.0 { Ok(given) } else { Err(table.problem("attention_factor", "must be above 0")) }
}

/// Refuses to rotate part of a head in families that rotate whole heads.
pub(super) fn whole_head(hf: &HfConfig, rope: &Rope, d_head: usize) -> Result<()> {
    if rope.dims == d_head {
        return Ok(());
    }
    let key = if hf.value("partial_rotary_factor").is_some_and(Value::is_number) {
        "partial_rotary_factor"
    } else {
        "rope_parameters"
    };
    Err(hf.problem(key, "this architecture rotates whole heads; partial_rotary_factor must be 1 or absent"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(config: Value) -> Result<Rope> {
        Rope::from_hf(&HfConfig::new(config)?, 8, 64, 10_000.0, 1.0)
    }

    fn refusal(scaling: &Value) -> String {
        read(json!({ "model_type": "llama", "rope_scaling": scaling })).unwrap_err().to_string()
    }

    /// The settings with which transformers computed `rotary_reference.json`.
    #[test]
    fn settings_are_read_as_in_transformers() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/fixtures/rotary_reference.json")).unwrap();
        for case in cases {
            let expected: Rope = serde_json::from_value(case["rope"].clone()).unwrap();
            let hf = HfConfig::new(case["config"].clone()).unwrap();
            let d_head = if case["name"] == "default, large base" { 64 } else { 16 };
            let n_ctx = case["config"]["max_position_embeddings"].as_u64().unwrap() as usize;
            let rope = Rope::from_hf(&hf, d_head, n_ctx, 10_000.0, 1.0).unwrap();
            assert!((rope.attention_factor() - expected.attention_factor()).abs() < 1e-12, "{}", case["name"]);
            assert_eq!(rope, expected, "{}", case["name"]);
        }
    }

    #[test]
    fn both_spellings_agree() {
        let old =
            json!({ "model_type": "llama", "rope_theta": 500, "rope_scaling": { "type": "linear", "factor": 2 } });
        let new = json!({ "model_type": "llama", "rope_parameters": { "rope_theta": 500.0, "rope_type": "linear", "factor": 2.0 } });
        assert_eq!(read(old).unwrap(), read(new).unwrap());
    }

    #[test]
    fn yarn_and_longrope_by_hand() {
        let yarn = json!({ "model_type": "qwen2", "rope_scaling": { "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16 } });
        assert!((read(yarn).unwrap().attention_factor() - 1.138_629_436_111_989).abs() < 1e-12);
        let list = json!([1, 1, 1, 1]);
        let su = json!({ "model_type": "phi3", "original_max_position_embeddings": 8, "rope_scaling": { "type": "su", "short_factor": list, "long_factor": list } });
        assert!((read(su).unwrap().attention_factor() - 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn an_unknown_or_invalid_setting_is_named() {
        assert!(
            refusal(&json!({ "rope_type": "proportional" })).contains("`rope_scaling.rope_type`")
                && refusal(&json!({ "type": "axial" })).contains("known: default, linear")
        );
        assert!(refusal(&json!({ "type": "linear", "factor": 0.5 })).contains("at least 1"));
        assert!(refusal(&json!({ "type": "linear", "factor": 2.0, "alpha": 3 })).contains("`rope_scaling.alpha`"));
        assert!(
            refusal(&json!({ "type": "longrope", "short_factor": [1, 1], "long_factor": [1, 1, 1, 1] }))
                .contains("list of 4 positive numbers")
        );
        assert!(
            refusal(&json!({ "type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1 }))
                .contains("above low_freq_factor")
        );
        let odd = read(json!({ "model_type": "stablelm", "partial_rotary_factor": 0.4 })).unwrap_err().to_string();
        assert!(odd.contains("3 rotated dimensions"), "{odd}");
    }
}
