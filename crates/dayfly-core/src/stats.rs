//! Counters. Each I/O thread writes its own cache lines, in all and for each tenant; reading sums them.

use crate::engine::CountersSnapshot;
use crate::error::Cause;
use crate::event_loop::Gauges;
use crate::residency::ResidencyStats;
use crate::sandbox::Lane;
use dayfly_http1::Rule;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program answered.
    Ok,
    /// It got an error answer.
    Failed(Cause),
    /// The client left before its answer.
    Left,
}

impl Outcome {
    const COUNT: usize = Cause::ALL.len() + 2;

    fn all() -> impl Iterator<Item = Outcome> {
        [Outcome::Ok, Outcome::Left].into_iter().chain(Cause::ALL.map(Outcome::Failed))
    }

    fn index(self) -> usize {
        match self {
            Outcome::Ok => 0,
            Outcome::Left => 1,
            Outcome::Failed(cause) => 2 + cause as usize,
        }
    }

    /// The fixed name, as in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Left => "left",
            Outcome::Failed(cause) => cause.name(),
        }
    }
}

/// A counter that one thread writes and others read: a plain load and store, not a locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Only the thread that owns the counter may call this: concurrent additions could be lost.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds `n` and tells whether that makes a `whole`, which is taken off. For the owning thread.
    pub fn passes(&self, n: u64, whole: u64) -> bool {
        let sum = self.get() + n;
        let passes = sum >= whole;
        self.0.store(if passes { sum - whole } else { sum }, Ordering::Relaxed);
        passes
    }

    /// Raises the counter to `n` if it is lower; for the owning thread.
    pub fn raise_to(&self, n: u64) {
        if n > self.get() {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    /// The value some time ago.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one I/O thread counts of one tenant. Aligned to the pair of cache lines that the processor fetches together.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct TenantCounters {
    ended: [[Counter; Lane::ALL.len()]; Outcome::COUNT],
    /// Estimated CPU time of all its runs: short runs are sampled.
    pub cpu_ns: Counter,
    /// Estimated pages restored after them.
    pub restored_pages: Counter,
    /// Runs that were thrown away and done again in another lane.
    pub reruns: Counter,
    /// CPU time of those runs.
    pub rerun_cpu_ns: Counter,
    /// Log lines cut at the limits.
    pub log_cut: Counter,
    /// What is due to the tenant's canary, as a part of a request.
    pub canary: Counter,
}

impl TenantCounters {
    /// Runs cost so much.
    pub fn cost(&self, cpu_ns: u64, restored_pages: u64) {
        if cpu_ns > 0 {
            self.cpu_ns.add(cpu_ns);
            self.restored_pages.add(restored_pages);
        }
    }

    /// One request got its answer.
    pub fn ended(&self, outcome: Outcome, lane: Lane) {
        self.ended[outcome.index()][lane as usize].add(1);
    }
}

/// What one I/O thread counts of itself.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ThreadCounters {
    /// Runs thrown away on this thread because their time was up.
    pub overruns: Counter,
    /// Runs thrown away on this thread because a hostcall would block.
    pub blocked: Counter,
    /// Requests that went to another lane without a try here.
    pub direct: Counter,
    /// Wall time of the runs that were thrown away.
    pub wasted_ns: Counter,
    /// Longest time that this thread worked without looking for what had come.
    pub longest_stall_ns: Counter,
    /// The same on the CPU clock.
    pub longest_stall_cpu_ns: Counter,
    /// Requests for which nobody is mounted.
    pub unknown: Counter,
    /// Requests answered with the baseline page.
    pub baseline: Counter,
    /// Messages that broke a rule of HTTP.
    pub rejected: RuleCounters,
    /// Panics caught: each is a fault of ours.
    pub panics: Counter,
}

/// A counter for each rule of HTTP.
#[derive(Debug)]
pub struct RuleCounters([Counter; Rule::ALL.len()]);

impl Default for RuleCounters {
    fn default() -> RuleCounters {
        RuleCounters(std::array::from_fn(|_| Counter::default()))
    }
}

impl RuleCounters {
    /// The one of this rule.
    pub fn of(&self, rule: Rule) -> &Counter {
        &self.0[rule as usize]
    }

