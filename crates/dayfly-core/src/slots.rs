//! One thread's slots, as its tenants use them: a tenant's new release takes the place of its old one.

use crate::engine::Engine;
use crate::error::Error;
use crate::pool::{Lent, Pool, PoolOptions};
use crate::tenant::Current;

/// A pool that lets go of a release as soon as the thread serves its successor. Without it, a thousand reloads would
/// keep a thousand images in memory until the pool's budget ends them.
pub struct Slots {
    pool: Pool,
    /// For each tenant's index, the release that this thread served last; 0: none.
    served: Vec<u64>,
}

impl Slots {
    /// No slots yet.
    pub fn new(engine: &Engine) -> Slots {
        Slots { pool: Pool::new(engine, PoolOptions::default()), served: Vec::new() }
    }

    /// A clean sandbox of the tenant's release. Requests in flight may still ask for an older one.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub fn take(&mut self, current: &Current) -> Result<Lent<'_>, Error> {
        let (index, release_id) = (current.tenant.index, current.release.id());
        if self.served.get(index) != Some(&release_id) {
            self.replace(index, release_id);
        }
        self.pool.take(&current.release)
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
