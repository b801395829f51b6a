//! Which lane a request starts in, judged by what its tenant did before. Pure: the time is an argument.
//!
//! ```text
//!                 heat < 0.5, and trusted or waste allowed
//!   request ───┬──────────────────────────────────────────▶ inline ──▶ ended in time: a good run
//!              │ else                                          └────▶ overran: heat + 1, waste paid, run again
//!              └─▶ overflow or blocking lane ──▶ its CPU time comes back: slow heats, fast cools
//! ```
//! So a tenant that is slow for long is never tried on the I/O thread, and one that became fast comes back after a
//! few fast requests in the overflow lane, or by cooling. A tenant that is always fast costs two comparisons here
//! and no look at a clock.
//!
//! Runs a little shorter than the budget never overrun, and 64 connections that ask for them one after the other
//! would still keep everybody else waiting (a neighbour's rate fell from 19,000/s to 110/s). The tick finds them out: a
//! run of half a millisecond is met by every second tick, one of a microsecond by one in a thousand. Beside other
//! tenants, such runs may take a tenth of the thread; whose run is met beyond that starts in the overflow lane.

use crate::budget::Budget;
use std::time::{Duration, Instant};

/// CPU time that a run on an I/O thread may take before it is thrown away and done again in the overflow lane. With
/// a tick of 1 ms the neighbours wait 1 to 2 ms; a budget and tick of 250 µs gained nothing measurable.
pub const INLINE_CPU_NS_MAX: u64 = 1_000_000;

/// One overrun keeps a tenant off the I/O thread for about this long.
const HEAT_HALF_LIFE: Duration = Duration::from_secs(1);
/// Heat does not rise beyond this: about four half-lives of silence bring anybody back below `HEAT_ADMITTED`.
const HEAT_MAX: f32 = 8.0;
/// Below this a tenant may run inline: one overrun is forgiven after one half-life.
const HEAT_ADMITTED: f32 = 0.5;
/// Heat below this is taken for none, so that a cooled tenant needs no clock again.
const HEAT_NONE: f32 = 0.05;
/// A request in the overflow lane that took no longer was a fast one. An eighth of the inline budget: what is slower
/// does not count against its tenant, nor for it.
const FAST_CPU_NS_MAX: u64 = INLINE_CPU_NS_MAX / 8;
/// What a fast request in the overflow lane leaves of the heat: 3 of them bring 1.0 below `HEAT_ADMITTED`, 10 bring
/// `HEAT_MAX` there.
const HEAT_KEPT_BY_FAST: f32 = 0.75;
/// An I/O thread spends at most so much of each second on runs that turn out too long: 2 %.
const WASTE_PER_SECOND: Duration = Duration::from_millis(20);
/// Most waste that can be saved up: about five overruns in a row, by tenants never seen before.
const WASTE_BURST: Duration = Duration::from_millis(10);
/// What each run stands for that was met by a tick: the time between ticks.
const MET_BY_TICK: Duration = Duration::from_millis(1);
/// A run that was met after so many others that were not is a short one met by chance: fewer than ten runs between two
/// ticks are longer than 100 µs each.
const CHANCE_RUNS: u32 = 10;
/// An I/O thread spends at most so much of each second on runs that are met by ticks, while several tenants use it.
const BUSY_PER_SECOND: Duration = Duration::from_millis(100);
/// Most of it that can be saved up, and so how long one tenant's burst keeps the others waiting.
const BUSY_BURST: Duration = Duration::from_millis(5);
/// So many good runs in a row make a tenant trusted: it runs inline though the thread has no waste allowance left.
const GOOD_RUNS_TRUSTED: u32 = 16;

/// Where a request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// On the I/O thread.
    Inline,
    /// In the overflow lane.
    Overflow,
    /// In the lane for blocking hostcalls.
    Blocking,
}

/// What one I/O thread knows of one tenant.
#[derive(Clone, Debug)]
pub struct Habit {
    heat: f32,
    heat_at: Option<Instant>,
    good_runs: u32,
    /// `good_runs` when a tick last met one.
    met_at: u32,
    blocks: bool,
}

impl Habit {
    /// Nothing is known yet.
    pub const NEW: Habit = Habit { heat: 0.0, heat_at: None, good_runs: 0, met_at: 0, blocks: false };

    /// Whether enough good runs in a row were seen, and no trouble since.
    pub fn trusted(&self) -> bool {
        self.good_runs >= GOOD_RUNS_TRUSTED
    }

    /// A run ended inline, in time and with a small hot set.
    pub fn ran_well(&mut self) {
        self.good_runs = self.good_runs.saturating_add(1);
    }

    fn heat_up(&mut self, now: Instant) {
        self.cool_down(now);
        self.heat = (self.heat + 1.0).min(HEAT_MAX);
        self.heat_at = Some(now);
        (self.good_runs, self.met_at) = (0, 0);
    }