    /// By name, without zeros.
    fn counts(&self) -> BTreeMap<&'static str, u64> {
        let counts = Rule::ALL.into_iter().map(|rule| (rule.name(), self.of(rule).get()));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

/// One number of `TenantStats::requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    /// `ok`, `left` or a cause.
    pub outcome: &'static str,
    /// `inline`, `overflow` or `blocking`.
    pub lane: &'static str,
    /// Requests that ended so.
    pub count: u64,
}

/// One tenant, summed over the threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TenantStats {
    /// Digest of its current release.
    pub release: String,
    /// Requests by outcome and lane, without zeros.
    pub requests: Vec<RequestCount>,
    /// Estimated CPU time of all runs, nanoseconds.
    pub cpu_ns: u64,
    /// Estimated pages restored after them.
    pub restored_pages: u64,
    /// Runs that were thrown away and done again in another lane.
    pub reruns: u64,
    /// CPU time of those runs, nanoseconds.
    pub rerun_cpu_ns: u64,
    /// Log lines cut at the limits.
    pub log_cut: u64,
    /// Requests that wait for or run in another lane now.
    pub elsewhere: u64,
    /// Octets of content that those keep now.
    pub kept_bytes: u64,
    /// The same of a release that gets a share of the requests; none of it is in the other figures.
    pub canary: Option<Box<TenantStats>>,
}

impl TenantStats {
    /// Adds the requests and costs of a tenant that is gone.
    pub fn absorb(&mut self, other: &TenantStats) {
        self.cpu_ns += other.cpu_ns;
        self.restored_pages += other.restored_pages;
        self.reruns += other.reruns;
        self.rerun_cpu_ns += other.rerun_cpu_ns;
        self.log_cut += other.log_cut;
        for line in &other.requests {
            self.add_requests(line.outcome, line.lane, line.count);
        }
    }

    /// Adds what one thread has counted.
    pub fn add(&mut self, counters: &TenantCounters) {
        self.cpu_ns += counters.cpu_ns.get();
        self.restored_pages += counters.restored_pages.get();
        self.reruns += counters.reruns.get();
        self.rerun_cpu_ns += counters.rerun_cpu_ns.get();
        self.log_cut += counters.log_cut.get();
        for outcome in Outcome::all() {
            for lane in Lane::ALL {
                self.add_requests(outcome.name(), lane.name(), counters.ended[outcome.index()][lane as usize].get());
            }
        }
    }

    fn add_requests(&mut self, outcome: &'static str, lane: &'static str, count: u64) {
        match self.requests.iter_mut().find(|known| known.outcome == outcome && known.lane == lane) {
            Some(found) => found.count += count,
            None if count > 0 => self.requests.push(RequestCount { outcome, lane, count }),
            None => {}
        }
    }

    /// Requests that ended with this outcome, in any lane.
    pub fn count(&self, outcome: &str) -> u64 {
        self.requests.iter().filter(|line| line.outcome == outcome).map(|line| line.count).sum()
    }
}

/// One I/O thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ThreadStats {
    /// Runs thrown away because their time was up.
    pub overruns: u64,
    /// Runs thrown away because a hostcall would block.
    pub blocked: u64,
    /// Requests that went to another lane without a try here.
    pub direct: u64,
    /// Wall time of the runs that were thrown away, nanoseconds.
    pub wasted_ns: u64,
    /// Longest time that the thread worked without looking for what had come, nanoseconds.
    pub longest_stall_ns: u64,
    /// The same on the CPU clock: free of what other processes took, but counted only from the first tick that met the
    /// run, up to 1.5 ms after its begin.
    pub longest_stall_cpu_ns: u64,
    /// Requests for which nobody is mounted.
    pub unknown: u64,
    /// Requests answered with the baseline page.
    pub baseline: u64,
    /// Messages that broke a rule of HTTP, by the rule's name, without zeros.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Panics caught.
    pub panics: u64,
    /// Connections now.
    pub connections: u64,
    /// Connections accepted since the server's start.
    pub accepted: u64,
    /// Deadlines of clients that passed since the server's start.
    pub expired: u64,
}

