//! Activations token by token, over batches of any lengths, without padding.

use arrakis_models::{HookedTransformer, IntoTokens, SitePattern, Tokens};

use super::finite;
use crate::error::{Error, Result};

/// The activations of one site at one token.
pub(crate) struct TokenRow<'a> {
    /// The site's full name.
    pub(crate) site: &'a str,
    /// The token.
    pub(crate) id: u32,
    /// The numbers on the axes after the position axis, row-major.
    pub(crate) values: &'a [f32],
}

/// Calls `each` with every token of every batch that is not padding, for every site that fits. It runs one forward pass
/// for each batch, up to the deepest site, and keeps one batch at a time. `each` also gets the index of the batch.
pub(crate) fn each_token<P: IntoTokens>(
    tool: &'static str,
    model: &HookedTransformer,
    batches: impl IntoIterator<Item = P>,
    sites: &SitePattern,
    mut each: impl FnMut(usize, &TokenRow<'_>) -> Result<()>,
) -> Result<()> {
    check_sites(tool, model, sites)?;
    let mut count = 0;
    for (index, batch) in batches.into_iter().enumerate() {
        let tokens = batch.into_tokens(model)?;
        of_batch(tool, model, &tokens, sites, |row| each(index, row))?;
        count += 1;
    }
    if count == 0 {
        return Err(Error::Tool { tool, problem: "there are no prompts; give at least one".into() });
    }
    Ok(())
}

fn of_batch(
    tool: &'static str,
    model: &HookedTransformer,
    tokens: &Tokens,
    sites: &SitePattern,
    mut each: impl FnMut(&TokenRow<'_>) -> Result<()>,
) -> Result<()> {
    let cache = model.capture(tokens, [sites.clone()])?;
    for (site, value) in cache.iter() {
        let values = value.to_vec()?;
        if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
            finite::check(tool, model, tokens, &format!("an activation of `{site}`"), f64::from(*bad))?;
        }
        let width: usize = value.dims()[2..].iter().product();
        let slots = tokens.ids().iter().flatten().zip(tokens.real().iter().flatten()).enumerate();
        for (slot, (id, _)) in slots.filter(|(_, (_, real))| **real) {
            let values = &values[slot * width..(slot + 1) * width];
            each(&TokenRow { site, id: *id, values })?;
        }
    }
    Ok(())
}

/// Refuses sites whose numbers after the position axis depend on the prompt.
fn check_sites(tool: &'static str, model: &HookedTransformer, sites: &SitePattern) -> Result<()> {
    let (known, table) = (model.sites(), model.site_table());
    for site in sites.select(known.iter().map(String::as_str))? {
        let axes = table.axes(&site).unwrap_or_default();
        if axes.iter().skip(2).any(|axis| axis.is_of_prompt()) {
            let problem =
                format!("`{site}` has other axes for each prompt; give a site with one vector for each token");
            return Err(Error::Tool { tool, problem });
        }
    }
    Ok(())
}
