//! All splices of one model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::splice::Splice;
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::site::{AddedSite, Extent, Site, SiteTable, list, resid_pre};

/// The splices of a model by the site at which they run, and the sites that they add.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splices {
    at: BTreeMap<String, Vec<Splice>>,
    sites: Arc<SiteTable>,
    /// For each added site, the lengths of the axes that do not depend on the prompt.
    lengths: BTreeMap<String, Vec<Option<usize>>>,
}

impl Splices {
    /// The same with one more splice.
    ///
    /// # Errors
    ///
    /// Those of [`HookedTransformer::spliced`](crate::HookedTransformer::spliced).
    pub(crate) fn with(mut self, splice: &Splice, config: &TransformerConfig) -> Result<Self> {
        let own = SiteTable::default().names(config);
        let mut sites = (*self.sites).clone();
        for host in splice.at.select(own.iter().map(String::as_str))? {
            check_host(splice, &host, config)?;
            let module = path_at(&host, &splice.name);
            self.check_module(&module, &own)?;
            for site in &splice.sites {
                let name = format!("{module}.{}", site.path);
                let fixed = site.axes.iter().map(|axis| (!axis.is_of_prompt()).then_some(axis));
                let fixed = fixed.map(|axis| Some(axis?.length(config, Extent::new(1, 1)))).collect();
                self.lengths.insert(name.clone(), fixed);
                let (axes, meaning) = (site.axes.clone(), site.meaning.clone());
                sites.add(AddedSite { name, axes, meaning, host: host.clone() })?;
            }
            self.at.entry(host).or_default().push(splice.clone());
        }
        Ok(Self { sites: Arc::new(sites), ..self })
    }

    /// Refuses a path that another module has: the tensors of one would pass for those of the other.
    fn check_module(&self, module: &str, own: &[String]) -> Result<()> {
        let within =
            |name: &str| name.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let there = self.iter().any(|(host, splice)| path_at(host, &splice.name) == module);
        if there || own.iter().any(|name| within(name)) {
            let problem = "the model has a module or site of this name; give the splice another".into();
            return Err(Error::AddedSite { site: module.to_owned(), problem });
        }
        Ok(())
    }

    /// The splices of a run that starts at a block. The stream that it starts from has already passed those at that site.
    pub(crate) fn entering(self: &Arc<Self>, layer: Option<usize>) -> Arc<Self> {
        match layer.map(|layer| resid_pre(layer).to_string()) {
            Some(entered) if self.at.contains_key(&entered) => {
                let mut rest = (**self).clone();
                rest.at.remove(&entered);
                Arc::new(rest)
            }
            _ => Arc::clone(self),
        }
    }

    /// Whether there are no splices.
    pub(crate) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Every splice with its host, ordered by host.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Splice)> {
        self.at.iter().flat_map(|(host, splices)| splices.iter().map(move |splice| (host.as_str(), splice)))
    }

    /// Every site of the model.
    pub(crate) fn sites(&self) -> &Arc<SiteTable> {
        &self.sites
    }

    /// Whether a splice runs at a site.
    pub(super) fn sits_at(&self, site: &str) -> bool {
        self.at.contains_key(site)
    }

    /// Whether a tensor is a site of the model. A tensor that a splice does not declare is not.
    pub(super) fn shows(&self, site: &str) -> bool {
        self.is_empty() || self.sites.axes(site).is_some()
    }

    /// The tensor at a site after its splices and before its edits.
    ///
    /// # Errors
    ///
    /// [`Error::EditShape`] if a module changes the shape; [`Error::AddedSite`] if a tensor at an added site does not have
    /// the declared axes.
    pub(super) fn apply(&self, site: &str, value: Activation) -> Result<Activation> {
        self.check(site, value.dims())?;
        let here = self.at.get(site).into_iter().flatten();
        here.into_iter().try_fold(value, |value, splice| splice.apply(site, value))
    }

    fn check(&self, site: &str, dims: &[usize]) -> Result<()> {
        let (Some(lengths), Some(axes)) = (self.lengths.get(site), self.sites.axes(site)) else { return Ok(()) };
        let fits = |(fixed, length): (&Option<usize>, &usize)| fixed.is_none_or(|fixed| fixed == *length);
        if lengths.len() == dims.len() && lengths.iter().zip(dims).all(fits) {
            return Ok(());
        }
        let problem = format!(
            "its axes are {}, its tensor's shape is {dims:?}; give one axis for each of the tensor's, of its length",
            list(axes)
        );
        Err(Error::AddedSite { site: site.to_owned(), problem })
    }
}

/// The path of a module at a site: it replaces the site's last segment.
fn path_at(host: &str, name: &str) -> String {
    host.rsplit_once('.').map_or_else(|| name.to_owned(), |(scope, _)| format!("{scope}.{name}"))
}

/// Checks that the forward reads the host, and that the splice takes as many axes as it has.
fn check_host(splice: &Splice, host: &str, config: &TransformerConfig) -> Result<()> {
    let row = Site::named(host).expect("BUG: the table's own name").row();
    if row.side {
        let fix = "the forward does not read it; splice into a site it goes on with, such as `resid_pre` or `attn.z`";
        return Err(Error::Setting { setting: "site of a splice", value: format!("`{host}`"), fix: fix.into() });
    }
    if row.axes.len() == splice.rank {
        return Ok(());
    }
    Err(Error::Rank { asked: splice.rank, dims: row.dims(config, Extent::new(1, 1)) })
}