impl ThreadStats {
    /// Adds the figures of the thread's event loop.
    pub fn set_gauges(&mut self, gauges: &Gauges) {
        self.connections = gauges.connections.load(Ordering::Relaxed) as u64;
        self.accepted = gauges.accepted.load(Ordering::Relaxed);
        self.expired = gauges.expired.load(Ordering::Relaxed);
    }
}

impl From<&ThreadCounters> for ThreadStats {
    fn from(counters: &ThreadCounters) -> ThreadStats {
        ThreadStats {
            overruns: counters.overruns.get(),
            blocked: counters.blocked.get(),
            direct: counters.direct.get(),
            wasted_ns: counters.wasted_ns.get(),
            longest_stall_ns: counters.longest_stall_ns.get(),
            longest_stall_cpu_ns: counters.longest_stall_cpu_ns.get(),
            unknown: counters.unknown.get(),
            baseline: counters.baseline.get(),
            rejected: counters.rejected.counts(),
            panics: counters.panics.get(),
            ..ThreadStats::default()
        }
    }
}

/// One of the lanes beside the I/O threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaneStats {
    /// Its threads.
    pub threads: u64,
    /// Requests that wait now.
    pub waiting: u64,
    /// Runs done.
    pub runs: u64,
    /// CPU time of its threads' runs, restores included, nanoseconds.
    pub cpu_ns: u64,
    /// Requests that were not run since their client had left or their wall time was over.
    pub skipped: u64,
    /// Requests that waited so long that the pool of normal priority ran them.
    pub rescued: u64,
    /// Longest wait in the queue, nanoseconds.
    pub longest_wait_ns: u64,
}

/// Everything, at about one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Seconds since the core was made.
    pub uptime_s: f64,
    /// Tenants that are published now.
    pub tenants: BTreeMap<String, TenantStats>,
    /// What tenants had counted that were retired since.
    pub retired: TenantStats,
    /// I/O threads.
    pub threads: Vec<ThreadStats>,
    /// The overflow lane.
    pub overflow: LaneStats,
    /// The lane for blocking hostcalls.
    pub blocking: LaneStats,
    /// What the sandboxes of the core have done.
    pub sandboxes: CountersSnapshot,
    /// Which releases are in memory.
    pub releases: ResidencyStats,
    /// How first writes are noticed: `userfault` or `mprotect`.
    pub protection: &'static str,
    /// Log records lost because nobody drained them in time.
    pub log_dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_and_lane_has_a_counter_of_its_own() {
        let counters = TenantCounters::default();
        let mut expected = 0;
        for outcome in Outcome::all() {
            for lane in Lane::ALL {
                expected += 1;
                (0..expected).for_each(|_| counters.ended(outcome, lane));
            }
        }
        let mut stats = TenantStats::default();
        stats.add(&counters);
        let counts: Vec<u64> = stats.requests.iter().map(|line| line.count).collect();
        assert_eq!(counts, (1..=expected).collect::<Vec<u64>>());
        stats.add(&counters);
        assert_eq!(stats.count("ok"), 2 * (1 + 2 + 3));
        assert_eq!(stats.requests.len(), expected as usize);
    }

    #[test]
    fn zeros_are_left_out() {
        let counters = TenantCounters::default();
        counters.ended(Outcome::Failed(Cause::Cpu), Lane::Overflow);
        let mut stats = TenantStats::default();
        stats.add(&counters);
        assert_eq!(stats.requests, [RequestCount { outcome: "cpu", lane: "overflow", count: 1 }]);
    }

    #[test]
    fn each_rule_has_a_counter_of_its_own() {
        let counters = ThreadCounters::default();
        for (place, rule) in Rule::ALL.into_iter().enumerate() {
            counters.rejected.of(rule).add(place as u64);
        }
        let counts = ThreadStats::from(&counters).rejected;
        assert_eq!(counts.len(), Rule::ALL.len() - 1, "zeros are left out");
        assert!(Rule::ALL.iter().enumerate().skip(1).all(|(place, rule)| counts[rule.name()] == place as u64));
    }

    #[test]
    fn the_longest_only_rises() {
        let counter = Counter::default();
        for n in [3, 9, 5] {
            counter.raise_to(n);
        }
        assert_eq!(counter.get(), 9);
    }
}
