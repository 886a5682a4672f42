//! The name of a site, whichever spelling was used.

use arrakis_models::site::Site;

/// The full name of a site; a name that is not in the table, such as that of a splice, stays as it is.
pub(crate) fn full_name(site: &str) -> String {
    site.parse::<Site>().map_or_else(|_| site.trim().to_owned(), |site| site.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_become_full_names_and_splices_stay() {
        assert_eq!(full_name("blocks.1.mlp.hook_post"), "blocks.1.mlp.post");
        assert_eq!(full_name("mlp_post1"), "blocks.1.mlp.post");
        assert_eq!(full_name("blocks.3.sae.acts"), "blocks.3.sae.acts");
    }
}
