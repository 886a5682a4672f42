//! The sites of one model: the rows of the table that its architecture has, and those its splices add.

use std::ops::Range;

use super::axis::{Axes, Axis, Extent, list};
use super::info::Place;
use super::name::Site;
use super::parts::layer_of;
use super::spelling::canonical;
use super::table::{SITES, resid_pre, row};
use crate::config::TransformerConfig;
use crate::error::{Error, Result};

/// A site that a splice adds, such as `blocks.3.sae.acts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedSite {
    /// Its full name.
    pub name: String,
    /// Its axes.
    pub axes: Vec<Axis>,
    /// What the tensor is.
    pub meaning: String,
    /// The host: the site where the splice sits. A forward meets it right after this one.
    pub host: String,
}

/// Every site of a model at run time: those of the table and those that splices add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteTable {
    added: Vec<AddedSite>,
}

/// The table alone, without added sites.
pub(crate) static BUILT_IN: SiteTable = SiteTable { added: Vec::new() };

impl SiteTable {
    /// The sites that were added.
    pub fn added(&self) -> &[AddedSite] {
        &self.added
    }

    /// Adds a site.
    ///
    /// # Errors
    ///
    /// [`Error::AddedSite`] for a name that is taken, is a spelling of another site or is not a path of modules, and
    /// for axes that do not begin with the batch or have no position axis.
    pub fn add(&mut self, site: AddedSite) -> Result<()> {
        let refuse = |problem: String| Err(Error::AddedSite { site: site.name.clone(), problem });
        if Site::named(&site.name).is_some() || self.find(&site.name).is_some() {
            return refuse("its name is taken; give it another".into());
        }
        let plain =
            |segment: &str| !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !site.name.split('.').all(plain) || canonical(&site.name).ok().as_deref() != Some(site.name.as_str()) {
            return refuse(
                "its name must be of letters, digits and `_`, without `hook_`, and not a spelling of another site"
                    .into(),
            );
        }
        let positioned = site.axes.iter().any(|axis| matches!(axis, Axis::Pos | Axis::Query));
        if site.axes.first() != Some(&Axis::Batch) || !positioned {
            return refuse(format!(
                "its axes are {}; start with the batch and include a position axis, `[b, p, ..]`",
                list(&site.axes)
            ));
        }
        self.added.push(site);
        Ok(())
    }

    /// Names of all sites of a model, in the order a forward meets them.
    pub fn names(&self, config: &TransformerConfig) -> Vec<String> {
        self.names_of_run(config, None, None)
    }

    /// Names of the sites that a run meets when it enters at one block and stops before another. `None` means from the
    /// embedding, or to the logits. A stream that enters has already passed what is spliced into it, so those sites are
    /// left out.
    pub fn names_of_run(&self, config: &TransformerConfig, start: Option<usize>, stop: Option<usize>) -> Vec<String> {
        let layers = start.unwrap_or(0)..stop.unwrap_or(config.n_layers);
        let mut names = Vec::new();
        if start.is_none() {
            self.extend(&mut names, of_model(config, Place::Before), None);
        }
        let entered = start.map(|layer| resid_pre(layer).to_string());
        self.extend(&mut names, of_blocks(config, layers), entered.as_deref());
        if stop.is_none() {
            self.extend(&mut names, of_model(config, Place::After), None);
        }
        names
    }

    /// Adds each name after the sites that splices add at it, except at the site where the run enters.
    fn extend(&self, names: &mut Vec<String>, hosts: impl Iterator<Item = String>, entered: Option<&str>) {
        for host in hosts {
            let here = self.added.iter().filter(|site| site.host == host && entered != Some(&host));
            names.extend(here.map(|site| site.name.clone()));
            names.push(host);
        }
    }

    /// Whether a forward that enters at the site's block leaves it out: a splice adds it to the stream that enters there.
    pub(crate) fn is_before_entry(&self, name: &str) -> bool {
        let host = self.find(name).and_then(|site| Site::named(&site.host));
        host.is_some_and(|host| host.row() == row(resid_pre))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&AddedSite> {
        self.added.iter().find(|site| site.name == name)
    }

    /// The axes of a site; `None` for an unknown name.
    pub fn axes(&self, name: &str) -> Option<&[Axis]> {
        self.find(name).map(|site| site.axes.as_slice()).or_else(|| Some(Site::named(name)?.row().axes))
    }

    /// The length of each axis of a site in a forward of this extent; empty for an unknown name.
    pub fn dims(&self, config: &TransformerConfig, name: &str, extent: Extent) -> Vec<usize> {
        self.axes(name).unwrap_or_default().iter().map(|axis| axis.length(config, extent)).collect()
    }

    /// Where in a forward a site is, and in which block.
    pub fn place(&self, name: &str) -> (Place, Option<usize>) {
        let host = self.find(name).map_or(name, |site| &site.host);
        match (layer_of(host), Site::named(host)) {
            (Some(layer), _) => (Place::Block, Some(layer)),
            (None, Some(site)) => (site.row().place, None),
            (None, None) => (Place::After, None),
        }
    }

    /// Whether a prepared tensor can replace a site of a block. It cannot if the site is computed beside the forward.
    pub(crate) fn is_replaceable(&self, name: &str) -> bool {
        let beside = Site::named(name).is_some_and(|site| site.row().side);
        self.place(name).0 == Place::Block && !beside
    }

    /// Which axis of a site's tensor of this rank has which role. For a module that is not in the table, a row with the
    /// same last segment decides (`my.scores`), or else the rank.
    pub(crate) fn roles(&self, name: &str, rank: usize) -> Axes {
        let last = name.rsplit('.').next().unwrap_or(name);
        let alike = || SITES.iter().find(|row| row.last() == last && row.axes.len() == rank).map(|row| row.axes);
        let known = self.axes(name).filter(|axes| axes.len() == rank).or_else(alike);
        known.map_or_else(|| Axes::of_rank(rank), Axes::among)
    }

    /// The key axis of a site of this rank, if -inf there masks attention.
    pub(crate) fn masked_axis(&self, name: &str, rank: usize) -> Option<usize> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let masks = SITES.iter().any(|row| row.masks && row.last() == last && row.axes.len() == rank);
        self.roles(name, rank).key.filter(|_| masks && self.find(name).is_none())
    }
}

