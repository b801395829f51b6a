//! Which releases are in memory: those in use, and as many of the others as a budget allows.
//!
//! ```text
//!   on disk ──loaded──▶ in use: leased to slots, or to the releases that stand on it
//!      ▲                  │  ▲
//!      │       last lease │  │ leased again
//!      │            ended ▼  │
//!      └──least recently── idle
//!         used, when over budget
//! ```
//! A release that is not in memory is only a name with a few facts, so that a machine may have many more tenants than
//! it has memory for. Loading is for threads that may wait; an I/O thread takes what is there.
//!
//! What became idle last stays in any case: a trap ends a slot, and often the last one of its release, which the next
//! request wants again. If what is in use is more than the budget by itself, pools give up slots, more than they make.

use crate::error::Error;
use crate::hostcalls::Host;
use crate::janitor::drop_later;
use dayfly_sys::image::SealedImage;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::{InstancePre, Module};

/// Releases in memory, each of which has a descriptor, where the process may have many of these.
const RELEASES_MAX: u64 = 8_192;
/// Where it may not, one descriptor in so many is for releases; most are for connections.
const DESCRIPTORS_PER_RELEASE: u64 = 4;
/// Mappings of releases. The kernel allows a process 65,530: 40,000 are for slots (`slots.rs`), 1,056 for parked strides
/// (32 of at most 33), and some 4,000 are left for threads, heaps and the rest.
const MAPPINGS_MAX: u64 = 20_000;
/// The view of an image's file.
const IMAGE_MAPPINGS: u64 = 1;
/// Machine code, and what is read-only before and behind it.
const CODE_MAPPINGS: u64 = 3;
/// Idle releases that leave at once when the system has refused something: a file or mapping each, and more.
const ROOM_RELEASES: usize = 64;

/// A release's image and code in memory.
pub(crate) struct Resident {
    pub(crate) image: Arc<SealedImage>,
    pub(crate) instance: InstancePre<Host>,
    /// Held so that other releases of the same program find it in the code cache.
    module: Arc<Module>,
    /// The release that this one stands on stays as long.
    _parent: Option<Arc<Lease>>,
    bytes: u64,
    mappings: u64,
    figures: Arc<Figures>,
    /// Whether the figures have it.
    counted: AtomicBool,
}

impl Resident {
    /// Memory that the release takes beyond its parent's.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// It leaves memory, as soon as the janitor gets to it.
    fn leave(&self) {
        if self.counted.swap(false, Ordering::Relaxed) {
            self.figures.resident.fetch_sub(1, Ordering::Relaxed);
            self.figures.resident_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
            self.figures.mappings.fetch_sub(self.mappings, Ordering::Relaxed);
        }
    }

    pub(crate) fn module(&self) -> &Arc<Module> {
        &self.module
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Keeps a release in memory. When the last lease of it ends, it becomes idle.
pub(crate) struct Lease {
    resident: Arc<Resident>,
    release_id: u64,
    /// Whether somebody may still ask for the release.
    wanted: Arc<AtomicBool>,
    residency: Weak<Shared>,
}

impl std::ops::Deref for Lease {
    type Target = Resident;

    fn deref(&self) -> &Resident {
        &self.resident
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(residency) = self.residency.upgrade() {
            residency.rest(self.release_id, &self.wanted, &self.resident);
        }
    }
}

/// The releases in memory, as figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ResidencyStats {
    /// Releases that are in memory, bases and layers among them.
    pub resident: u64,
    /// Memory that they take: images, each beyond its parent's, and machine code.
    pub resident_bytes: u64,
    /// Loads from disk since the start: cold starts, and one for each release that was published.
    pub loaded: u64,
    /// Idle releases that left memory because the budget was used up.
    pub evicted: u64,
    /// Requests that found their release on disk only.
    pub cold_requests: u64,
}

#[derive(Default)]
struct Figures {
    resident: AtomicU64,
    resident_bytes: AtomicU64,
    mappings: AtomicU64,
    loaded: AtomicU64,
    evicted: AtomicU64,
    cold_requests: AtomicU64,
}

/// All releases of an engine.
pub(crate) struct Residency {
    shared: Arc<Shared>,
}

struct Shared {
    budget: Budget,
    figures: Arc<Figures>,
    idle: Mutex<Idle>,
}

/// What releases may take together.
#[derive(Clone, Copy)]
struct Budget {
    bytes: u64,
    mappings: u64,
    releases: u64,
}

/// Releases that nobody uses, by the time since which nobody does.
#[derive(Default)]
struct Idle {
    places: HashMap<u64, u64>,
    by_age: BTreeMap<u64, (u64, Arc<Resident>)>,
    time: u64,
}

impl Residency {
    /// For a process that may have so many descriptors.
    pub(crate) fn new(bytes_max: u64, descriptors: u64) -> Residency {
        let releases = RELEASES_MAX.min(descriptors / DESCRIPTORS_PER_RELEASE);
        Residency::within(Budget { bytes: bytes_max, mappings: MAPPINGS_MAX, releases })
    }

