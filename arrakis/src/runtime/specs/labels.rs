//! Short names of sites, for the rows of a plot.

use arrakis_models::site::layer_of;

/// `L3` for sites that differ only in the layer, otherwise `L3 ln1.scale`; a site outside the blocks has its name.
pub(super) fn labels(sites: &[String]) -> Vec<String> {
    let mut names: Vec<&str> = sites.iter().map(|site| inside(site)).collect();
    names.dedup();
    let label = |site: &String| match layer_of(site) {
        Some(layer) if names.len() == 1 => format!("L{layer}"),
        Some(layer) => format!("L{layer} {}", inside(site)),
        None => site.clone(),
    };
    sites.iter().map(label).collect()
}

/// The name without `blocks.N.`.
pub(super) fn inside(site: &str) -> &str {
    if layer_of(site).is_none() {
        return site;
    }
    site.splitn(3, '.').nth(2).unwrap_or(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_enough_where_nothing_else_differs() {
        let of = |sites: &[&str]| labels(&sites.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of(&["blocks.2.resid_post", "blocks.10.resid_post"]), ["L2", "L10"]);
        assert_eq!(
            of(&["blocks.0.ln1.scale", "blocks.0.ln2.scale", "ln_final.scale"]),
            ["L0 ln1.scale", "L0 ln2.scale", "ln_final.scale"]
        );
    }
}
