//! Who goes next: one queue a tenant, and the tenant with the least CPU time so far first. Pure: no clock, no lock.
//!
//! Start-time fair queueing: each tenant carries a tag, the CPU time it has used; the queue's clock is the tag of the
//! tenant served last. A tenant that comes back from having nothing to do is moved up to the clock, so that nobody
//! saves up a claim; one that used more than its share keeps that debt until the clock has caught up. Equal jobs give
//! plain round-robin.
//!
//! ```text
//!              push                    take                      ended
//!   (absent) ───────▶ unserved ────────────────────▶ served ───────────────▶ unserved, owing or (absent)
//!                     jobs, no thread                jobs or not, ≥ 1 thread
//! ```

use std::collections::{BTreeSet, HashMap, VecDeque};

/// What makes two jobs belong to the same tenant.
pub type Key = u64;

/// How many threads a tenant may have at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Threads with nothing to do, the asking one included.
    pub idle: usize,
    /// Most threads for one tenant, whatever is idle.
    pub tenant_max: usize,
}

#[derive(Debug)]
struct Share<J> {
    jobs: VecDeque<J>,
    running: usize,
    /// CPU time used so far, or the queue's clock when it came back, if that was later.
    used_ns: u64,
}

/// The queues of all tenants that have something to do.
#[derive(Debug)]
pub struct FairQueue<J> {
    shares: HashMap<Key, Share<J>>,
    /// Tenants with jobs and no thread, in the order in which they get one.
    unserved: BTreeSet<(u64, Key)>,
    /// Tenants with jobs and at least one thread, in the same order.
    served: BTreeSet<(u64, Key)>,
    /// Tenants with nothing to do that used more than the clock shows.
    owing: BTreeSet<(u64, Key)>,
    clock_ns: u64,
    jobs: usize,
}

impl<J> Default for FairQueue<J> {
    fn default() -> FairQueue<J> {
        FairQueue {
            shares: HashMap::new(),
            unserved: BTreeSet::new(),
            served: BTreeSet::new(),
            owing: BTreeSet::new(),
            clock_ns: 0,
            jobs: 0,
        }
    }
}

impl<J> FairQueue<J> {
    /// Jobs that wait.
    pub fn len(&self) -> usize {
        self.jobs
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.jobs == 0
    }

    /// Adds a job behind the tenant's others. `charged_ns` is CPU time that it has used elsewhere already.
    pub fn push(&mut self, key: Key, charged_ns: u64, job: J) {
        let clock_ns = self.clock_ns;
        self.change(key, |share| {
            if share.jobs.is_empty() && share.running == 0 {
                share.used_ns = share.used_ns.max(clock_ns);
            }
            share.used_ns += charged_ns;
            share.jobs.push_back(job);
        });
        self.jobs += 1;
    }

    /// The next job: of the tenant with the least CPU time among those that have no thread; else, if that leaves a
    /// thread idle for whoever comes next, among those that have one. `ended` must follow.
    pub fn take(&mut self, room: Room) -> Option<(Key, J)> {
        let key = match self.unserved.first() {
            Some(&(_, key)) => key,
            None if room.idle > 1 => self.first_served(room.tenant_max)?,
            None => return None,
        };
        Some(self.start(key))
    }

    fn first_served(&self, tenant_max: usize) -> Option<Key> {
        self.served.iter().map(|&(_, key)| key).find(|key| self.shares[key].running < tenant_max)
    }

    /// The next job among those that fit and are first of a tenant without a thread. `ended` must follow.
    pub fn take_unserved(&mut self, fits: impl Fn(&J) -> bool) -> Option<(Key, J)> {
        let key = self.unserved.iter().map(|&(_, key)| key).find(|key| self.front(*key).is_some_and(&fits))?;
        Some(self.start(key))
    }

    /// The first jobs of the tenants without a thread.
    pub fn unserved(&self) -> impl Iterator<Item = &J> {
        self.unserved.iter().filter_map(|&(_, key)| self.front(key))
    }

