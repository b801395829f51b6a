//! What one I/O thread knows of the tenants that it serves: where their requests start, and what a run taught it.

use crate::error::Stop;
use crate::placement::{Feedback, Habit, INLINE_CPU_NS_MAX, Placement, Start};
use crate::sandbox::{Allowance, Lane, Sandbox};
use crate::stats::ThreadCounters;
use crate::tenant::Tenant;
use crate::ticker::{CALM_TICK, Ticks};
use dayfly_sys::thread::cpu_ns;
use std::time::{Duration, Instant};

/// What a run on the I/O thread may use. No deadline: its budget ends long before any.
pub const INLINE: Allowance = Allowance { lane: Lane::Inline, cpu_ns_max: INLINE_CPU_NS_MAX, wall_deadline: None };

/// One run in so many is timed on the CPU clock, and counts for all: two looks cost 300 ns, 5 ns a run.
const SAMPLE_EVERY: u32 = 64;

/// A thread that served several tenants within this time is shared.
const COMPANY_KEPT: Duration = Duration::from_secs(1);

/// One I/O thread's knowledge.
#[derive(Debug)]
pub struct Lanes {
    placement: Placement,
    habits: Vec<(u64, Habit)>,
    runs: u32,
    /// One look at the clock serves all requests of a turn: a run that nobody timed began after it.
    turn_began: Instant,
    /// A look at them costs next to nothing: how long the turn is looked at between any two requests.
    ticks: Ticks,
    turn_began_ticks: Duration,
    company: Company,
}

/// How a run on the I/O thread ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'r> {
    /// With a reply, or why not.
    pub result: &'r Result<(), Stop>,
    /// Pages of its hot set, which are restored after it.
    pub hot_pages: usize,
    /// They are few.
    pub restores_quickly: bool,
    /// CPU time from the first tick that found it running to its end, nanoseconds; 0 if none did.
    pub metered_ns: u64,
}

impl<'r> Ended<'r> {
    /// The last run of this sandbox, which ended with this result.
    pub fn of(result: &'r Result<(), Stop>, sandbox: &Sandbox) -> Ended<'r> {
        // The CPU clock is read only if a tick had begun to meter the run.
        Ended {
            result,
            hot_pages: sandbox.hot_pages(),
            restores_quickly: sandbox.restores_quickly(),
            metered_ns: sandbox.cpu_ns(),
        }
    }
}

impl Ended<'_> {
    /// Estimates its CPU time: before the first tick that met it lies half the time between ticks on average, and that is
    /// the longer one after a tick that met nobody.
    fn cpu_ns(&self, wall: Duration) -> u64 {
        match self.metered_ns {
            0 => wall.min(CALM_TICK).as_nanos() as u64,
            metered_ns => metered_ns + CALM_TICK.as_nanos() as u64 / 2,
        }
    }
}

/// A run on the I/O thread, timed if there is doubt.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// For tenants that are not trusted: what is wasted must be known. Of others it is known to be no more than has
    /// passed of the turn.
    began: Option<Instant>,
    /// For samples.
    began_ns: Option<u64>,
    /// Time of the ticks before it. That of those since then is all that it has cost the thread, not only what the guest ran.
    began_ticks: Duration,
}

/// What became of a run on the I/O thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ended here, well or not. What a sample took counts for all runs since the last one; other runs give zeros.
    Ended {
        /// Estimated CPU time, nanoseconds.
        cpu_ns: u64,
        /// Estimated pages restored.
        restored_pages: u64,
    },
    /// It was thrown away, and is run again in this lane.
    Again {
        /// Where.
        lane: Lane,
        /// Estimated CPU time that was wasted, nanoseconds.
        cpu_ns: u64,
    },
}

impl Lanes {
    /// Nothing is known yet.
    pub(crate) fn new(now: Instant, ticks: Ticks) -> Lanes {
        Lanes {
            placement: Placement::new(now),
            habits: Vec::new(),
            runs: 0,
            turn_began: now,
            turn_began_ticks: ticks.time(),
            ticks,
            company: Company::new(now),
        }
    }

    /// The thread has waited and goes to work.
    pub fn begin_turn(&mut self, now: Instant) {
        self.turn_began = now;
        self.turn_began_ticks = self.ticks.time();
    }

    /// The thread has worked for a while, up to the time between two ticks, and should see what has come meanwhile.
    pub fn turn_is_over(&self) -> bool {
        self.ticks.time() != self.turn_began_ticks
    }

    /// The thread goes to see what has come. The clock is read only after a turn that was long.
    pub fn end_turn(&self, counters: &ThreadCounters) {
        if self.turn_is_over() {
            counters.longest_stall_ns.raise_to(self.turn_began.elapsed().as_nanos() as u64);
        }
    }

    /// Where a request of the tenant starts; reads a clock only if there is doubt about the tenant.
    pub fn start(&mut self, tenant: &Tenant) -> Lane {
        self.company.serve(tenant.key);
        let (placement, habit) = self.parts(tenant);
        match placement.start(habit, Instant::now) {
            Start::Inline => Lane::Inline,
            Start::Overflow => Lane::Overflow,
            Start::Blocking => Lane::Blocking,
        }
    }