    fn cool_down(&mut self, now: Instant) {
        let Some(since) = self.heat_at else { return };
        let half_lives = now.saturating_duration_since(since).as_secs_f32() / HEAT_HALF_LIFE.as_secs_f32();
        self.heat *= (-half_lives).exp2();
        self.heat_at = Some(now);
        if self.heat < HEAT_NONE {
            (self.heat, self.heat_at) = (0.0, None);
        }
    }
}

/// What a run in another lane tells about its tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Feedback {
    /// CPU time of the whole run, nanoseconds.
    pub cpu_ns: u64,
    /// It dirtied many pages: warm there is not warm here, where each of them would fault first.
    pub large_hot_set: bool,
    /// It called a hostcall that blocks.
    pub blocked: bool,
}

/// One I/O thread's judgement.
#[derive(Debug)]
pub struct Placement {
    waste: Budget,
    busy: Budget,
}

impl Placement {
    /// Starts with the whole burst of waste allowed.
    pub fn new(now: Instant) -> Placement {
        Placement {
            waste: Budget::new(WASTE_PER_SECOND, WASTE_BURST, now),
            busy: Budget::new(BUSY_PER_SECOND, BUSY_BURST, now),
        }
    }

    /// Where the tenant's next request starts. The clock is read only for tenants that are not above doubt.
    pub fn start(&mut self, habit: &mut Habit, now: impl FnOnce() -> Instant) -> Start {
        if habit.heat == 0.0 && habit.trusted() {
            return Start::Inline;
        }
        let now = now();
        habit.cool_down(now);
        if habit.heat < HEAT_ADMITTED && (habit.trusted() || self.waste.allows(now)) {
            Start::Inline
        } else if habit.blocks {
            Start::Blocking
        } else {
            Start::Overflow
        }
    }

    /// A run on the I/O thread was thrown away after `wasted`, since its time was up.
    pub fn overran(&mut self, habit: &mut Habit, wasted: Duration, now: Instant) {
        self.waste.spend(wasted, now);
        habit.heat_up(now);
    }

    /// A run on the I/O thread was thrown away at a hostcall that blocks, after `wasted`.
    pub fn blocked(&mut self, habit: &mut Habit, wasted: Duration, now: Instant) {
        self.overran(habit, wasted, now);
        habit.blocks = true;
    }

    /// A run ended inline in time, and a tick had met it on the way. `alone`: no other tenant uses the thread, so
    /// nobody was kept waiting.
    pub fn met_by_tick(&mut self, habit: &mut Habit, alone: bool, now: Instant) {
        let runs = habit.good_runs.saturating_sub(habit.met_at);
        habit.met_at = habit.good_runs;
        if alone || runs >= CHANCE_RUNS {
            return;
        }
        if self.busy.allows(now) {
            self.busy.spend(MET_BY_TICK, now);
        } else {
            habit.heat_up(now);
        }
    }

    /// A run ended inline in time but dirtied many pages: restoring them, or faulting on each again, is slow.
    pub fn ran_large(&self, habit: &mut Habit, now: Instant) {
        habit.heat_up(now);
    }

