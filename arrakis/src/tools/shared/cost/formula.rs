//! The formulas of cost tables: sums and products of numbers and letters, and `fit(n, tokens)`.

use std::collections::BTreeMap;

use crate::tools::shared::common;

/// What the letters of a formula stand for.
pub(crate) type Letters = BTreeMap<&'static str, usize>;

/// The value of a formula such as `1 + layers · fit(heads, tokens)`.
pub(super) fn value(text: &str, letters: &Letters) -> Result<usize, String> {
    let mut reader = Reader { rest: text.trim(), letters };
    let found = reader.sum()?;
    if reader.rest.is_empty() { Ok(found) } else { Err(format!("`{text}` is not read to its end: `{}`", reader.rest)) }
}

struct Reader<'a> {
    rest: &'a str,
    letters: &'a Letters,
}

impl Reader<'_> {
    fn sum(&mut self) -> Result<usize, String> {
        let mut sum = self.product()?;
        loop {
            if self.takes("+") {
                sum += self.product()?;
            } else if self.takes("-") {
                sum = sum.saturating_sub(self.product()?);
            } else {
                return Ok(sum);
            }
        }
    }

    fn product(&mut self) -> Result<usize, String> {
        let mut product = self.factor()?;
        while self.takes("·") {
            product *= self.factor()?;
        }
        Ok(product)
    }

    fn factor(&mut self) -> Result<usize, String> {
        if self.takes("(") {
            let inside = self.sum()?;
            return self.closed(inside);
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if let Ok(number) = word.parse() {
            return Ok(number);
        }
        if word == "fit" && self.takes("(") {
            let count = self.sum()?;
            self.takes(",");
            let tokens = self.sum()?;
            return self.closed(count.div_ceil(common::copies(tokens)));
        }
        self.letters.get(word).copied().ok_or_else(|| format!("`{word}` has no value"))
    }

    fn closed(&mut self, inside: usize) -> Result<usize, String> {
        if self.takes(")") { Ok(inside) } else { Err(format!("no `)` at `{}`", self.rest)) }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = self.rest.strip_prefix(sign);
        if let Some(rest) = found {
            self.rest = rest.trim_start();
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let letters = Letters::from([("layers", 3), ("heads", 5), ("tokens", 1000)]);
        let of = |text| value(text, &letters);
        assert_eq!((of("0"), of("2 + layers · (heads - 1)")), (Ok(0), Ok(14)));
        // Two copies of 1000 tokens are one forward of 2048.
        assert_eq!((of("layers · fit(heads, tokens)"), of("fit(heads, 5 · tokens)")), (Ok(9), Ok(5)));
        assert_eq!(of("1 + steps"), Err("`steps` has no value".to_owned()));
        assert_eq!(of("1 + (2"), Err("no `)` at ``".to_owned()));
        assert_eq!(of("1 2"), Err("`1 2` is not read to its end: `2`".to_owned()));
    }
}
