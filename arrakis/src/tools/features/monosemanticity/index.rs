//! A folder of pages with an index, which needs no server.

use std::path::Path;

use arrakis_models::files::write_whole;

use super::features::{Feature, Features};
use super::label::Label;
use super::page::{document, escape, file, nothing};
use crate::error::{Error, Result};
use crate::fmt::short;

/// Sorts by a column and filters by text. Rows are in the page itself, so it is readable without scripts.
const SCRIPT: &str = r"
const body = document.querySelector('tbody'), rows = [...body.rows], box = document.querySelector('input');
let column = 0, way = 1;
const key = row => { const cell = row.cells[column]; return cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n); };
function show() {
  const wanted = box.value.toLowerCase();
  let shown = 0;
  for (const row of rows) { const has = row.textContent.toLowerCase().includes(wanted); row.hidden = !has; shown += has; }
  document.querySelector('#count').textContent = shown + ' of ' + rows.length;
}
document.querySelectorAll('th').forEach((head, at) => head.addEventListener('click', () => {
  way = column === at ? -way : 1; column = at;
  rows.sort((a, b) => { const [x, y] = [key(a), key(b)]; return way * (x < y ? -1 : x > y ? 1 : 0); });
  body.append(...rows);
}));
box.addEventListener('input', show);
show();
";

impl Features {
    /// All features as a table that is sorted by a click on a head and filtered by text, with a link to each page: one HTML
    /// file without network, of about 400 bytes a feature.
    pub fn index(&self) -> String {
        let rows: String = self.features.iter().map(row).collect();
        let title = format!("{} features of {}", self.features.len(), self.site);
        let dead = self.features.iter().filter(|feature| feature.label.is_none()).count();
        let body = format!(
            "<h1>{}</h1>\n<p>{}, {} latents; {dead} of those shown are never active. {}.</p>\n\
             <p><input placeholder=\"filter\" autofocus> <span id=\"count\"></span></p>\n<table>\n<thead><tr><th>latent</th>\
             <th class=\"n\">active on %</th><th class=\"n\">largest</th><th>name</th><th>raises</th></tr></thead>\n<tbody>\n{rows}\
             </tbody>\n</table>\n<script>{SCRIPT}</script>\n",
            escape(&title),
            escape(&self.model),
            self.d_sae,
            escape(&self.report.to_string()),
        );
        document(&title, &body)
    }

    /// Writes `index.html` and a page for each feature into a folder, which is created.
    ///
    /// # Errors
    ///
    /// No feature, and a folder that cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<()> {
        if self.features.is_empty() {
            return Err(nothing());
        }
        let folder = folder.as_ref();
        let unwritten = |source| Error::Write { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unwritten)?;
        for (name, page) in self.pages()? {
            write_whole(&folder.join(name), page)?;
        }
        Ok(write_whole(&folder.join("index.html"), self.index())?)
    }
}

fn row(feature: &Feature) -> String {
    let Feature { latent, rate, max, label, effects, .. } = feature;
    let name = label.as_ref().map_or_else(|| "never active".to_owned(), Label::to_string);
    let raised: Vec<String> =
        effects.iter().flat_map(|effects| &effects.raised).take(3).map(|(_, text, _)| format!("{text:?}")).collect();
    format!(
        "<tr><td data-n=\"{latent}\"><a href=\"{}\">{latent}</a></td><td class=\"n\" data-n=\"{rate}\">{:.3}</td>\
         <td class=\"n\" data-n=\"{max}\">{}</td><td>{}</td><td>{}</td></tr>\n",
        file(*latent),
        100.0 * rate,
        short(*max),
        escape(&name),
        escape(&raised.join(" ")),
    )
}