    /// Another lane has measured a request of the tenant: that tells without risk whether it may come back.
    pub fn learn(&self, habit: &mut Habit, feedback: Feedback, now: Instant) {
        habit.blocks = feedback.blocked;
        if feedback.blocked || feedback.large_hot_set || feedback.cpu_ns > INLINE_CPU_NS_MAX {
            habit.heat_up(now);
        } else if feedback.cpu_ns <= FAST_CPU_NS_MAX {
            habit.heat *= HEAT_KEPT_BY_FAST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SLOW: Feedback = Feedback { cpu_ns: 5_000_000, large_hot_set: false, blocked: false };
    const FAST: Feedback = Feedback { cpu_ns: 100_000, large_hot_set: false, blocked: false };

    fn trusted() -> Habit {
        let mut habit = Habit::NEW;
        (0..GOOD_RUNS_TRUSTED).for_each(|_| habit.ran_well());
        habit
    }

    #[test]
    fn a_trusted_tenant_needs_no_clock() {
        let mut placement = Placement::new(Instant::now());
        let start = placement.start(&mut trusted(), || panic!("clock read"));
        assert_eq!(start, Start::Inline);
    }

    #[test]
    fn one_overrun_bars_for_a_half_life() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.overran(&mut habit, 2 * MS, t0);
        assert_eq!(placement.start(&mut habit, || t0 + 900 * MS), Start::Overflow);
        assert_eq!(placement.start(&mut habit, || t0 + 1100 * MS), Start::Inline);
    }

    #[test]
    fn heat_has_a_cap() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), Habit::NEW);
        (0..1000).for_each(|_| placement.learn(&mut habit, SLOW, t0));
        assert_eq!(placement.start(&mut habit, || t0 + 3900 * MS), Start::Overflow);
        assert_eq!(placement.start(&mut habit, || t0 + 4100 * MS), Start::Inline);
    }

    #[test]
    fn looking_often_does_not_change_the_half_life() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.overran(&mut habit, 2 * MS, t0);
        let inline_at = (0..2000).find(|&ms| placement.start(&mut habit, || t0 + ms * MS) == Start::Inline);
        assert!((999..=1001).contains(&inline_at.expect("it cools")), "{inline_at:?}");
    }

    #[test]
    fn strangers_may_waste_a_burst_and_two_percent() {
        let t0 = Instant::now();
        let mut placement = Placement::new(t0);
        let overruns = |placement: &mut Placement, now: Instant| {
            (0..1000)
                .take_while(|_| {
                    let mut stranger = Habit::NEW;
                    let inline = placement.start(&mut stranger, || now) == Start::Inline;
                    placement.overran(&mut stranger, if inline { 2 * MS } else { Duration::ZERO }, now);
                    inline
                })
                .count()
        };
        assert_eq!(overruns(&mut placement, t0), 5);
        assert_eq!(
            overruns(&mut placement, t0 + 99 * MS),
            1,
            "2 % of 99 ms is not quite one overrun, which is still let in"
        );
        assert_eq!(overruns(&mut placement, t0 + 10_000 * MS), 5, "no more than the burst is saved up");
    }

    #[test]
    fn without_allowance_only_the_trusted_run_inline() {
        let t0 = Instant::now();
        let mut placement = Placement::new(t0);
        let mut stranger = Habit::NEW;
        placement.overran(&mut stranger, 50 * MS, t0);
        let mut stranger = Habit::NEW;
        assert_eq!(placement.start(&mut stranger, || t0), Start::Overflow);
        assert_eq!(placement.start(&mut trusted(), || t0), Start::Inline);
    }

    #[test]
    fn a_tenant_that_became_fast_comes_back_in_ten_requests() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), Habit::NEW);
        (0..100).for_each(|_| placement.learn(&mut habit, SLOW, t0));
        let needed = (0..100)
            .take_while(|_| {
                placement.learn(&mut habit, FAST, t0);
                placement.start(&mut habit, || t0) != Start::Inline
            })
            .count();
        assert!((3..=10).contains(&needed), "{needed}");
    }

    #[test]
    fn a_tenant_that_stays_slow_never_comes_back() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.overran(&mut habit, 2 * MS, t0);
        for ms in (0..60_000).step_by(50) {
            assert_eq!(placement.start(&mut habit, || t0 + ms * MS), Start::Overflow);
            placement.learn(&mut habit, SLOW, t0 + ms * MS);
        }
    }

    /// Serves requests that take so long each for a second, back to back; returns the share that ran inline.
    fn inline_share(run: Duration, alone: bool) -> f64 {
        let mut now = Instant::now();
        let (mut placement, mut habit, end) = (Placement::new(now), trusted(), now + 1000 * MS);
        let (mut inline, mut tick) = (Duration::ZERO, now + MS);
        while now < end {
            if placement.start(&mut habit, || now) == Start::Inline {
                inline += run;
                habit.ran_well();
                if tick <= now + run {
                    placement.met_by_tick(&mut habit, alone, now + run);
                }
            } else {
                placement.learn(&mut habit, Feedback { cpu_ns: run.as_nanos() as u64, ..FAST }, now + run);
            }
            now += run;
            while tick <= now {
                tick += MS;
            }
        }
        inline.as_secs_f64()
    }

    #[test]
    fn runs_just_below_the_budget_get_a_tenth_of_the_thread_beside_others() {
        for run in [Duration::from_micros(950), Duration::from_micros(500), Duration::from_micros(200)] {
            let share = inline_share(run, false);
            assert!(share < 0.15, "{run:?}: {share}");
        }
    }

    #[test]
    fn alone_they_run_inline_all_the_time() {
        assert!(inline_share(Duration::from_micros(950), true) > 0.99);
    }

    #[test]
    fn short_runs_that_ticks_meet_by_chance_stay_inline() {
        for run in [Duration::from_nanos(330), Duration::from_micros(3), Duration::from_micros(17)] {
            let share = inline_share(run, false);
            assert!(share > 0.99, "{run:?}: {share}");
        }
    }

    #[test]
    fn a_large_hot_set_counts_as_slow() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.ran_large(&mut habit, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
        (0..10).for_each(|_| placement.learn(&mut habit, Feedback { large_hot_set: true, ..FAST }, t0));
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
    }

    #[test]
    fn a_tenant_that_blocks_starts_in_the_lane_for_that() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.blocked(&mut habit, Duration::ZERO, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Blocking);
        placement.learn(&mut habit, SLOW, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
    }
}