    /// A job that was taken is done and took so much CPU time, its restore included.
    ///
    /// # Panics
    /// If the tenant has no job that was taken and has not ended.
    pub fn ended(&mut self, key: Key, cpu_ns: u64) {
        self.change(key, |share| {
            assert!(share.running > 0, "a job ended that was not taken");
            share.running -= 1;
            share.used_ns += cpu_ns;
        });
    }

    /// Removes the waiting jobs that `over` names; each tenant's are looked at from the oldest to the first that is
    /// not over.
    pub fn remove_oldest(&mut self, over: impl Fn(&J) -> bool) -> Vec<J> {
        let keys: Vec<Key> = self.unserved.iter().chain(&self.served).map(|&(_, key)| key).collect();
        let mut removed = Vec::new();
        for key in keys {
            while self.front(key).is_some_and(&over) {
                removed.extend(self.change(key, |share| share.jobs.pop_front()));
            }
        }
        self.jobs -= removed.len();
        removed
    }

    /// Removes everything that waits.
    pub fn remove_all(&mut self) -> Vec<J> {
        self.remove_oldest(|_| true)
    }

    fn front(&self, key: Key) -> Option<&J> {
        self.shares.get(&key)?.jobs.front()
    }

    fn start(&mut self, key: Key) -> (Key, J) {
        let (job, used_ns) = self.change(key, |share| {
            share.running += 1;
            (share.jobs.pop_front().expect("a tenant in the sets has jobs"), share.used_ns)
        });
        self.jobs -= 1;
        self.clock_ns = self.clock_ns.max(used_ns);
        self.forget_the_paid();
        (key, job)
    }

