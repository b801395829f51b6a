//! What a run may use, and how much it has used: looked at on ticks only.

use crate::error::Stop;
use crate::ticker::TICK;
use dayfly_sys::thread::cpu_ns;
use std::fmt;
use std::time::{Duration, Instant};
use wasmtime::UpdateDeadline;

const TICK_NS: u64 = TICK.as_nanos() as u64;
/// A wall deadline is looked at no less often than this.
const LOOK_NS_MAX: u64 = 10_000_000;
/// Part of a tick that an inline run may end early: better than to hold the thread for another whole tick.
const INLINE_SLACK_NS: u64 = TICK_NS / 8;

/// Where a request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// On the I/O thread, on a short budget.
    Inline,
    /// On a thread of its own, under the tenant's full limits.
    Overflow,
    /// As `Overflow`, and hostcalls that block may block there.
    Blocking,
}

impl Lane {
    /// All lanes, in the order of their counters.
    pub const ALL: [Lane; 3] = [Lane::Inline, Lane::Overflow, Lane::Blocking];

    /// The fixed name, as in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Inline => "inline",
            Lane::Overflow => "overflow",
            Lane::Blocking => "blocking",
        }
    }
}

/// What one run may use.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Where it runs.
    pub lane: Lane,
    /// CPU time in nanoseconds.
    pub cpu_ns_max: u64,
    /// When an answer is of no use any more.
    pub wall_deadline: Option<Instant>,
}

/// An error value that carries a [`Stop`] through the engine.
#[derive(Debug)]
pub(crate) struct Halt(pub(crate) Stop);

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Halt {}

/// One run's account.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) allowance: Allowance,
    /// The thread's CPU time when the run began, or, inline, at the first tick: a short run reads no clock at all, and a
    /// thread that was not running is not charged.
    start_ns: Option<u64>,
    /// A hostcall has blocked.
    pub(crate) blocked: bool,
}

impl Meter {
    pub(crate) fn start(allowance: Allowance) -> Meter {
        let start_ns = (allowance.lane != Lane::Inline).then(cpu_ns);
        Meter { allowance, start_ns, blocked: false }
    }

    /// CPU time of the run so far; 0 if nobody has looked yet.
    pub(crate) fn used_ns(&self) -> u64 {
        self.start_ns.map_or(0, |start| cpu_ns().saturating_sub(start))
    }

    /// Called on a tick: stops the run, or says after how many ticks to look again. CPU time cannot run ahead of wall
    /// time, so that is after as many as there is CPU time left.
    pub(crate) fn check(&mut self) -> Result<UpdateDeadline, Halt> {
        let now = cpu_ns();
        let used = now.saturating_sub(*self.start_ns.get_or_insert(now));
        let left = self.allowance.cpu_ns_max.saturating_sub(used);
        let slack = if self.allowance.lane == Lane::Inline { INLINE_SLACK_NS } else { 0 };
        if left <= slack {
            return Err(Halt(Stop::Cpu));
        }
        let wall_left = self.wall_left();
        if wall_left.is_zero() {
            return Err(Halt(Stop::Wall));
        }
        let ticks = left.min(LOOK_NS_MAX).min(wall_left.as_nanos() as u64) / TICK_NS;
        Ok(UpdateDeadline::Continue(ticks.max(1)))
    }

    /// Time until the wall deadline.
    pub(crate) fn wall_left(&self) -> Duration {
        let deadline = self.allowance.wall_deadline;
        deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_left_stops_the_run() {
        let mut meter = Meter::start(Allowance { lane: Lane::Overflow, cpu_ns_max: 0, wall_deadline: None });
        assert_eq!(meter.check().err().map(|halt| halt.0), Some(Stop::Cpu));
        let passed = Allowance { lane: Lane::Overflow, cpu_ns_max: u64::MAX, wall_deadline: Some(Instant::now()) };
        assert_eq!(Meter::start(passed).check().err().map(|halt| halt.0), Some(Stop::Wall));
    }

    #[test]
    fn an_inline_run_is_first_metered_on_its_first_tick() {
        let mut meter = Meter::start(Allowance { lane: Lane::Inline, cpu_ns_max: 1_000_000_000, wall_deadline: None });
        assert_eq!(meter.used_ns(), 0);
        assert!(matches!(meter.check(), Ok(UpdateDeadline::Continue(10))));
        assert!(meter.start_ns.is_some());
    }
}
