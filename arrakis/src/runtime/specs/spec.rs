//! One plot as a function asks for it, and the trait of all plots.

use arrakis_models::{HookedTransformer, SitePattern};

use super::captured::Captured;
use super::takes::Takes;
use crate::error::{Error, Result};
use crate::plot::Panel;

/// A plot that `#[plot_results(..)]` draws by itself.
pub trait Spec: Sync {
    /// The sites that are drawn if none are named. Without any, a site must be named.
    fn sites(&self) -> &'static [&'static str];

    /// The sites that it can draw.
    fn takes(&self) -> Takes;

    /// The options that it uses besides `title`.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it averages over prompts. If not, it shows one.
    fn averages(&self) -> bool {
        false
    }

    /// The panels.
    ///
    /// # Errors
    ///
    /// A head or neuron out of range, or a prompt that the plot says nothing about.
    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>>;
}

/// One plot, as a function asks for it.
pub struct PlotSpec {
    /// Its name in the attribute.
    pub(super) name: &'static str,
    kind: &'static dyn Spec,
    patterns: Vec<SitePattern>,
    /// The sites that it draws, in the order of the forward; known once a model is.
    pub(super) sites: Vec<String>,
    pub(super) title: Option<String>,
    pub(super) heads: Option<Vec<usize>>,
    pub(super) neurons: Option<Vec<usize>>,
}

impl PlotSpec {
    /// A plot of its own sites.
    pub fn of(name: &'static str, kind: &'static dyn Spec) -> Self {
        Self { name, kind, patterns: Vec::new(), sites: Vec::new(), title: None, heads: None, neurons: None }
    }

    /// Adds a site, or a pattern of sites.
    #[must_use]
    pub fn site(mut self, site: impl Into<SitePattern>) -> Self {
        self.patterns.push(site.into());
        self
    }

    /// Sets the title above its panels.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Draws these heads only.
    #[must_use]
    pub fn heads(self, heads: impl IntoIterator<Item = usize>) -> Self {
        Self { heads: Some(heads.into_iter().collect()), ..self }
    }

    /// Draws these neurons instead of the most active ones.
    #[must_use]
    pub fn neurons(self, neurons: impl IntoIterator<Item = usize>) -> Self {
        Self { neurons: Some(neurons.into_iter().collect()), ..self }
    }

    /// Finds the sites in a model.
    ///
    /// # Errors
    ///
    /// An unknown site with the nearest name, a site with other axes, no site, an option that the plot does not use.
    pub(super) fn resolved(self, model: &HookedTransformer) -> Result<Self> {
        self.check_options()?;
        let (table, names) = (model.site_table(), model.sites());
        let known = || names.iter().map(String::as_str);
        let mut wanted = Vec::new();
        for pattern in &self.patterns {
            wanted.extend(pattern.select(known())?);
        }
        if self.patterns.is_empty() {
            let own: Vec<SitePattern> = self.kind.sites().iter().map(|site| SitePattern::new(site)).collect();
            wanted.extend(known().filter(|name| own.iter().any(|own| own.matches(name))).map(str::to_owned));
        }
        if wanted.is_empty() {
            return Err(self.without_sites(model));
        }
        for name in &wanted {
            let axes = table.axes(name).unwrap_or_default();
            if !self.kind.takes().draws(axes) {
                let listed: Vec<String> = axes.iter().map(ToString::to_string).collect();
                let problem = format!(
                    "it draws sites with the axes {}, and `{name}` has [{}]",
                    self.kind.takes().axes(),
                    listed.join(", ")
                );
                return Err(self.refuse(problem));
            }
        }
        let sites = names.into_iter().filter(|name| wanted.contains(name)).collect();
        Ok(Self { sites, ..self })
    }

    fn without_sites(&self, model: &HookedTransformer) -> Error {
        let own = self.kind.sites();
        self.refuse(match own {
            [] => format!("name what it draws: `{}(\"blocks.*.resid_post\")`", self.name),
            _ => format!("`{}` has no site `{}`; name another", model.name(), own.join("` or `")),
        })
    }

    /// Refuses options that the plot would not use.
    fn check_options(&self) -> Result<()> {
        let given = [("heads", self.heads.is_some()), ("neurons", self.neurons.is_some())];
        let used = self.kind.options();
        match given.into_iter().find(|(name, given)| *given && !used.contains(name)) {
            Some((name, _)) => Err(self.refuse(format!("it does not use `{name}`; leave it out"))),
            None => Ok(()),
        }
    }

    /// Refuses several prompts for a plot that shows one.
    pub(super) fn check_prompts(&self, count: usize) -> Result<()> {
        if count == 1 || self.kind.averages() {
            return Ok(());
        }
        Err(self.refuse(format!("it shows one prompt, and there are {count}: pass one")))
    }

    pub(super) fn panels(&self, run: &Captured<'_>) -> Result<Vec<Panel>> {
        self.kind.panels(self, run)
    }

    /// The heads to draw, of `count`.
    pub(super) fn chosen_heads(&self, count: usize) -> Result<Vec<usize>> {
        self.chosen(self.heads.as_ref(), count, "head").map(|heads| heads.unwrap_or_else(|| (0..count).collect()))
    }

    /// The neurons to draw, of those with these mean magnitudes: the given ones, or the `most` strongest.
    pub(super) fn chosen_neurons(&self, strength: &[f64], most: usize) -> Result<Vec<usize>> {
        let named = self.chosen(self.neurons.as_ref(), strength.len(), "neuron")?;
        Ok(named.unwrap_or_else(|| {
            let mut order: Vec<usize> = (0..strength.len()).collect();
            order.sort_by(|a, b| strength[*b].total_cmp(&strength[*a]));
            order.truncate(most);
            order
        }))
    }

    fn chosen(&self, given: Option<&Vec<usize>>, count: usize, what: &str) -> Result<Option<Vec<usize>>> {
        match given.and_then(|given| given.iter().find(|index| **index >= count)) {
            Some(index) => {
                Err(self.refuse(format!("{what} {index} is out of range: there are {count}, numbered from 0")))
            }
            None => Ok(given.cloned()),
        }
    }

    /// The title of the panel of one site: that of the plot, or the site.
    pub(super) fn titled(&self, site: &str) -> String {
        match &self.title {
            Some(title) if self.sites.len() > 1 => format!("{title}: {site}"),
            Some(title) => title.clone(),
            None => site.to_owned(),
        }
    }

    /// The title of a panel that joins all sites.
    pub(super) fn joint_title(&self, what: &str) -> String {
        self.title.clone().unwrap_or_else(|| what.to_owned())
    }

    pub(super) fn refuse(&self, problem: impl Into<String>) -> Error {
        Error::Tool { tool: self.name, problem: problem.into() }
    }
}