fn of_model(config: &TransformerConfig, place: Place) -> impl Iterator<Item = String> {
    SITES.iter().filter(move |row| row.place == place && (row.present)(config)).map(|row| row.name.to_owned())
}

fn of_blocks(config: &TransformerConfig, layers: Range<usize>) -> impl Iterator<Item = String> {
    let rows: Vec<_> = SITES.iter().filter(|row| row.in_block() && (row.present)(config)).collect();
    let experts = config.experts.map_or(0, |experts| experts.count);
    // Experts run one after the other, each with all its sites.
    let in_block = move |layer: usize| {
        let by_expert = |some: &[&'static super::SiteInfo]| -> Vec<String> {
            if some[0].per_expert() {
                let of = |expert| some.iter().map(move |row| Site::of(row, &[layer, expert]).to_string());
                (0..experts).flat_map(of).collect()
            } else {
                some.iter().map(|row| Site::of(row, &[layer]).to_string()).collect()
            }
        };
        rows.chunk_by(|a, b| a.per_expert() == b.per_expert()).flat_map(by_expert).collect::<Vec<_>>()
    };
    layers.flat_map(in_block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experts;

    fn acts(host: &str, name: &str) -> AddedSite {
        let axes = vec![Axis::Batch, Axis::Pos, Axis::Other { name: "latent", length: 5 }];
        AddedSite { name: name.into(), axes, meaning: "latents".into(), host: host.into() }
    }

    fn config() -> TransformerConfig {
        TransformerConfig::plain("test", 2, 12, 3, 20, 16)
    }

    #[test]
    fn an_added_site_is_met_right_before_its_host() {
        let mut table = SiteTable::default();
        table.add(acts("blocks.1.resid_post", "blocks.1.sae.acts")).unwrap();
        let names = table.names(&config());
        let at = names.iter().position(|name| name == "blocks.1.sae.acts").unwrap();
        assert_eq!(names[at + 1], "blocks.1.resid_post");
        assert_eq!(table.place("blocks.1.sae.acts"), (Place::Block, Some(1)));
        assert_eq!(table.dims(&config(), "blocks.1.sae.acts", Extent::new(2, 3)), [2, 3, 5]);
        let without = table.names_of_run(&config(), None, Some(1));
        assert!(!without.iter().any(|name| name.contains("sae")), "the run stops before the host's block");
        table.add(acts("blocks.1.resid_pre", "blocks.1.first.acts")).unwrap();
        let entered = table.names_of_run(&config(), Some(1), None);
        assert!(!entered.iter().any(|name| name == "blocks.1.first.acts"), "the stream that enters has passed it");
        assert!(entered.iter().any(|name| name == "blocks.1.sae.acts"));
    }

    #[test]
    fn impossible_names_and_axes_are_refused() {
        let mut table = SiteTable::default();
        table.add(acts("embed", "sae.acts")).unwrap();
        for (name, said) in [
            ("sae.acts", "its name is taken; give it another"),
            ("blocks.0.attn.z", "its name is taken; give it another"),
            ("blocks.0.z", "not a spelling of another site"),
            ("blocks.0.sae.hook_acts", "without `hook_`"),
            ("blocks.0.sae.a b", "must be of letters, digits and `_`"),
        ] {
            let error = table.add(acts("embed", name)).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
        let flat = AddedSite { axes: vec![Axis::Batch, Axis::Model], ..acts("embed", "x.y") };
        assert_eq!(
            table.add(flat).unwrap_err().to_string(),
            "cannot add the site `x.y`: its axes are [b, m]; start with the batch and include a position axis, `[b, p, ..]`"
        );
    }

    #[test]
    fn an_architecture_has_the_rows_its_options_call_for() {
        let mut config = config();
        assert!(!SiteTable::default().names(&config).iter().any(|name| name.contains("token_type_embed")));
        config.token_types = Some(2);
        config.experts = Some(Experts::new(2, 1));
        let names = SiteTable::default().names(&config);
        assert_eq!(names[..3], ["embed", "token_type_embed", "pos_embed"]);
        let from = names.iter().position(|name| name == "blocks.0.mlp.expert_weights").unwrap();
        let experts = ["0.pre", "0.post", "0.out", "1.pre", "1.post", "1.out"];
        let experts = experts.map(|part| format!("blocks.0.mlp.experts.{part}"));
        assert_eq!(names[from + 1..from + 7], experts, "one expert after the other");
        assert_eq!(names[from + 7], "blocks.0.mlp.out");
    }

    #[test]
    fn axes_of_modules_outside_the_table_go_by_name_then_rank() {
        let table = SiteTable::default();
        assert_eq!(table.roles("mine.scores", 4), Axes::among(&[Axis::Batch, Axis::Head, Axis::Query, Axis::Key]));
        assert_eq!(table.roles("mine.hidden", 4), Axes::of_rank(4));
        assert_eq!(table.roles("mine.scores", 1), Axes::of_rank(1));
        assert_eq!(table.masked_axis("mine.scores", 4), Some(3));
        assert_eq!(table.masked_axis("blocks.0.attn.pattern", 4), None);
    }
}