    /// Applies a change to a tenant's share and puts it into the set where it then belongs.
    fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut Share<J>) -> T) -> T {
        let share = self.shares.entry(key).or_insert_with(|| Share { jobs: VecDeque::new(), running: 0, used_ns: 0 });
        let before = (share.used_ns, key);
        let _ = self.unserved.remove(&before) || self.served.remove(&before) || self.owing.remove(&before);
        let result = change(share);
        let after = (share.used_ns, key);
        match (share.jobs.is_empty(), share.running) {
            (false, 0) => drop(self.unserved.insert(after)),
            (false, _) => drop(self.served.insert(after)),
            (true, 0) if share.used_ns > self.clock_ns => drop(self.owing.insert(after)),
            (true, 0) => drop(self.shares.remove(&key)),
            (true, _) => {}
        }
        result
    }

    fn forget_the_paid(&mut self) {
        while let Some(&(used_ns, key)) = self.owing.first()
            && used_ns <= self.clock_ns
        {
            self.owing.pop_first();
            self.shares.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Room = Room { idle: 8, tenant_max: 8 };
    const LAST: Room = Room { idle: 1, tenant_max: 8 };

    fn check<J>(queue: &FairQueue<J>) {
        let waiting: usize = queue.shares.values().map(|share| share.jobs.len()).sum();
        assert_eq!(waiting, queue.len());
        for (&key, share) in &queue.shares {
            let tag = (share.used_ns, key);
            assert_eq!(queue.unserved.contains(&tag), !share.jobs.is_empty() && share.running == 0);
            assert_eq!(queue.served.contains(&tag), !share.jobs.is_empty() && share.running > 0);
            assert_eq!(queue.owing.contains(&tag), share.jobs.is_empty() && share.running == 0);
        }
        assert_eq!(
            queue.unserved.len() + queue.served.len() + queue.owing.len(),
            queue.shares.values().filter(|share| !(share.jobs.is_empty() && share.running > 0)).count()
        );
    }

    #[test]
    fn equal_jobs_go_round() {
        let mut queue = FairQueue::default();
        for n in 0..9u64 {
            queue.push(n % 3, 0, n);
        }
        let mut order = vec![];
        while let Some((key, job)) = queue.take(LAST) {
            order.push(job);
            queue.ended(key, 5);
            check(&queue);
        }
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn cpu_time_is_shared_not_turns() {
        let mut queue = FairQueue::default();
        let cost = [50, 5];
        let mut used = [0u64; 2];
        for _ in 0..10_000 {
            queue.push(0, 0, ());
            queue.push(1, 0, ());
        }
        while used[0] + used[1] < 50_000 {
            let (key, ()) = queue.take(LAST).expect("both have jobs");
            used[key as usize] += cost[key as usize];
            queue.ended(key, cost[key as usize]);
        }
        assert!(used[0].abs_diff(used[1]) <= 50, "{used:?}");
    }

    #[test]
    fn one_tenant_leaves_one_thread_idle() {
        let mut queue = FairQueue::default();
        (0..9).for_each(|n| queue.push(7, 0, n));
        let taken = (1..=4).rev().take_while(|&idle| queue.take(Room { idle, tenant_max: 8 }).is_some()).count();
        assert_eq!(taken, 3, "of 4 threads");
        assert!(queue.take(LAST).is_none());
        queue.push(8, 0, 0);
        assert_eq!(queue.take(LAST), Some((8, 0)), "the last one is for another tenant");
        check(&queue);
    }

    #[test]
    fn one_thread_alone_serves_everybody() {
        let mut queue = FairQueue::default();
        queue.push(1, 0, ());
        assert!(queue.take(LAST).is_some());
    }

    #[test]
    fn while_another_waits_each_has_one_thread() {
        let mut queue = FairQueue::default();
        (0..9).for_each(|_| queue.push(1, 0, ()));
        assert_eq!(queue.take(ROOMY).map(|(key, ())| key), Some(1));
        queue.push(2, 1_000_000, ());
        assert_eq!(queue.take(ROOMY).map(|(key, ())| key), Some(2), "though it used more CPU time");
        assert_eq!(queue.take(ROOMY).map(|(key, ())| key), Some(1));
    }

    #[test]
    fn a_tenant_never_has_more_than_its_most() {
        let mut queue = FairQueue::default();
        (0..9).for_each(|_| queue.push(1, 0, ()));
        let room = Room { idle: 100, tenant_max: 2 };
        assert_eq!((0..9).filter(|_| queue.take(room).is_some()).count(), 2);
    }

    #[test]
    fn pausing_saves_up_no_claim_and_clears_no_debt() {
        let mut queue = FairQueue::default();
        queue.push(1, 0, "a");
        queue.take(LAST);
        queue.ended(1, 100);
        queue.push(2, 0, "b");
        queue.take(LAST);
        queue.ended(2, 10);
        check(&queue);
        queue.push(1, 0, "c");
        queue.push(2, 0, "d");
        queue.push(3, 0, "e");
        assert_eq!(queue.take(LAST), Some((3, "e")), "new, at the clock");
        assert_eq!(queue.take(LAST), Some((2, "d")), "owes 10");
        assert_eq!(queue.take(LAST), Some((1, "c")), "owes 100");
        for key in 1..=3 {
            queue.ended(key, 0);
        }
        check(&queue);
        assert!(queue.shares.is_empty(), "nothing is kept of tenants that owe nothing");
    }

    #[test]
    fn the_oldest_are_removed_up_to_the_first_that_fits() {
        let mut queue = FairQueue::default();
        for (key, job) in [(1, 10), (1, 11), (1, 30), (2, 12), (2, 31)] {
            queue.push(key, 0, job);
        }
        let mut gone = queue.remove_oldest(|&job| job < 20);
        gone.sort_unstable();
        assert_eq!(gone, [10, 11, 12]);
        check(&queue);
        assert_eq!(queue.remove_all().len(), 2);
        assert!(queue.is_empty());
        check(&queue);
    }

    #[test]
    fn the_unserved_can_be_picked_by_age() {
        let mut queue = FairQueue::default();
        queue.push(1, 0, 10);
        queue.push(1, 0, 11);
        queue.push(2, 5, 20);
        assert_eq!(queue.take_unserved(|&job| job >= 20), Some((2, 20)));
        assert_eq!(queue.take_unserved(|&job| job >= 20), None);
        assert_eq!(queue.take_unserved(|&job| job >= 10), Some((1, 10)));
        assert_eq!(queue.take_unserved(|_| true), None, "tenant 1 has a thread");
        check(&queue);
    }
}