    fn within(budget: Budget) -> Residency {
        let (figures, idle) = Default::default();
        Residency { shared: Arc::new(Shared { budget, figures, idle }) }
    }

    /// Descriptors that releases may hold.
    pub(crate) fn descriptors_max(&self) -> u64 {
        self.shared.budget.releases
    }

    /// Whether what is in use is over the budget by itself, since idle releases leave at once. Then whoever has slots that
    /// can be spared should give up some.
    pub(crate) fn is_crowded(&self) -> bool {
        self.shared.is_over()
    }

    /// A release that was loaded just now.
    pub(crate) fn enter(
        &self,
        image: SealedImage,
        module: Arc<Module>,
        instance: InstancePre<Host>,
        parent: Option<Arc<Lease>>,
    ) -> Arc<Resident> {
        let code = module.image_range();
        let (code_bytes, code_mappings) =
            if parent.is_some() { (0, 0) } else { (code.end.addr() - code.start.addr(), CODE_MAPPINGS) };
        let bytes = (image.own_bytes() + code_bytes) as u64;
        let mappings = IMAGE_MAPPINGS + code_mappings;
        let figures = self.shared.figures.clone();
        figures.loaded.fetch_add(1, Ordering::Relaxed);
        figures.resident.fetch_add(1, Ordering::Relaxed);
        figures.resident_bytes.fetch_add(bytes, Ordering::Relaxed);
        figures.mappings.fetch_add(mappings, Ordering::Relaxed);
        let (image, counted) = (Arc::new(image), AtomicBool::new(true));
        Arc::new(Resident { image, instance, module, _parent: parent, bytes, mappings, figures, counted })
    }

    /// Keeps a release in memory as long as the value lives. Whoever has loaded it calls [`Residency::trim`] afterwards.
    pub(crate) fn lease(&self, release_id: u64, wanted: &Arc<AtomicBool>, resident: Arc<Resident>) -> Arc<Lease> {
        let (wanted, residency) = (wanted.clone(), Arc::downgrade(&self.shared));
        Arc::new(Lease { resident, release_id, wanted, residency })
    }

    /// Lets idle releases go until the rest is within budget. Not to be called under a release's lock: what leaves may have
    /// to be dropped here.
    pub(crate) fn trim(&self) {
        if self.shared.is_over() {
            self.shared.trim(self.shared.lock());
        }
    }

    /// Tries something that takes descriptors, mappings or memory; if there are none left, once more without some of the
    /// idle releases.
    pub(crate) fn with_room<T>(&self, attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        match attempt() {
            Err(error) if error.is_lack() && self.make_room() => attempt(),
            result => result,
        }
    }

    /// Lets some idle releases go at once. `false`: there are none.
    pub(crate) fn make_room(&self) -> bool {
        let mut idle = self.shared.lock();
        let evicted: Vec<_> = std::iter::from_fn(|| idle.pop()).take(ROOM_RELEASES).collect();
        drop(idle);
        self.shared.figures.evicted.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        // Dropped here: what they hold is wanted now, not when the janitor gets to it.
        !evicted.is_empty()
    }

