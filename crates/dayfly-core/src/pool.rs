//! One thread's slots: take a clean one, give it back, keep within a budget.

use crate::engine::{Counters, Engine};
use crate::error::Error;
use crate::release::Release;
use crate::sandbox::{Restored, Sandbox};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

/// Slots that may wait for the janitor; more are dropped by whoever ends them.
const JANITOR_QUEUE_MAX: usize = 64;

/// A thread's budget.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Slots kept, one for each release. Default 1024; at least 1.
    pub slots_max: usize,
    /// Mappings that kept slots may hold together. The kernel allows a process 65,530 of them; the default, 14,000,
    /// leaves room for four threads and for the rest of the process.
    pub mappings_max: usize,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions { slots_max: 1024, mappings_max: 14_000 }
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
    /// Mappings of all kept slots.
    mappings: usize,
}

struct Kept {
    sandbox: Sandbox,
    used: u64,
    mappings: usize,
}

impl Pool {
    /// An empty pool.
    pub fn new(engine: &Engine, options: PoolOptions) -> Pool {
        let engine = engine.clone();
        Pool { engine, options, kept: Vec::new(), places: HashMap::default(), last: 0, uses: 0, mappings: 0 }
    }

    /// A clean sandbox of `release`: the kept one, or a new one (some microseconds).
    ///
    /// # Errors
    /// `Io` or `Refused` if there is no room for a new one, `Internal` if the release is condemned.
    pub fn take(&mut self, release: &Arc<Release>) -> Result<Lent<'_>, Error> {
        let place = match self.find(release.id()) {
            Some(place) => place,
            None => self.make(release)?,
        };
        self.uses += 1;
        self.last = place;
        self.kept[place].used = self.uses;
        Ok(Lent { pool: self, place })
    }

    fn find(&self, release_id: u64) -> Option<usize> {
        match self.kept.get(self.last) {
            Some(kept) if kept.sandbox.release().id() == release_id => Some(self.last),
            _ => self.places.get(&release_id).copied(),
        }
    }

    #[cold]
    fn make(&mut self, release: &Arc<Release>) -> Result<usize, Error> {
        if release.condemned() {
            let digest = release.digest();
            return Err(Error::Internal(format!("release `{digest}` is condemned: its restored memory was wrong")));
        }
        let sandbox = Sandbox::new(release)?;
        let mappings = sandbox.mappings_max();
        while self.is_over_budget(mappings) {
            self.evict();
        }
        let place = self.kept.len();
        self.kept.push(Kept { sandbox, used: self.uses, mappings });
        self.places.insert(release.id(), place);
        self.mappings += mappings;
        Ok(place)
    }

    fn is_over_budget(&self, more_mappings: usize) -> bool {
        let full = self.kept.len() >= self.options.slots_max.max(1);
        !self.kept.is_empty() && (full || self.mappings + more_mappings > self.options.mappings_max)
    }

    fn evict(&mut self) {
        let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
        if let Some((place, _)) = oldest {
            Counters::add(&self.engine.counters().evictions, 1);
            self.end(place);
        }
    }

    /// Restores the sandbox at `place`; ends it if that cannot be done, or if its release is not to be used any more.
    fn give_back(&mut self, place: usize) {
        let kept = &mut self.kept[place];
        if kept.sandbox.restore() == Restored::Spent || kept.sandbox.release().condemned() {
            self.end(place);
            return;
        }
        let mappings = kept.sandbox.mappings_max();
        self.mappings = self.mappings - kept.mappings + mappings;
        kept.mappings = mappings;
        while self.kept.len() > 1 && self.mappings > self.options.mappings_max {
            self.evict();
        }
    }

    fn end(&mut self, place: usize) {
        let ended = self.kept.swap_remove(place);
        self.mappings -= ended.mappings;
        self.places.remove(&ended.sandbox.release().id());
        if let Some(moved) = self.kept.get(place) {
            self.places.insert(moved.sandbox.release().id(), place);
        }
        drop_soon(ended.sandbox);
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
    if !sandbox.restores_quickly()
        && let Some(janitor) = janitor()
    {
        // If the queue is full the sandbox comes back in the error, and is dropped here after all.
        janitor.try_send(sandbox).ok();
    }
}

fn janitor() -> Option<&'static SyncSender<Sandbox>> {
    static JANITOR: OnceLock<Option<SyncSender<Sandbox>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = sync_channel::<Sandbox>(JANITOR_QUEUE_MAX);
        let work = move || receiver.into_iter().for_each(drop);
        thread::Builder::new().name("dayfly-janitor".to_owned()).spawn(work).ok().map(|_| sender)
    };
    JANITOR.get_or_init(start).as_ref()
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
