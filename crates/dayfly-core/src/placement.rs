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
//! Runs that end in time are no harm one by one, but 64 connections that ask for them one after the other would still
//! keep everybody else waiting (a neighbour's rate fell from 19,000/s to 8/s). The tick finds them out: who happens to
//! run at one pays for it, which is right on average. What a tenant's runs take beyond 50 µs each comes out of 5 % of
//! the thread, as long as others are served there too; who has used that up starts in the overflow lane, and pays there
//! as it would here, until it takes less.

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
/// What a fast request in the overflow lane leaves of the heat: 3 of them bring 1.0 below `HEAT_ADMITTED`, 10 bring
/// `HEAT_MAX` there.
const HEAT_KEPT_BY_FAST: f32 = 0.75;
/// An I/O thread spends at most so much of each second on runs that turn out too long: 2 %.
const WASTE_PER_SECOND: Duration = Duration::from_millis(20);
/// Most waste that can be saved up: about five overruns in a row, by tenants never seen before.
const WASTE_BURST: Duration = Duration::from_millis(10);
/// So many good runs in a row make a tenant trusted: it runs inline though the thread has no waste allowance left.
const GOOD_RUNS_TRUSTED: u32 = 16;

/// A run may take so long for nothing: some ten times what receiving and answering its request costs, so that turns
/// between the clients are all the fairness that shorter runs need.
const RUN_SHORT: Duration = Duration::from_micros(50);
/// What the runs of one tenant may take beyond that of each second of a thread that others need too: 5 %. Less than the
/// overflow lane gets beside busy I/O threads, or a tenant would come back to here from there again and again.
const LONG_PER_SECOND: Duration = Duration::from_millis(50);
/// Most of it that can be saved up: so long the others get their turns between those of one tenant's clients.
const LONG_BURST: Duration = Duration::from_millis(10);

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
    blocks: bool,
    /// Runs since the last charge.
    runs: u32,
    /// For runs that are not short; none until the first charge.
    long: Option<Budget>,
}

impl Habit {
    /// Nothing is known yet.
    pub const NEW: Habit = Habit { heat: 0.0, heat_at: None, good_runs: 0, blocks: false, runs: 0, long: None };

    /// Whether enough good runs in a row were seen, and no trouble since.
    pub fn trusted(&self) -> bool {
        self.good_runs >= GOOD_RUNS_TRUSTED
    }

    /// A run ended inline, in time and with a small hot set.
    pub fn ran_well(&mut self) {
        self.good_runs = self.good_runs.saturating_add(1);
        self.runs = self.runs.saturating_add(1);
    }

    /// Takes CPU time of a thread that others need too. Taking more than the allowance is being slow: false.
    fn pay(&mut self, cpu: Duration, now: Instant) -> bool {
        let long = self.long.get_or_insert_with(|| Budget::new(LONG_PER_SECOND, LONG_BURST, now));
        long.earn(RUN_SHORT.saturating_mul(std::mem::take(&mut self.runs)));
        // Nobody gets deeper into debt than by one charge, so that who is served less comes back soon.
        if long.allows(now) {
            long.spend(cpu, now);
        }
        let within = long.allows(now);
        if !within {
            self.heat_up(now);
        }
        within
    }

