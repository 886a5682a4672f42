//! Keys of a cache: names in any spelling, and TransformerLens's tuples.

use crate::error::{Error, Result};
use crate::site::{Site, canonical, in_module};

/// A key of an [`crate::hooks::ActivationCache`]: a site, a name, `("q", 3)`, or `("scale", 3, "ln1")`. A negative layer
/// counts from the end. The cache of a model accepts any spelling of a site.
pub trait CacheKey {
    /// The name as written, in a model of this many blocks, if the number is known.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a layer that does not exist, [`Error::UnknownDepth`] for a negative layer where the number
    /// of layers is unknown.
    fn literal(&self, n_layers: Option<usize>) -> Result<String>;

    /// The full name of the site of a model that it is a spelling of.
    ///
    /// # Errors
    ///
    /// Those of [`CacheKey::literal`], and [`Error::AmbiguousSite`] for a name that means several sites.
    fn site(&self, n_layers: Option<usize>) -> Result<String>;
}

macro_rules! names {
    ($($name:ty),*) => {
        $(impl CacheKey for $name {
            fn literal(&self, _: Option<usize>) -> Result<String> {
                Ok(self.trim().to_owned())
            }

            fn site(&self, _: Option<usize>) -> Result<String> {
                Ok(canonical(self.as_ref())?)
            }
        })*
    };
}

names!(&str, String, &String);

macro_rules! sites {
    ($($name:ty),*) => {
        $(impl CacheKey for $name {
            fn literal(&self, _: Option<usize>) -> Result<String> {
                Ok(self.to_string())
            }

            fn site(&self, _: Option<usize>) -> Result<String> {
                Ok(self.to_string())
            }
        })*
    };
}

sites!(Site, &Site);

impl CacheKey for (&str, isize) {
    fn literal(&self, n_layers: Option<usize>) -> Result<String> {
        Ok(format!("blocks.{}.{}", layer(self.1, n_layers)?, self.0))
    }

    fn site(&self, n_layers: Option<usize>) -> Result<String> {
        Ok(in_module(layer(self.1, n_layers)?, "block", self.0)?)
    }
}

impl CacheKey for (&str, isize, &str) {
    fn literal(&self, n_layers: Option<usize>) -> Result<String> {
        Ok(format!("blocks.{}.{}.{}", layer(self.1, n_layers)?, self.2, self.0))
    }

    fn site(&self, n_layers: Option<usize>) -> Result<String> {
        Ok(in_module(layer(self.1, n_layers)?, self.2, self.0)?)
    }
}

fn layer(layer: isize, n_layers: Option<usize>) -> Result<usize> {
    if let Ok(layer) = usize::try_from(layer)
        && n_layers.is_none_or(|n_layers| layer < n_layers)
    {
        return Ok(layer);
    }
    let length = n_layers.ok_or(Error::UnknownDepth { layer })?;
    let from_front = length.checked_sub(layer.unsigned_abs()).filter(|_| layer < 0);
    from_front.ok_or_else(|| Error::out_of_range("layer", layer, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_layer_needs_the_number_of_layers() {
        assert_eq!(("q", -1).site(Some(3)).unwrap(), "blocks.2.attn.q");
        assert_eq!(
            ("q", -1).site(None).unwrap_err().to_string(),
            "layer -1 cannot be counted from the end: this cache does not know how many layers there are; use a layer from 0"
        );
    }
}