    /// Takes an idle release out, to be leased.
    pub(crate) fn take(&self, release_id: u64) -> Option<Arc<Resident>> {
        self.shared.lock().take(release_id)
    }

    /// The release is no more.
    pub(crate) fn forget(&self, release_id: u64, wanted: &AtomicBool) {
        let mut idle = self.shared.lock();
        wanted.store(false, Ordering::Relaxed);
        let forgotten = idle.take(release_id);
        drop(idle);
        if let Some(resident) = forgotten {
            resident.leave();
            drop_later(resident);
        }
    }

    pub(crate) fn count_cold_request(&self) {
        self.shared.figures.cold_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> ResidencyStats {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let figures = &self.shared.figures;
        ResidencyStats {
            resident: get(&figures.resident),
            resident_bytes: get(&figures.resident_bytes),
            loaded: get(&figures.loaded),
            evicted: get(&figures.evicted),
            cold_requests: get(&figures.cold_requests),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        let Figures { resident_bytes, mappings, resident, .. } = &*self.figures;
        let Budget { bytes, mappings: mappings_max, releases } = self.budget;
        let over = |figure: &AtomicU64, most: u64| figure.load(Ordering::Relaxed) > most;
        over(resident_bytes, bytes) || over(mappings, mappings_max) || over(resident, releases)
    }

    /// Nobody uses the release any more.
    fn rest(&self, release_id: u64, wanted: &AtomicBool, resident: &Arc<Resident>) {
        let mut idle = self.lock();
        let before = if wanted.load(Ordering::Relaxed) { idle.put(release_id, resident.clone()) } else { None };
        self.trim(idle);
        // Somebody loaded it anew while its last lease was ending.
        before.into_iter().for_each(drop_later);
    }

    /// Lets idle releases go, those first that have not been used for the longest time, until the rest is within budget or
    /// only the one is left that was used last.
    fn trim(&self, mut idle: MutexGuard<'_, Idle>) {
        let mut evicted = Vec::new();
        while self.is_over() && idle.by_age.len() > 1 {
            evicted.extend(idle.pop());
        }
        drop(idle);
        self.figures.evicted.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        if !evicted.is_empty() {
            drop_later(evicted);
        }
    }
}

impl Idle {
    fn take(&mut self, release_id: u64) -> Option<Arc<Resident>> {
        let place = self.places.remove(&release_id)?;
        self.by_age.remove(&place).map(|(_, resident)| resident)
    }

    /// Gives back what was there of the same release.
    fn put(&mut self, release_id: u64, resident: Arc<Resident>) -> Option<Arc<Resident>> {
        let before = self.take(release_id);
        self.time += 1;
        self.places.insert(release_id, self.time);
        self.by_age.insert(self.time, (release_id, resident));
        before
    }

    /// Takes out the one that is to leave first. The figures are without it at once, so that nobody lets go of more.
    fn pop(&mut self) -> Option<Arc<Resident>> {
        let (_, (release_id, resident)) = self.by_age.pop_first()?;
        self.places.remove(&release_id);
        resident.leave();
        Some(resident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions};
    use dayfly_sys::PAGE_BYTES;

    const ROOMY: Budget = Budget { bytes: u64::MAX, mappings: u64::MAX, releases: u64::MAX };

    struct Bench {
        engine: Engine,
        module: Arc<Module>,
        residency: Residency,
        wanted: Arc<AtomicBool>,
    }

    impl Bench {
        fn within(budget: Budget) -> Bench {
            let engine = Engine::new(&EngineOptions::default()).expect("an engine");
            let module = Arc::new(Module::new(engine.wasmtime(), b"\0asm\x01\0\0\0").expect("it compiles"));
            let (residency, wanted) = (Residency::within(budget), Arc::new(AtomicBool::new(true)));
            Bench { engine, module, residency, wanted }
        }

        /// A release of so many pages, with a lease.
        fn load(&self, id: u64, pages: u32, parent: Option<Arc<Lease>>) -> Arc<Lease> {
            let page = [1; PAGE_BYTES];
            let pages = (0..pages).map(|at| (at, &page[..]));
            let image = match &parent {
                None => SealedImage::new(64 * PAGE_BYTES, pages),
                Some(parent) => SealedImage::over(&parent.image, pages),
            };
            let instance = self.engine.link(&self.module).expect("it imports nothing");
            let image = image.expect("a memory file");
            let resident = self.residency.enter(image, self.module.clone(), instance, parent);
            let lease = self.residency.lease(id, &self.wanted, resident);
            self.residency.trim();
            lease
        }

        fn is_idle(&self, id: u64) -> bool {
            self.residency.shared.lock().places.contains_key(&id)
        }
    }

    #[test]
    fn idle_releases_leave_when_memory_mappings_or_descriptors_run_short() {
        let code = Bench::within(ROOMY);
        drop(code.load(1, 1, None));
        let each = code.residency.stats().resident_bytes;
        for budget in [
            Budget { bytes: 3 * each, ..ROOMY },
            Budget { mappings: 3 * (IMAGE_MAPPINGS + CODE_MAPPINGS), ..ROOMY },
            Budget { releases: 3, ..ROOMY },
        ] {
            let bench = Bench::within(budget);
            (0..10).for_each(|id| drop(bench.load(id, 1, None)));
            assert_eq!((0..10).filter(|id| bench.is_idle(*id)).collect::<Vec<_>>(), [7, 8, 9]);
            assert_eq!((bench.residency.stats().evicted, bench.residency.is_crowded()), (7, false));
        }
    }

    #[test]
    fn the_mappings_of_a_release_are_no_more_than_it_is_charged_for() {
        let bench = Bench::within(ROOMY);
        let module = Module::new(bench.engine.wasmtime(), b"\0asm\x01\0\0\0").expect("it compiles");
        let code = module.image_range();
        // Other tests map things meanwhile, but not within the code.
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the kernel tells");
        let within = maps.lines().filter(|line| {
            let start = line.split('-').next().and_then(|start| usize::from_str_radix(start, 16).ok());
            start.is_some_and(|start| (code.start.addr()..code.end.addr()).contains(&start))
        });
        assert!((1..=CODE_MAPPINGS as usize).contains(&within.count()));
    }

    #[test]
    fn what_became_idle_last_stays_though_others_take_all_the_budget() {
        let bench = Bench::within(Budget { releases: 2, ..ROOMY });
        let in_use = [bench.load(1, 1, None), bench.load(2, 1, None)];
        drop(bench.load(3, 1, None));
        assert!(bench.is_idle(3) && bench.residency.is_crowded());
        drop(bench.load(4, 1, None));
        assert!(bench.is_idle(4) && !bench.is_idle(3), "only the last one");
        drop(in_use);
        assert!(!bench.residency.is_crowded());
    }

    #[test]
    fn what_the_system_refuses_is_tried_again_without_idle_releases() {
        let bench = Bench::within(ROOMY);
        let lack = || Error::io("a file", rustix::io::Errno::MFILE);
        let tries = AtomicU64::new(0);
        let attempt = || match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Err(lack()),
            _ => Ok(()),
        };
        assert!(bench.residency.with_room(attempt).is_err(), "nothing is idle");
        drop(bench.load(1, 1, None));
        tries.store(0, Ordering::Relaxed);
        assert!(bench.residency.with_room(attempt).is_ok());
        assert_eq!((bench.is_idle(1), bench.residency.stats().resident), (false, 0));
        drop(bench.load(1, 1, None));
        let other = bench.residency.with_room(|| Err::<(), _>(Error::Refused(String::new())));
        assert!(other.is_err() && bench.is_idle(1), "only a lack is mended so");
    }
}
