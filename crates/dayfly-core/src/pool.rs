//! One thread's slots: take a clean one, give it back, keep within a budget.

use crate::engine::{Counters, Engine};
use crate::error::Error;
use crate::janitor::drop_later;
use crate::release::Release;
use crate::residency::Lease;
use crate::sandbox::{Restored, Sandbox};
use dayfly_sys::PAGE_BYTES;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Slots that are given up for one that the process has no room for: strides and mappings come back with the first.
const EVICTIONS_MAX: u32 = 4;

/// Slots that are given up for a new one while the releases in use take more than they may: one would only keep it so.
const GIVEN_UP_EACH: usize = 2;

/// A thread's budget.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Slots kept, one for each release. Default 1024; at least 1.
    pub slots_max: usize,
    /// Mappings that kept slots may hold together. The kernel allows a process 65,530 of them; the default, 10,000,
    /// leaves room for four threads and for the rest of the process.
    pub mappings_max: usize,
    /// Memory that kept slots may hold on their own, in bytes: the pages of their hot sets, and copies of
    /// scattered ones. The default is 256 MiB.
    pub hot_bytes_max: usize,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions { slots_max: 1024, mappings_max: 10_000, hot_bytes_max: 256 << 20 }
    }
}

/// The slots of one thread, at most one for each release.
pub struct Pool {
    engine: Engine,
    options: PoolOptions,
    kept: Vec<Kept>,
    /// Release to place in `kept`.
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
    /// Place of the slot used last: the next request is often for the same release.
    last: usize,
    /// Requests served, as the time that least recent use is measured in.
    uses: u64,
    /// Of all kept slots.
    holdings: Holdings,
}

struct Kept {
    sandbox: Sandbox,
    /// Taken, and not restored since. Any way out of a request that does not pass by `give_back` leaves it set.
    dirty: bool,
    used: u64,
    holdings: Holdings,
}

/// What slots take from the process.
#[derive(Clone, Copy, Default)]
struct Holdings {
    mappings: usize,
    own_pages: usize,
}

impl Holdings {
    fn of(sandbox: &Sandbox) -> Holdings {
        Holdings { mappings: sandbox.mappings_max(), own_pages: sandbox.own_pages() }
    }

    fn add(&mut self, more: Holdings) {
        self.mappings += more.mappings;
        self.own_pages += more.own_pages;
    }

    fn subtract(&mut self, less: Holdings) {
        self.mappings -= less.mappings;
        self.own_pages -= less.own_pages;
    }
}

impl Pool {
    /// An empty pool.
    pub fn new(engine: &Engine, options: PoolOptions) -> Pool {
        let (engine, holdings) = (engine.clone(), Holdings::default());
        Pool { engine, options, kept: Vec::new(), places: HashMap::default(), last: 0, uses: 0, holdings }
    }

