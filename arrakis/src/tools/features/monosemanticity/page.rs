//! A feature as one HTML file: no script, no network.

use super::features::{Feature, Features};
use super::label::Label;
use super::refuse::refuse;
use crate::corpus::Example;
use crate::error::Result;
use crate::fmt::short;

/// The look of all pages.
pub(super) const STYLE: &str = "body{font:15px/1.5 'DejaVu Sans',Verdana,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;\
color:#1e1e1e}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}table{border-collapse:collapse;font-size:14px}\
td,th{border-bottom:1px solid #ddd;padding:3px 10px;text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.t{white-space:pre-wrap;padding:1px 0}.at{outline:1.5px solid #1e1e1e}.e{margin:3px 0}.v{display:inline-block;min-width:5em;\
color:#555;font-size:13px}.two{display:flex;flex-wrap:wrap;gap:3em}a{color:#0b5394}.bar{background:#dfe7ef;height:10px}";

impl Features {
    /// A latent as a self-contained HTML page: examples with their surroundings, quantiles, direct effects on logits, firing
    /// rate and correlated latents, which link to pages beside it.
    ///
    /// # Errors
    ///
    /// A latent that was not asked for.
    pub fn page(&self, latent: usize) -> Result<String> {
        let feature = self.feature(latent)?;
        let name = feature.label.as_ref().map_or_else(|| "never active".to_owned(), Label::to_string);
        let title = format!("Feature {latent}: {name}");
        let parts = [self.facts(feature), self.examples(feature), effects(feature), self.neighbours(feature)];
        Ok(document(&title, &format!("<h1>{}</h1>\n{}", escape(&title), parts.concat())))
    }

    fn facts(&self, feature: &Feature) -> String {
        let Feature { rate, max, mean_active, .. } = feature;
        let mean = mean_active.map_or_else(|| "–".to_owned(), short);
        format!(
            "<p>{} at <code>{}</code>, {} latents; <a href=\"index.html\">all features</a></p>\n<p>Active on {} % of {} tokens \
             (10<sup>{:.1}</sup>), up to {}, {mean} on average where it is active.</p>\n",
            escape(&self.model),
            escape(&self.site),
            self.d_sae,
            short(100.0 * rate),
            feature.examples.tokens,
            (rate + 1e-10).log10(),
            short(*max),
        )
    }

    fn examples(&self, feature: &Feature) -> String {
        let mut page = "<h2>Highest activations</h2>\n".to_owned();
        page.extend(feature.examples.top.iter().map(|example| self.example(feature, example)));
        for (at, quantile) in feature.examples.quantiles.iter().enumerate() {
            let (low, high) = (short(quantile.low), short(quantile.high));
            page.extend([format!("<h2>Quantile {}: {low} to {high}</h2>\n", at + 1)]);
            page.extend(quantile.examples.iter().map(|example| self.example(feature, example)));
        }
        page
    }

    /// A line of tokens, each on a background whose strength is its activation.
    fn example(&self, feature: &Feature, example: &Example) -> String {
        let token = |(at, id): (usize, &u32)| {
            let value = example.activations[at];
            let strength = (value / feature.max.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
            let class = if at == example.at { "t at" } else { "t" };
            let colour = if strength > 0.0 {
                format!(" style=\"background:rgba(230,140,20,{strength:.2})\"")
            } else {
                String::new()
            };
            let text = escape(&self.texts[id].replace('\n', "↵"));
            format!("<span class=\"{class}\"{colour} title=\"{}\">{text}</span>", short(value))
        };
        let tokens: String = example.tokens.iter().enumerate().map(token).collect();
        let place = format!("document {} at {}", example.document, example.position);
        format!(
            "<div class=\"e\"><span class=\"v\" title=\"{place}\">{}</span>{tokens}</div>\n",
            short(example.activation)
        )
    }

    fn neighbours(&self, feature: &Feature) -> String {
        if feature.correlated.is_empty() {
            return String::new();
        }
        let row = |(latent, correlation): &(usize, f64)| {
            let known = self.features.iter().find(|feature| feature.latent == *latent);
            let name = known.and_then(|feature| feature.label.as_ref()).map_or_else(String::new, Label::to_string);
            let link =
                known.map_or_else(|| latent.to_string(), |_| format!("<a href=\"{}\">{latent}</a>", file(*latent)));
            format!("<tr><td>{link}</td><td class=\"n\">{correlation:.3}</td><td>{}</td></tr>\n", escape(&name))
        };
        let rows: String = feature.correlated.iter().map(row).collect();
        format!(
            "<h2>Correlated latents</h2>\n<table><tr><th>latent</th><th class=\"n\">correlation</th><th>name</th></tr>\n{rows}</table>\n"
        )
    }

    /// The pages of all latents that were asked for, by file name.
    pub(super) fn pages(&self) -> Result<Vec<(String, String)>> {
        self.features.iter().map(|feature| Ok((file(feature.latent), self.page(feature.latent)?))).collect()
    }
}

fn effects(feature: &Feature) -> String {
    let Some(effects) = &feature.effects else { return String::new() };
    let table = |title: &str, tokens: &[(u32, String, f64)]| {
        let row = |(_, text, logit): &(u32, String, f64)| {
            format!("<tr><td class=\"t\">{}</td><td class=\"n\">{logit:+.3}</td></tr>\n", escape(&format!("{text:?}")))
        };
        let rows: String = tokens.iter().map(row).collect();
        format!("<table><tr><th>{title}</th><th class=\"n\">logits</th></tr>\n{rows}</table>\n")
    };
    format!(
        "<h2>Direct effect on logits, for one unit of activation</h2>\n<div class=\"two\">{}{}</div>\n",
        table("raised", &effects.raised),
        table("lowered", &effects.lowered)
    )
}

/// The file of a latent's page.
pub(super) fn file(latent: usize) -> String {
    format!("feature-{latent:06}.html")
}

pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The error of a folder that has no features to show.
pub(super) fn nothing() -> crate::error::Error {
    refuse("there is no feature to write; look at some latents first")
}
