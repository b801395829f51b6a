//! Time that may be spent at a rate, with a burst saved up. Pure: the present is an argument.

use std::time::{Duration, Instant};

/// A token bucket. Counted in picoseconds, so that looking often loses nothing to rounding.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Thousandths earned in each nanosecond that passes: picoseconds.
    ps_per_ns: u64,
    burst_ps: i64,
    /// Negative after spending more than there was.
    left_ps: i64,
    at: Instant,
}

impl Budget {
    /// Starts with the whole burst. The rate is rounded to milliseconds a second.
    pub fn new(per_second: Duration, burst: Duration, now: Instant) -> Budget {
        let burst_ps = picoseconds(burst);
        Budget { ps_per_ns: per_second.as_millis() as u64, burst_ps, left_ps: burst_ps, at: now }
    }

    /// Whether anything is left.
    pub fn allows(&mut self, now: Instant) -> bool {
        self.accrue(now);
        self.left_ps > 0
    }

    /// Takes away what was used, whether it was there or not.
    pub fn spend(&mut self, used: Duration, now: Instant) {
        self.accrue(now);
        self.left_ps = self.left_ps.saturating_sub(picoseconds(used));
    }

    /// Adds to what is left, up to the burst.
    pub fn earn(&mut self, earned: Duration) {
        self.left_ps = self.left_ps.saturating_add(picoseconds(earned)).min(self.burst_ps);
    }

    /// How long until something is left.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.accrue(now);
        let missing_ps = 1i64.saturating_sub(self.left_ps).max(0).cast_unsigned();
        Duration::from_nanos(missing_ps.div_ceil(self.ps_per_ns))
    }

    fn accrue(&mut self, now: Instant) {
        let passed_ns = now.saturating_duration_since(self.at).as_nanos();
        let earned_ps = i64::try_from(passed_ns * self.ps_per_ns as u128).unwrap_or(i64::MAX);
        self.left_ps = self.left_ps.saturating_add(earned_ps).min(self.burst_ps);
        self.at = now;
    }
}

fn picoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos() * 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_fills_at_its_rate_up_to_its_burst() {
        let t0 = Instant::now();
        let mut budget = Budget::new(20 * MS, 10 * MS, t0);
        assert!(budget.allows(t0));
        budget.spend(12 * MS, t0);
        assert!(!budget.allows(t0 + 99 * MS));
        assert!(budget.allows(t0 + 101 * MS));
        budget.spend(Duration::ZERO, t0 + 10_000 * MS);
        assert_eq!(budget.left_ps, 10_000_000_000);
    }

    #[test]
    fn the_wait_is_exact() {
        let t0 = Instant::now();
        let mut budget = Budget::new(200 * MS, 10 * MS, t0);
        assert_eq!(budget.wait(t0), Duration::ZERO);
        budget.spend(30 * MS, t0);
        let wait = budget.wait(t0);
        assert_eq!(wait.as_millis(), 100);
        assert!(budget.allows(t0 + wait));
    }

    #[test]
    fn looking_often_loses_nothing() {
        let t0 = Instant::now();
        let mut budget = Budget::new(20 * MS, 1000 * MS, t0);
        budget.spend(1000 * MS, t0);
        for step in 0..1_000_000u32 {
            budget.allows(t0 + step * Duration::from_nanos(90));
        }
        assert!((1_799_000_000..=1_800_000_000).contains(&budget.left_ps), "{}", budget.left_ps);
    }
}
