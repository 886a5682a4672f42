//! The clock of scopes: which were entered and left, and which sites were reached in between.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use arrakis_models::hooks::Observer;

use super::costs::{Profile, ScopeCost, Share, SiteCost, Span};
use super::memory;

/// The most spans that a trace keeps: some thousand forwards of a small model.
const MOST_SPANS: usize = 200_000;

/// A scope that is entered and not yet left.
struct Open {
    path: String,
    start: Instant,
    inside: Duration,
}

#[derive(Default)]
struct Total {
    calls: u64,
    inclusive: Duration,
    own: Duration,
}

/// Collects the costs of one call.
pub(super) struct Recorder {
    origin: Instant,
    /// The time in scopes on other threads.
    elsewhere: Duration,
    /// The time of the latest event.
    latest: Instant,
    open: Vec<Open>,
    scopes: BTreeMap<String, Total>,
    outermost: Vec<(String, Duration)>,
    sites: BTreeMap<String, SiteCost>,
    spans: Vec<Span>,
    left_out: u64,
}

impl Recorder {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            elsewhere: Duration::ZERO,
            latest: Instant::now(),
            open: Vec::new(),
            scopes: BTreeMap::new(),
            outermost: Vec::new(),
            sites: BTreeMap::new(),
            spans: Vec::new(),
            left_out: 0,
        }
    }

    /// The time until now belongs to no site.
    pub(super) fn resume(&mut self, now: Instant) {
        self.latest = now;
    }

    fn enter(&mut self, path: &str, now: Instant) {
        self.latest = now;
        self.open.push(Open { path: path.to_owned(), start: now, inside: Duration::ZERO });
    }

    fn leave(&mut self, now: Instant) {
        self.latest = now;
        let Some(scope) = self.open.pop() else { return };
        let duration = now - scope.start;
        let total = self.scopes.entry(scope.path.clone()).or_default();
        total.calls += 1;
        total.inclusive += duration;
        total.own += duration.saturating_sub(scope.inside);
        match self.open.last_mut() {
            Some(outer) => outer.inside += duration,
            None => self.add_outermost(&scope.path, duration),
        }
        if self.spans.len() < MOST_SPANS {
            self.spans.push(Span { path: scope.path, start: scope.start - self.origin, duration, thread: 1 });
        } else {
            self.left_out += 1;
        }
    }

    fn pass(&mut self, site: &str, dims: &[usize], bytes: usize, now: Instant) {
        let cost = self.sites.entry(site.to_owned()).or_insert_with(|| SiteCost {
            site: site.to_owned(),
            passes: 0,
            dims: Vec::new(),
            bytes: 0,
            self_secs: 0.0,
        });
        cost.self_secs += now.duration_since(self.latest).as_secs_f64();
        self.latest = now;
        cost.passes += 1;
        cost.bytes += bytes as u64;
        dims.clone_into(&mut cost.dims);
    }

    fn add_outermost(&mut self, path: &str, duration: Duration) {
        match self.outermost.iter_mut().find(|(known, _)| known == path) {
            Some((_, total)) => *total += duration,
            None => self.outermost.push((path.to_owned(), duration)),
        }
    }

    /// Adds what another thread recorded for the same call.
    pub(super) fn absorb(&mut self, other: Self, thread: u32) {
        for (path, added) in other.scopes {
            self.elsewhere += added.own;
            let total = self.scopes.entry(path).or_default();
            total.calls += added.calls;
            total.inclusive += added.inclusive;
            total.own += added.own;
        }
        for (path, duration) in other.outermost {
            self.add_outermost(&path, duration);
        }
        for (site, added) in other.sites {
            match self.sites.entry(site) {
                Entry::Vacant(entry) => drop(entry.insert(added)),
                Entry::Occupied(mut entry) => entry.get_mut().add(added),
            }
        }
        self.left_out += other.left_out;
        for span in other.spans {
            if self.spans.len() < MOST_SPANS {
                self.spans.push(Span { thread, ..span });
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Everything collected so far.
    pub(super) fn profile(&mut self, wall: Duration) -> Profile {
        let all: Duration = self.outermost.iter().map(|(_, total)| *total).sum();
        let share = |total: Duration| total.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
        let sites: Vec<SiteCost> = self.sites.values().cloned().collect();
        Profile {
            wall_secs: wall.as_secs_f64(),
            other_threads_secs: self.elsewhere.as_secs_f64(),
            scopes: self.scopes.iter().map(|(path, total)| cost(path, total)).collect(),
            shares: self
                .outermost
                .iter()
                .map(|(path, total)| Share { path: path.clone(), share: share(*total) })
                .collect(),
            activation_bytes: sites.iter().map(|site| site.bytes).sum(),
            sites,
            peak_rss_bytes: memory::peak_rss_bytes(),
            spans: std::mem::take(&mut self.spans),
            spans_left_out: self.left_out,
        }
    }
}

impl SiteCost {
    fn add(&mut self, other: Self) {
        self.passes += other.passes;
        self.bytes += other.bytes;
        self.self_secs += other.self_secs;
        self.dims = other.dims;
    }
}

fn cost(path: &str, total: &Total) -> ScopeCost {
    ScopeCost {
        path: path.to_owned(),
        calls: total.calls,
        inclusive_secs: total.inclusive.as_secs_f64(),
        self_secs: total.own.as_secs_f64(),
    }
}

impl Observer for Recorder {
    fn began(&mut self) {
        self.resume(Instant::now());
    }

    fn entered(&mut self, path: &str) {
        self.enter(path, Instant::now());
    }

    fn left(&mut self, _path: &str) {
        self.leave(Instant::now());
    }

    fn passed(&mut self, site: &str, dims: &[usize], bytes: usize) {
        self.pass(site, dims, bytes, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters `blocks.0` at 0 ms, `blocks.0.attn` from 10 to 40 ms, leaves at 50; `ln_final` from 60 to 110.
    fn by_hand() -> Profile {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut recorder = Recorder::new(origin);
        recorder.enter("blocks.0", at(0));
        recorder.enter("blocks.0.attn", at(10));
        recorder.passed("blocks.0.attn.pattern", &[1, 2, 3, 3], 72);
        recorder.passed("blocks.0.attn.pattern", &[1, 2, 3, 3], 72);
        recorder.leave(at(40));
        recorder.leave(at(50));
        recorder.enter("ln_final", at(60));
        recorder.leave(at(110));
        recorder.profile(Duration::from_millis(120))
    }

    #[test]
    fn time_before_a_run_is_no_sites() {
        let of_site = |begins: bool| {
            let mut recorder = Recorder::new(Instant::now());
            let later = recorder.latest + Duration::from_hours(1);
            if begins {
                recorder.began();
            }
            recorder.pass("embed", &[1], 4, later);
            recorder.sites["embed"].self_secs
        };
        assert_eq!(of_site(false), 3600.0);
        assert!(of_site(true) < 3600.0);
    }

    #[test]
    fn self_time_is_inclusive_time_minus_the_inner_scopes() {
        let profile = by_hand();
        let costs: Vec<(&str, f64, f64)> =
            profile.scopes.iter().map(|scope| (scope.path.as_str(), scope.inclusive_secs, scope.self_secs)).collect();
        assert_eq!(costs, [("blocks.0", 0.05, 0.02), ("blocks.0.attn", 0.03, 0.03), ("ln_final", 0.05, 0.05)]);
        assert!(profile.scopes_secs() <= profile.wall_secs);
    }

    #[test]
    fn the_shares_of_the_outermost_scopes_sum_to_one() {
        let shares: Vec<(String, f64)> = by_hand().shares.into_iter().map(|share| (share.path, share.share)).collect();
        assert_eq!(shares, [("blocks.0".to_owned(), 0.5), ("ln_final".to_owned(), 0.5)]);
    }

    #[test]
    fn bytes_add_up_over_passes() {
        let profile = by_hand();
        assert_eq!((profile.sites[0].passes, profile.sites[0].bytes, profile.activation_bytes), (2, 144, 144));
        assert_eq!(profile.sites[0].dims, [1, 2, 3, 3]);
    }

    #[test]
    fn another_thread_adds_its_time_and_the_wall_time_passes_once() {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut recorders = [Recorder::new(origin), Recorder::new(origin)];
        for recorder in &mut recorders {
            recorder.enter("blocks.0", at(0));
            recorder.passed("blocks.0.resid_pre", &[1, 2], 8);
            recorder.leave(at(80));
        }
        let [mut own, other] = recorders;
        own.absorb(other, 2);
        let profile = own.profile(Duration::from_millis(100));
        assert_eq!((profile.scopes_secs(), profile.other_threads_secs, profile.shares[0].share), (0.16, 0.08, 1.0));
        assert_eq!((profile.scopes[0].calls, profile.sites[0].passes, profile.activation_bytes), (2, 2, 16));
        assert_eq!(profile.spans.iter().map(|span| span.thread).collect::<Vec<_>>(), [1, 2]);
        assert!(profile.to_string().starts_with("wall 100.000ms, outside hooked modules 20.000ms"), "{profile}");
    }

    #[test]
    fn the_table_is_sorted_by_self_time() {
        let table = by_hand().to_string();
        let rows: Vec<&str> = table.lines().skip(3).map(|row| row.split(' ').next().unwrap()).collect();
        assert_eq!(rows, ["ln_final", "blocks.0.attn", "blocks.0", "costliest", "blocks.0.attn.pattern"]);
        assert!(table.starts_with("wall 120.000ms, outside hooked modules 20.000ms\nactivations 144 B"), "{table}");
    }
}
