//! The cost of a call, by scope and by site.

use std::fmt;
use std::time::Duration;

use arrakis_models::ground::bytes::human_bytes;
use serde::{Deserialize, Serialize};

/// The number of rows shown in the table of scopes.
const ROWS: usize = 30;

/// The number of sites shown in the table of sites.
const SITE_ROWS: usize = 6;

/// The time of one scope, summed over its calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScopeCost {
    /// Its path, such as `blocks.3.attn`.
    pub path: String,
    /// The number of times it was entered.
    pub calls: u64,
    /// Seconds from entering to leaving.
    pub inclusive_secs: f64,
    /// Of these, the seconds outside its inner scopes.
    pub self_secs: f64,
}

/// The cost of one site: the time to compute its tensor, and its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteCost {
    /// Its name, such as `blocks.3.attn.pattern`.
    pub site: String,
    /// The number of times it was reached.
    pub passes: u64,
    /// The axes of the most recent tensor.
    pub dims: Vec<usize>,
    /// Bytes of all its tensors.
    pub bytes: u64,
    /// Seconds from the previous event (a site, or a scope entered or left) to each time it was reached, summed.
    #[serde(default)]
    pub self_secs: f64,
}

/// A part's share of the time spent in hooked modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// An outermost scope: `blocks.0`, `embed`.
    pub path: String,
    /// Its share of the time of all outermost scopes, in `[0, 1]`; the shares sum to one.
    pub share: f64,
}

/// The cost of one call.
///
/// A field added later is read as its default from older records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Seconds from the call to its return, with the device's queue finished.
    pub wall_secs: f64,
    /// The seconds that scopes took on other threads. Their self times are in [`Profile::scopes`] as well; the wall time
    /// passed once for all threads.
    pub other_threads_secs: f64,
    /// Every scope, by path.
    pub scopes: Vec<ScopeCost>,
    /// The share of every outermost scope, in the order they were first entered.
    pub shares: Vec<Share>,
    /// Every site, by name.
    pub sites: Vec<SiteCost>,
    /// Bytes of the tensors at all sites; an upper bound on what a full capture keeps.
    pub activation_bytes: u64,
    /// The peak memory of the process, if the system reports it.
    pub peak_rss_bytes: Option<u64>,
    /// Spans of scopes in order of time, for the trace; not part of the saved profile.
    #[serde(skip)]
    pub spans: Vec<Span>,
    /// The number of spans beyond the limit of a trace.
    pub spans_left_out: u64,
}

/// One stay in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The scope's path.
    pub path: String,
    /// When it was entered, since the call began.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// The thread: 1 is that of the call.
    pub thread: u32,
}

impl Profile {
    /// The seconds in hooked modules: the self times of all scopes, on all threads.
    pub fn scopes_secs(&self) -> f64 {
        self.scopes.iter().map(|scope| scope.self_secs).sum()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outside = self.wall_secs - (self.scopes_secs() - self.other_threads_secs);
        writeln!(f, "wall {}, outside hooked modules {}", time(self.wall_secs), time(outside.max(0.0)))?;
        let peak = self.peak_rss_bytes.map_or_else(|| "unknown".to_owned(), human_bytes);
        writeln!(f, "activations {}, peak memory of the process {peak}", human_bytes(self.activation_bytes))?;
        writeln!(f, "{:<32} {:>8} {:>11} {:>11} {:>7}", "scope", "calls", "self", "inclusive", "self %")?;
        let mut scopes: Vec<&ScopeCost> = self.scopes.iter().collect();
        scopes.sort_by(|a, b| b.self_secs.total_cmp(&a.self_secs));
        for scope in scopes.iter().take(ROWS) {
            let percent = 100.0 * scope.self_secs / self.wall_secs.max(f64::MIN_POSITIVE);
            let (own, inclusive) = (time(scope.self_secs), time(scope.inclusive_secs));
            writeln!(f, "{:<32} {:>8} {own:>11} {inclusive:>11} {percent:>6.1}%", scope.path, scope.calls)?;
        }
        if scopes.len() > ROWS {
            writeln!(f, "and {} more", scopes.len() - ROWS)?;
        }
        let mut sites: Vec<&SiteCost> = self.sites.iter().collect();
        sites.sort_by(|a, b| b.self_secs.total_cmp(&a.self_secs));
        writeln!(f, "costliest sites:")?;
        for site in sites.iter().take(SITE_ROWS) {
            let (own, size) = (time(site.self_secs), human_bytes(site.bytes));
            writeln!(f, "{:<32} {:>8} {own:>11} {size:>11}", site.site, site.passes)?;
        }
        Ok(())
    }
}

fn time(secs: f64) -> String {
    format!("{:.3?}", Duration::from_secs_f64(secs))
}
