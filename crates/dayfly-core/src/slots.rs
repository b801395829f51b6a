//! One thread's slots, as its tenants use them: a tenant's new release takes the place of its old one.

use crate::engine::Engine;
use crate::error::Error;
use crate::pool::{Lent, Pool, PoolOptions};
use crate::sandbox::Lane;
use crate::tenant::Current;

/// Slots of a process: the address space has 4,096 of them; the rest is for freezing and for the engine's own heaps.
const SLOTS: usize = 3_072;
/// Mappings of a process's slots. The kernel allows it 65,530 in all; `residency.rs` has the sum of the others.
const MAPPINGS: usize = 40_000;
/// Memory that a process's slots may hold on their own, in bytes.
const HOT_BYTES: usize = 1 << 30;
/// Most slots of one thread: looking for the least recently used one costs a comparison each.
const THREAD_SLOTS_MAX: usize = 1_024;

/// One thread's share of the process's slots.
#[derive(Clone, Copy, Debug)]
pub struct SlotsOptions(PoolOptions);

impl SlotsOptions {
    /// The share of each of so many threads of a lane. I/O threads get four sevenths: most requests run there. The
    /// blocking lane has many threads that sleep, each with few tenants at a time.
    pub fn of_lane(lane: Lane, threads: usize) -> SlotsOptions {
        let sevenths = match lane {
            Lane::Inline => 4,
            Lane::Overflow => 2,
            Lane::Blocking => 1,
        };
        let share = |whole: usize| (whole * sevenths / 7 / threads.max(1)).max(1);
        SlotsOptions(PoolOptions {
            slots_max: share(SLOTS).min(THREAD_SLOTS_MAX),
            mappings_max: share(MAPPINGS),
            hot_bytes_max: share(HOT_BYTES),
        })
    }
}

/// A pool that lets go of a release as soon as the thread serves its successor. Without it, a thousand reloads would
/// keep a thousand images in memory until the pool's budget ends them.
pub struct Slots {
    pool: Pool,
    /// For each tenant's index, the release that this thread served last; 0: none.
    served: Vec<u64>,
}

impl Slots {
    /// No slots yet.
    pub fn new(engine: &Engine, options: SlotsOptions) -> Slots {
        Slots { pool: Pool::new(engine, options.0), served: Vec::new() }
    }

    /// A clean sandbox of the tenant's release. Requests in flight may still ask for an older one.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub fn take(&mut self, current: &Current) -> Result<Lent<'_>, Error> {
        self.serve(current);
        self.pool.take(&current.release)
    }

    /// The same for threads that must not block. `None`: the release is not in memory.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub fn take_at_once(&mut self, current: &Current) -> Result<Option<Lent<'_>>, Error> {
        self.serve(current);
        self.pool.take_at_once(&current.release)
    }

    fn serve(&mut self, current: &Current) {
        let (index, release_id) = (current.tenant.index, current.release.id());
        if self.served.get(index) != Some(&release_id) {
            self.replace(index, release_id);
        }
    }

    #[cold]
    fn replace(&mut self, index: usize, release_id: u64) {
        if index >= self.served.len() {
            self.served.resize(index + 1, 0);
        }
        let before = std::mem::replace(&mut self.served[index], release_id);
        self.pool.forget(before);
    }
}