    /// A run on this thread begins: before its sandbox is made or taken.
    pub fn begin(&mut self, tenant: &Tenant) -> Trial {
        self.runs = self.runs.wrapping_add(1);
        let sampled = self.runs.is_multiple_of(SAMPLE_EVERY);
        let began_ticks = self.ticks.time();
        let (_, habit) = self.parts(tenant);
        Trial { began: (!habit.trusted()).then(Instant::now), began_ns: sampled.then(cpu_ns), began_ticks }
    }

    /// A run on this thread has ended, and its sandbox is restored or dropped: judges it, learns from it and counts it.
    pub fn judge(&mut self, tenant: &Tenant, trial: Trial, ended: Ended<'_>, counters: &ThreadCounters) -> Verdict {
        let turn_began = self.turn_began;
        let met = self.ticks.time().saturating_sub(trial.began_ticks);
        let alone = !met.is_zero() && self.company.alone(Instant::now());
        let (placement, habit) = self.parts(tenant);
        let (lane, count) = match ended.result {
            Err(Stop::Cpu) => (Lane::Overflow, &counters.overruns),
            Err(Stop::Blocks) => (Lane::Blocking, &counters.blocked),
            _ => {
                if ended.restores_quickly {
                    // A failure costs the thread a new slot, so it never makes a tenant trusted.
                    if ended.result.is_ok() {
                        habit.ran_well();
                    }
                    if !met.is_zero() && !alone {
                        placement.met_by_ticks(habit, met, Instant::now());
                    }
                } else {
                    placement.ran_large(habit, Instant::now());
                }
                return match trial.began_ns {
                    None => Verdict::Ended { cpu_ns: 0, restored_pages: 0 },
                    Some(began_ns) => Verdict::Ended {
                        cpu_ns: (cpu_ns() - began_ns) * SAMPLE_EVERY as u64,
                        restored_pages: ended.hot_pages as u64 * SAMPLE_EVERY as u64,
                    },
                };
            }
        };
        let now = Instant::now();
        let wasted = now.saturating_duration_since(trial.began.unwrap_or(turn_began));
        match lane {
            Lane::Blocking => placement.blocked(habit, wasted, now),
            _ => placement.overran(habit, wasted, now),
        }
        count.add(1);
        counters.wasted_ns.add(wasted.as_nanos() as u64);
        counters.longest_stall_ns.raise_to(wasted.as_nanos() as u64);
        counters.longest_stall_cpu_ns.raise_to(ended.metered_ns);
        Verdict::Again { lane, cpu_ns: ended.cpu_ns(wasted) }
    }

    /// Another lane has run a request of the tenant.
    pub fn learn(&mut self, tenant: &Tenant, feedback: Feedback) {
        let now = Instant::now();
        let alone = self.company.alone(now);
        let (placement, habit) = self.parts(tenant);
        placement.learn(habit, feedback, alone, now);
    }

    /// What is known of the tenant; nothing, if its index belonged to another one before.
    fn parts(&mut self, tenant: &Tenant) -> (&mut Placement, &mut Habit) {
        if tenant.index >= self.habits.len() {
            self.habits.resize(tenant.index + 1, (u64::MAX, Habit::NEW));
        }
        let (key, habit) = &mut self.habits[tenant.index];
        if *key != tenant.key {
            (*key, *habit) = (tenant.key, Habit::NEW);
        }
        (&mut self.placement, habit)
    }
}

/// Whether several tenants use the thread: counted at each request, dated only when somebody asks.
#[derive(Debug)]
struct Company {
    last_key: u64,
    changes: u64,
    changes_noted: u64,
    noted_at: Instant,
}

impl Company {
    fn new(now: Instant) -> Company {
        Company { last_key: 0, changes: 0, changes_noted: 0, noted_at: now }
    }

    fn serve(&mut self, key: u64) {
        if self.last_key != key {
            self.last_key = key;
            self.changes += 1;
        }
    }

    /// Whether only one tenant was served for a while.
    fn alone(&mut self, now: Instant) -> bool {
        if self.changes != self.changes_noted {
            (self.changes_noted, self.noted_at) = (self.changes, now);
        }
        now.saturating_duration_since(self.noted_at) > COMPANY_KEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lanes: &mut Lanes, tenant: &Tenant, ended: &Result<(), Stop>, counters: &ThreadCounters) -> Verdict {
        let trial = lanes.begin(tenant);
        let ended = Ended { result: ended, hot_pages: 3, restores_quickly: true, metered_ns: 0 };
        lanes.judge(tenant, trial, ended, counters)
    }

