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

use crate::hostcalls::Host;
use crate::janitor::drop_later;
use dayfly_sys::image::SealedImage;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wasmtime::{InstancePre, Module};

/// Releases in memory: each has a mapping, which are 65,530 for all purposes, and a descriptor.
const RELEASES_MAX: u64 = 8_192;

/// A release's image and code in memory.
pub(crate) struct Resident {
    pub(crate) image: Arc<SealedImage>,
    pub(crate) instance: InstancePre<Host>,
    /// Held so that other releases of the same program find it in the code cache.
    module: Arc<Module>,
    /// The release that this one stands on stays as long.
    _parent: Option<Arc<Lease>>,
    bytes: u64,
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
    loaded: AtomicU64,
    evicted: AtomicU64,
    cold_requests: AtomicU64,
}

/// All releases of an engine.
pub(crate) struct Residency {
    shared: Arc<Shared>,
}

struct Shared {
    bytes_max: u64,
    figures: Arc<Figures>,
    idle: Mutex<Idle>,
}

/// Releases that nobody uses, by the time since which nobody does.
#[derive(Default)]
struct Idle {
    places: HashMap<u64, u64>,
    by_age: BTreeMap<u64, (u64, Arc<Resident>)>,
    time: u64,
}

impl Residency {
    pub(crate) fn new(bytes_max: u64) -> Residency {
        Residency { shared: Arc::new(Shared { bytes_max, figures: Arc::default(), idle: Mutex::default() }) }
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
        let code_bytes = if parent.is_some() { 0 } else { code.end.addr() - code.start.addr() };
        let bytes = (image.own_bytes() + code_bytes) as u64;
        let figures = self.shared.figures.clone();
        figures.loaded.fetch_add(1, Ordering::Relaxed);
        figures.resident.fetch_add(1, Ordering::Relaxed);
        figures.resident_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (image, counted) = (Arc::new(image), AtomicBool::new(true));
        Arc::new(Resident { image, instance, module, _parent: parent, bytes, figures, counted })
    }

    /// Keeps a release in memory as long as the value lives.
    pub(crate) fn lease(&self, release_id: u64, wanted: &Arc<AtomicBool>, resident: Arc<Resident>) -> Arc<Lease> {
        let lease = Lease { resident, release_id, wanted: wanted.clone(), residency: Arc::downgrade(&self.shared) };
        self.shared.trim();
        Arc::new(lease)
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

    /// Nobody uses the release any more.
    fn rest(&self, release_id: u64, wanted: &AtomicBool, resident: &Arc<Resident>) {
        let mut idle = self.lock();
        let before = if wanted.load(Ordering::Relaxed) { idle.put(release_id, resident.clone()) } else { None };
        drop(idle);
        // Somebody loaded it anew while its last lease was ending.
        before.into_iter().for_each(drop_later);
        self.trim();
    }

    /// Lets idle releases go, those first that have not been used for the longest time, until the rest is within budget.
    fn trim(&self) {
        let bytes = self.figures.resident_bytes.load(Ordering::Relaxed);
        let releases = self.figures.resident.load(Ordering::Relaxed);
        let (mut bytes_over, mut releases_over) =
            (bytes.saturating_sub(self.bytes_max), releases.saturating_sub(RELEASES_MAX));
        if bytes_over == 0 && releases_over == 0 {
            return;
        }
        let mut evicted = Vec::new();
        let mut idle = self.lock();
        while bytes_over > 0 || releases_over > 0 {
            let Some((_, (release_id, resident))) = idle.by_age.pop_first() else { break };
            idle.places.remove(&release_id);
            bytes_over = bytes_over.saturating_sub(resident.bytes);
            releases_over = releases_over.saturating_sub(1);
            // At once, so that the next one who looks does not let go of more.
            resident.leave();
            evicted.push(resident);
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
}
