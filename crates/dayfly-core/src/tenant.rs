//! A tenant as the threads that serve its requests see it.

use crate::limits::Limits;
use crate::release::Release;
use crate::stats::{TenantCounters, TenantStats};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets of content that a tenant's requests may hold in the other lanes; beyond it: 503 `overload`. The queue alone
/// would allow 128 requests of 1 MiB.
const KEPT_BYTES_MAX: u64 = 32 << 20;

/// Who. Lives as long as the tenant is published, over all its releases, and as long as requests of it are in flight.
#[derive(Debug)]
pub struct Tenant {
    /// The tenant's name.
    pub name: Arc<str>,
    /// Never used twice in a process.
    pub key: u64,
    /// A small number, for tables of one thread; used again after the tenant is gone.
    pub index: usize,
    counters: Box<[TenantCounters]>,
    elsewhere: AtomicU64,
    kept_bytes: AtomicU64,
}

/// Octets of [`Current::release_line`].
const RELEASE_LINE_BYTES: usize = 34;
/// All requests, as a share.
const ALL: u64 = 1 << 32;

/// A tenant with its current release and limits: what a route leads to, replaced as a whole.
#[derive(Debug)]
pub struct Current {
    /// Who.
    pub tenant: Arc<Tenant>,
    /// What answers.
    pub release: Arc<Release>,
    /// What one request may use.
    pub limits: Limits,
    /// A complete field line that names the release, so that an answer costs no more than copying it.
    pub release_line: [u8; RELEASE_LINE_BYTES],
    canary: Option<Canary>,
}

/// A release that gets a share of the requests.
#[derive(Debug)]
struct Canary {
    current: Arc<Current>,
    /// Of 2^32.
    share: u64,
}

impl Current {
    /// A release that gets all requests of its tenant.
    pub fn new(tenant: Arc<Tenant>, release: Arc<Release>, limits: Limits) -> Current {
        let mut release_line = *b"Dayfly-Release: 0000000000000000\r\n";
        for (octet, digit) in release_line[16..32].iter_mut().zip(release.digest().bytes()) {
            *octet = digit;
        }
        Current { tenant, release, limits, release_line, canary: None }
    }

    /// The same with another one that gets this share of them, from 0 to 1. Its tenant is one of its own, with the same
    /// name and key: that has its own counters, and what is learnt of one release says nothing of the other.
    #[must_use]
    #[allow(clippy::cast_sign_loss, reason = "no share is less than 0")]
    pub fn with_canary(mut self, canary: Current, share: f64) -> Current {
        // Rounded up: of ten requests, a tenth is one and not a little less.
        let share = (share.clamp(0.0, 1.0) * ALL as f64).ceil() as u64;
        self.canary = Some(Canary { current: Arc::new(canary), share });
        self
    }

    /// The release that gets a share of the requests.
    pub fn canary(&self) -> Option<&Arc<Current>> {
        self.canary.as_ref().map(|canary| &canary.current)
    }

    /// What answers the next request on an I/O thread: of a hundred requests one after the other, a tenth of the canary are
    /// ten, evenly spread.
    pub fn next(self: &Arc<Current>, io_thread: usize) -> &Arc<Current> {
        match &self.canary {
            Some(canary) if self.tenant.counters(io_thread).canary.passes(canary.share, ALL) => &canary.current,
            _ => self,
        }
    }
}

impl Tenant {
    /// A tenant that has done nothing yet, for a core with so many I/O threads.
    pub fn new(name: &str, key: u64, index: usize, io_threads: usize) -> Tenant {
        Tenant {
            name: name.into(),
            key,
            index,
            counters: (0..io_threads).map(|_| TenantCounters::default()).collect(),
            elsewhere: AtomicU64::new(0),
            kept_bytes: AtomicU64::new(0),
        }
    }

    /// What this I/O thread counts of the tenant.
    pub fn counters(&self, io_thread: usize) -> &TenantCounters {
        &self.counters[io_thread]
    }

    /// The sum over all threads.
    pub fn stats(&self, release: &str) -> TenantStats {
        let mut stats = TenantStats {
            release: release.to_owned(),
            elsewhere: self.elsewhere.load(Ordering::Relaxed),
            kept_bytes: self.kept_bytes.load(Ordering::Relaxed),
            ..TenantStats::default()
        };
        self.counters.iter().for_each(|counters| stats.add(counters));
        stats
    }

    /// Lets one more request with so much content go to another lane, if the tenant may.
    pub fn admit(self: &Arc<Tenant>, body_bytes: u64, limits: &Limits) -> Option<Admission> {
        let admission = Admission { tenant: self.clone(), body_bytes };
        let elsewhere = self.elsewhere.fetch_add(1, Ordering::Relaxed);
        let kept_bytes = self.kept_bytes.fetch_add(body_bytes, Ordering::Relaxed);
        let fits = elsewhere < limits.queue_max.into() && kept_bytes + body_bytes <= KEPT_BYTES_MAX.max(body_bytes);
        fits.then_some(admission)
    }
}

/// A request's place among those of its tenant in other lanes, and the octets that it keeps; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    tenant: Arc<Tenant>,
    body_bytes: u64,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.tenant.elsewhere.fetch_sub(1, Ordering::Relaxed);
        self.tenant.kept_bytes.fetch_sub(self.body_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Arc<Tenant> {
        Arc::new(Tenant::new("a", 1, 0, 1))
    }

    #[test]
    fn so_many_requests_go_elsewhere_and_no_more() {
        let (tenant, limits) = (tenant(), Limits { queue_max: 2, ..Limits::default() });
        let first = tenant.admit(0, &limits).expect("room");
        let second = tenant.admit(0, &limits).expect("room");
        assert!(tenant.admit(0, &limits).is_none());
        drop(first);
        let third = tenant.admit(0, &limits).expect("the first is done");
        drop((second, third));
        assert_eq!(tenant.stats("").elsewhere, 0);
    }

    #[test]
    fn so_much_content_is_kept_and_no_more() {
        let (tenant, limits) = (tenant(), Limits::default());
        let half = tenant.admit(KEPT_BYTES_MAX / 2, &limits).expect("room");
        assert!(tenant.admit(KEPT_BYTES_MAX / 2 + 1, &limits).is_none());
        assert!(tenant.admit(KEPT_BYTES_MAX / 2, &limits).is_some());
        drop(half);
        assert_eq!(tenant.stats("").kept_bytes, 0);
        assert!(tenant.admit(2 * KEPT_BYTES_MAX, &limits).is_some(), "a single request is bounded by its own limit");
    }
}