    #[test]
    fn an_overrun_goes_on_in_the_overflow_lane_and_the_next_starts_there() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        let tenant = Tenant::new("slow", 7, 3, 1);
        assert_eq!(lanes.start(&tenant), Lane::Inline);
        let verdict = judged(&mut lanes, &tenant, &Err(Stop::Cpu), &counters);
        assert!(matches!(verdict, Verdict::Again { lane: Lane::Overflow, .. }), "{verdict:?}");
        assert_eq!(lanes.start(&tenant), Lane::Overflow);
        assert_eq!(counters.overruns.get(), 1);
        assert!(counters.longest_stall_ns.get() > 0);
    }

    #[test]
    fn a_run_that_would_block_goes_on_in_the_lane_for_that() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        let tenant = Tenant::new("sleeper", 7, 0, 1);
        let verdict = judged(&mut lanes, &tenant, &Err(Stop::Blocks), &counters);
        assert!(matches!(verdict, Verdict::Again { lane: Lane::Blocking, .. }), "{verdict:?}");
        assert_eq!(lanes.start(&tenant), Lane::Blocking);
    }

    #[test]
    fn a_failure_in_time_is_no_overrun() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        let tenant = Tenant::new("trap", 7, 0, 1);
        for ended in [Ok(()), Err(Stop::Trap(String::new())), Err(Stop::Memory(String::new()))] {
            assert!(matches!(judged(&mut lanes, &tenant, &ended, &counters), Verdict::Ended { .. }));
        }
        assert_eq!(lanes.start(&tenant), Lane::Inline);
    }

    #[test]
    fn failures_never_make_a_tenant_trusted() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        let tenant = Tenant::new("trap", 7, 0, 1);
        for (ended, trusted) in [(Err(Stop::Trap(String::new())), false), (Ok(()), true)] {
            (0..100).for_each(|_| {
                judged(&mut lanes, &tenant, &ended, &counters);
            });
            assert_eq!(lanes.parts(&tenant).1.trusted(), trusted);
        }
    }

    #[test]
    fn ticks_count_whatever_the_time_went_to() {
        let ticks = Ticks::default();
        let (mut lanes, counters) = (Lanes::new(Instant::now(), ticks.clone()), ThreadCounters::default());
        let tenant = Tenant::new("large replies", 7, 0, 1);
        // Somebody else uses the thread, too.
        lanes.start(&Tenant::new("other", 8, 1, 1));
        for _ in 0..20 {
            assert_eq!(lanes.start(&tenant), Lane::Inline);
            judged(&mut lanes, &tenant, &Ok(()), &counters);
        }
        // The guest was not metered: its slot took long to make, or its reply to read.
        let trial = lanes.begin(&tenant);
        (0..40).for_each(|_| ticks.add(CALM_TICK));
        let ended = Ended { result: &Ok(()), hot_pages: 3, restores_quickly: true, metered_ns: 0 };
        lanes.judge(&tenant, trial, ended, &counters);
        assert_eq!(lanes.start(&tenant), Lane::Overflow);
    }

    #[test]
    fn nothing_is_held_against_the_next_tenant_with_an_index() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        judged(&mut lanes, &Tenant::new("slow", 7, 0, 1), &Err(Stop::Cpu), &counters);
        assert_eq!(lanes.start(&Tenant::new("other", 8, 0, 1)), Lane::Inline);
    }

    #[test]
    fn tenants_in_company_are_not_alone_for_a_while() {
        let now = Instant::now();
        let mut company = Company::new(now);
        let later = |ms: u64| now + Duration::from_millis(ms);
        company.serve(1);
        assert!(!company.alone(later(0)));
        assert!(company.alone(later(1500)));
        (1..=2).for_each(|key| company.serve(key));
        (0..100).for_each(|_| company.serve(1));
        assert!(!company.alone(later(1600)));
        assert!(!company.alone(later(2500)));
        assert!(company.alone(later(2700)));
    }

    #[test]
    fn costs_are_estimated_from_samples() {
        let (mut lanes, counters) = (Lanes::new(Instant::now(), Ticks::default()), ThreadCounters::default());
        let tenant = Tenant::new("a", 7, 0, 1);
        let samples = (0..10 * SAMPLE_EVERY)
            .filter(|_| match judged(&mut lanes, &tenant, &Ok(()), &counters) {
                Verdict::Ended { restored_pages, .. } => restored_pages == 3 * u64::from(SAMPLE_EVERY),
                Verdict::Again { .. } => false,
            })
            .count();
        assert_eq!(samples, 10, "one in {SAMPLE_EVERY}");
    }

    #[test]
    fn a_turn_is_over_at_the_next_tick() {
        let (ticks, counters) = (Ticks::default(), ThreadCounters::default());
        let mut lanes = Lanes::new(Instant::now(), ticks.clone());
        lanes.end_turn(&counters);
        assert_eq!((lanes.turn_is_over(), counters.longest_stall_ns.get()), (false, 0));
        ticks.add(CALM_TICK);
        assert!(lanes.turn_is_over());
        lanes.end_turn(&counters);
        assert!(counters.longest_stall_ns.get() > 0);
        lanes.begin_turn(Instant::now());
        assert!(!lanes.turn_is_over());
    }
}