    /// A clean sandbox of `release`: the kept one, or a new one (some microseconds). Blocks while the release is loaded,
    /// if it is not in memory.
    ///
    /// # Errors
    /// `Io` or `Refused` if there is no room for a new one, `Damaged` if the release cannot be loaded, `Internal` if it
    /// is condemned.
    pub fn take(&mut self, release: &Arc<Release>) -> Result<Lent<'_>, Error> {
        let place = match self.find_clean(release) {
            Some(place) => place,
            None => self.make(release, &release.lease()?)?,
        };
        Ok(self.lend(place))
    }

    /// The same for threads that must not block. `None`: the release is not in memory.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub fn take_at_once(&mut self, release: &Arc<Release>) -> Result<Option<Lent<'_>>, Error> {
        let place = match self.find_clean(release) {
            Some(place) => place,
            None => match release.lease_at_once() {
                Some(lease) => self.make(release, &lease)?,
                None => return Ok(None),
            },
        };
        Ok(Some(self.lend(place)))
    }

    fn lend(&mut self, place: usize) -> Lent<'_> {
        self.uses += 1;
        self.last = place;
        let kept = &mut self.kept[place];
        (kept.used, kept.dirty) = (self.uses, true);
        Lent { pool: self, place }
    }

    /// The slot of a release. One that must not be used again ends.
    fn find_clean(&mut self, release: &Arc<Release>) -> Option<usize> {
        let place = self.find(release.id())?;
        if self.kept[place].dirty || release.condemned() {
            self.end(place);
            return None;
        }
        Some(place)
    }

    fn find(&self, release_id: u64) -> Option<usize> {
        match self.kept.get(self.last) {
            Some(kept) if kept.sandbox.release().id() == release_id => Some(self.last),
            _ => self.places.get(&release_id).copied(),
        }
    }

    #[cold]
    fn make(&mut self, release: &Arc<Release>, lease: &Arc<Lease>) -> Result<usize, Error> {
        if release.condemned() {
            let digest = release.digest();
            return Err(Error::Internal(format!("release `{digest}` is condemned: its restored memory was wrong")));
        }
        let sandbox = self.new_sandbox(release, lease)?;
        if self.engine.residency().is_crowded() {
            (0..GIVEN_UP_EACH).filter_map(|_| self.evict()).for_each(drop_soon);
        }
        let holdings = Holdings::of(&sandbox);
        self.holdings.add(holdings);
        while self.kept.len() >= self.options.slots_max.max(1) || (self.is_over_budget() && !self.kept.is_empty()) {
            self.evict().into_iter().for_each(drop_soon);
        }
        let place = self.kept.len();
        self.kept.push(Kept { sandbox, dirty: false, used: self.uses, holdings });
        self.places.insert(release.id(), place);
        Ok(place)
    }

    /// Makes a sandbox; if the process has no room for one, in place of some that are kept here and idle.
    fn new_sandbox(&mut self, release: &Arc<Release>, lease: &Arc<Lease>) -> Result<Sandbox, Error> {
        let mut made = Sandbox::of(release, lease.clone());
        for _ in 0..EVICTIONS_MAX {
            if !matches!(made, Err(Error::Io { .. })) || self.kept.is_empty() {
                break;
            }
            // Dropped at once: what it held is wanted now, not when the janitor gets to it.
            drop(self.evict());
            made = Sandbox::of(release, lease.clone());
        }
        if made.as_ref().is_err_and(Error::is_lack) && self.engine.residency().make_room() {
            made = Sandbox::of(release, lease.clone());
        }
        let sandbox = made?;
        if release.paranoid_every() > 0 && !sandbox.equals_image() {
            Counters::add(&self.engine.counters().paranoid_differences, 1);
            release.condemn();
            return Err(Error::Internal(format!("a new slot of release `{}` is not its image", release.digest())));
        }
        Ok(sandbox)
    }

    fn is_over_budget(&self) -> bool {
        let hot_bytes = self.holdings.own_pages * PAGE_BYTES;
        self.holdings.mappings > self.options.mappings_max || hot_bytes > self.options.hot_bytes_max
    }

    /// Takes out the slot that was used least recently.
    fn evict(&mut self) -> Option<Sandbox> {
        let (place, _) = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used)?;
        Counters::add(&self.engine.counters().evictions, 1);
        Some(self.remove(place))
    }

    /// Restores the sandbox at `place`; ends it if that cannot be done, or if its release is not to be used any more.
    fn give_back(&mut self, place: usize) {
        let kept = &mut self.kept[place];
        if kept.sandbox.restore() == Restored::Spent || kept.sandbox.release().condemned() {
            self.end(place);
            return;
        }
        let holdings = Holdings::of(&kept.sandbox);
        self.holdings.subtract(kept.holdings);
        self.holdings.add(holdings);
        kept.holdings = holdings;
        kept.dirty = false;
        while self.is_over_budget() && self.kept.len() > 1 {
            self.evict().into_iter().for_each(drop_soon);
        }
    }

    fn end(&mut self, place: usize) {
        drop_soon(self.remove(place));
    }

    fn remove(&mut self, place: usize) -> Sandbox {
        let ended = self.kept.swap_remove(place);
        self.holdings.subtract(ended.holdings);
        self.places.remove(&ended.sandbox.release().id());
        if let Some(moved) = self.kept.get(place) {
            self.places.insert(moved.sandbox.release().id(), place);
        }
        ended.sandbox
    }

    /// Ends the slot of a release that is not used any more.
    pub fn forget(&mut self, release_id: u64) {
        if let Some(place) = self.places.get(&release_id).copied() {
            self.end(place);
        }
    }

    /// Slots kept.
    pub fn slots(&self) -> usize {
        self.kept.len()
    }
}

/// Drops a sandbox: a small one at once (4-10 us), one with many pages on the janitor's thread, because giving pages
/// back takes time that other requests wait for.
fn drop_soon(sandbox: Sandbox) {
    if !sandbox.restores_quickly() {
        drop_later(sandbox);
    }
}

/// A sandbox for one request. Dropping it restores its slot, or ends it.
pub struct Lent<'p> {
    pool: &'p mut Pool,
    place: usize,
}

impl Deref for Lent<'_> {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.pool.kept[self.place].sandbox
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.pool.kept[self.place].sandbox
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.give_back(self.place);
    }
}
