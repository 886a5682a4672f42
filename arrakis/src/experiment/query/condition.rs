//! A condition on a record, as people write it: `score > 0.5`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::names::{Names, number};
use crate::error::{Error, Result};

/// How two values are compared, the longest spelling first.
const COMPARISONS: [(&str, Compare); 8] = [
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("!=", Compare::Not),
    ("==", Compare::Is),
    ("=", Compare::Is),
    ("<", Compare::Below),
    (">", Compare::Above),
    ("~", Compare::Contains),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Is,
    Not,
    Below,
    Above,
    AtMost,
    AtLeast,
    Contains,
}

/// A condition on a value of a record: `NAME = VALUE`, or `!=`, `<`, `<=`, `>`, `>=`, or `~` for text that contains another.
///
/// Names are those of [`Names`]. Numbers are compared as numbers. A record without the value does not meet the condition.
///
/// ```
/// # use arrakis::experiment::Condition;
/// let strong: Condition = "result.score >= 0.5".parse()?;
/// assert_eq!(strong.to_string(), "result.score >= 0.5");
/// # Ok::<(), arrakis::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    name: String,
    compare: Compare,
    value: String,
}

impl Condition {
    /// The name of the value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a record meets it.
    pub(super) fn holds(&self, names: &Names) -> bool {
        names.get(&self.name).is_some_and(|value| self.holds_of(value))
    }

    fn holds_of(&self, value: &Value) -> bool {
        if let (Some(found), Ok(asked)) = (number(value), self.value.parse::<f64>()) {
            return self.holds_of_number(found, asked);
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.compare {
            Compare::Is => text == self.value,
            Compare::Not => text != self.value,
            Compare::Contains => text.contains(&self.value),
            // Times are text that sorts.
            Compare::Below => text < self.value,
            Compare::Above => text > self.value,
            Compare::AtMost => text <= self.value,
            Compare::AtLeast => text >= self.value,
        }
    }

    fn holds_of_number(&self, found: f64, asked: f64) -> bool {
        match self.compare {
            Compare::Is => found == asked || found.is_nan() && asked.is_nan(),
            Compare::Not => !(found == asked || found.is_nan() && asked.is_nan()),
            Compare::Below => found < asked,
            Compare::Above => found > asked,
            Compare::AtMost => found <= asked,
            Compare::AtLeast => found >= asked,
            Compare::Contains => found.to_string().contains(&self.value),
        }
    }
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::Value {
            of: "Condition",
            problem: format!("`{text}` is not a condition: write NAME = VALUE, or !=, <, <=, >, >= or ~ (contains)"),
        };
        let first = text.find(['<', '>', '!', '=', '~']).ok_or_else(refuse)?;
        let (name, rest) = text.split_at(first);
        let (sign, compare) = *COMPARISONS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(refuse)?;
        let (name, value) = (name.trim(), rest[sign.len()..].trim());
        if name.is_empty() || value.is_empty() {
            return Err(refuse());
        }
        Ok(Self { name: name.to_owned(), compare, value: value.to_owned() })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, _) = COMPARISONS.iter().find(|(_, compare)| *compare == self.compare).unwrap_or(&COMPARISONS[0]);
        write!(f, "{} {sign} {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: &str, value: &Value) -> bool {
        condition.parse::<Condition>().unwrap().holds_of(value)
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_text_as_text() {
        assert!(holds("x = 1", &json!(1.0)) && holds("x < 10", &json!(9)) && !holds("x<10", &json!(10)));
        assert!(
            holds("x >= 0.5", &json!(0.5)) && holds("x!=2", &json!(3)) && holds("x = NaN", &json!({"$float": "NaN"}))
        );
        assert!(!holds("x > 0", &json!({"$float": "NaN"})), "NaN is above nothing");
        assert!(
            holds("x = gpt2", &json!("gpt2")) && holds("x ~ pt", &json!("gpt2")) && !holds("x = gpt", &json!("gpt2"))
        );
        assert!(holds("started > 2026-11", &json!("2026-11-26T10:00:00Z")));
        assert!(holds("x = true", &json!(true)) && holds("x = null", &json!(null)));
    }

    #[test]
    fn what_is_not_a_condition_says_how_one_is_written() {
        for text in ["score", "= 3", "score >", "a ! b"] {
            let said = text.parse::<Condition>().unwrap_err().to_string();
            let expected = format!(
                "`Condition`: `{text}` is not a condition: write NAME = VALUE, or !=, <, <=, >, >= or ~ (contains)"
            );
            assert_eq!(said, expected);
        }
    }
}