    fn heat_up(&mut self, now: Instant) {
        self.cool_down(now);
        self.heat = (self.heat + 1.0).min(HEAT_MAX);
        self.heat_at = Some(now);
        self.good_runs = 0;
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
    /// CPU time of the whole run, nanoseconds; of one whose release had to be loaded, without that and making its slot.
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
}

impl Placement {
    /// Starts with the whole burst of waste allowed.
    pub fn new(now: Instant) -> Placement {
        Placement { waste: Budget::new(WASTE_PER_SECOND, WASTE_BURST, now) }
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

    /// A run that ended inline, in time, was met by ticks on its way, from taking its slot to giving it back, and other
    /// tenants use the thread, too. Each tick stands for the time since the one before: that is as much as all runs
    /// between the two, and any of them may be the one that is met.
    pub fn met_by_ticks(&self, habit: &mut Habit, time: Duration, now: Instant) {
        habit.pay(time, now);
    }

    /// A run ended inline in time but dirtied many pages: restoring them, or faulting on each again, is slow.
    pub fn ran_large(&self, habit: &mut Habit, now: Instant) {
        habit.heat_up(now);
    }

    /// Another lane has measured a request of the tenant: that tells without risk whether it may come back. Unless
    /// it is alone on this thread, it pays as if the run had been here.
    pub fn learn(&self, habit: &mut Habit, feedback: Feedback, alone: bool, now: Instant) {
        habit.blocks = feedback.blocked;
        habit.runs = habit.runs.saturating_add(1);
        if feedback.blocked || feedback.large_hot_set || feedback.cpu_ns > INLINE_CPU_NS_MAX {
            habit.heat_up(now);
        } else if alone || habit.pay(Duration::from_nanos(feedback.cpu_ns), now) {
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
        (0..1000).for_each(|_| placement.learn(&mut habit, SLOW, true, t0));
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
        (0..100).for_each(|_| placement.learn(&mut habit, SLOW, true, t0));
        let needed = (0..100)
            .take_while(|_| {
                placement.learn(&mut habit, FAST, true, t0);
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
            placement.learn(&mut habit, SLOW, true, t0 + ms * MS);
        }
    }

    #[test]
    fn a_large_hot_set_counts_as_slow() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.ran_large(&mut habit, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
        (0..10).for_each(|_| placement.learn(&mut habit, Feedback { large_hot_set: true, ..FAST }, true, t0));
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
    }

    #[test]
    fn a_tenant_that_blocks_starts_in_the_lane_for_that() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        placement.blocked(&mut habit, Duration::ZERO, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Blocking);
        placement.learn(&mut habit, SLOW, true, t0);
        assert_eq!(placement.start(&mut habit, || t0), Start::Overflow);
    }

    /// A tenant that always has a request for the thread, with runs of so many microseconds, beside others; for 60 s with a
    /// tick in so many. Returns the share of them that ran here.
    fn share_inline(run_us: u64, slower_there: u64, tick_us: u64) -> f64 {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        let (mut now_us, mut inline, mut runs) = (0, 0, 0);
        while now_us < 60_000_000 {
            runs += 1;
            let now = |us: u64| t0 + Duration::from_micros(us);
            if placement.start(&mut habit, || now(now_us)) == Start::Inline {
                inline += 1;
                let tick = now_us / tick_us != (now_us + run_us) / tick_us;
                now_us += run_us;
                habit.ran_well();
                if tick {
                    placement.met_by_ticks(&mut habit, Duration::from_micros(tick_us), now(now_us));
                }
            } else {
                now_us += run_us * slower_there;
                let feedback = Feedback { cpu_ns: run_us * 1000, ..FAST };
                placement.learn(&mut habit, feedback, false, now(now_us));
            }
        }
        f64::from(inline) / f64::from(runs)
    }

    #[test]
    fn runs_that_are_long_only_together_move_to_the_overflow_lane() {
        for run_us in [150, 200, 400, 900] {
            for (slower_there, tick_us) in [(1, 1000), (10, 1000), (1, 1500), (10, 1500)] {
                let share = share_inline(run_us, slower_there, tick_us);
                assert!(share < 0.05, "{share} of all runs of {run_us} us, {slower_there} times that there, {tick_us}");
            }
        }
    }

    #[test]
    fn a_run_pays_for_itself_however_far_apart_ticks_are() {
        for tick_us in [1000, 1500] {
            let share = share_inline(70, 1, tick_us);
            assert!(share < 0.05, "{share} of all runs, a tick in {tick_us} us");
        }
    }

    #[test]
    fn short_runs_stay_however_many_there_are() {
        for run_us in [3, 20, 45] {
            for tick_us in [1000, 1500] {
                assert_eq!(share_inline(run_us, 1, tick_us).to_bits(), 1f64.to_bits(), "{run_us} us, {tick_us}");
            }
        }
    }

    #[test]
    fn a_tenant_within_its_allowance_stays_whatever_its_runs_take() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        for ms in (0..60_000).step_by(25) {
            assert_eq!(placement.start(&mut habit, || t0 + ms * MS), Start::Inline);
            habit.ran_well();
            placement.met_by_ticks(&mut habit, MS, t0 + ms * MS);
        }
    }

    #[test]
    fn alone_on_the_thread_it_comes_back() {
        let t0 = Instant::now();
        let (mut placement, mut habit) = (Placement::new(t0), trusted());
        while placement.start(&mut habit, || t0) == Start::Inline {
            placement.met_by_ticks(&mut habit, MS, t0);
        }
        (0..3).for_each(|_| placement.learn(&mut habit, FAST, true, t0));
        assert_eq!(placement.start(&mut habit, || t0), Start::Inline);
    }
}
