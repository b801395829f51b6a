//! Whether a thread with nothing to do polls on or sleeps.
//!
//! Falling asleep and waking up costs some 28 µs of CPU time on a virtual CPU, a request 4 µs, an empty poll 0.1 µs. A fast
//! server runs dry between two requests of few connections, sleeps each time, and is then slower than a slow one. Polling on for
//! as long as a wake-up costs never loses more than that once, and only while pauses have been short lately.

use std::time::Duration;

/// What a wake-up costs, and so how long polling on may last.
const WAKE_UP_NS: u64 = 30_000;
/// Longer pauses count as this long, so that one of them ends the polling at once and some ten short ones begin it again.
const PAUSE_NS_MAX: u64 = 1_000_000;

/// How an I/O thread waits when it has nothing to do. Wrong where other programs need its core: choose `Off` there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// Polls on for up to 30 µs while recent pauses were shorter than that, else sleeps at once.
    #[default]
    Auto,
    /// Always polls on for so long before it sleeps. Zero: always sleeps at once.
    For(Duration),
}

/// Pauses of late.
#[derive(Debug)]
pub(crate) struct Pauses {
    spin: Spin,
    /// Moving average in nanoseconds, an eighth of it renewed with each pause.
    average_ns: u64,
}

impl Pauses {
    pub(crate) fn new(spin: Spin) -> Pauses {
        Pauses { spin, average_ns: PAUSE_NS_MAX }
    }

    /// How long to poll before sleeping; None for not at all.
    pub(crate) fn polling_time(&self) -> Option<Duration> {
        match self.spin {
            Spin::For(time) => (!time.is_zero()).then_some(time),
            Spin::Auto => (self.average_ns < WAKE_UP_NS).then_some(Duration::from_nanos(WAKE_UP_NS)),
        }
    }

    /// Does it matter how long pauses are?
    pub(crate) fn learns(&self) -> bool {
        self.spin == Spin::Auto
    }

    /// A pause that ended while polling.
    pub(crate) fn polled(&mut self, time: Duration) {
        self.note(time.as_nanos() as u64);
    }

    /// A pause that ended in sleep, with the polling before it. The wake-up itself is no part of it.
    pub(crate) fn slept(&mut self, time: Duration) {
        self.note((time.as_nanos() as u64).saturating_sub(WAKE_UP_NS));
    }

    fn note(&mut self, pause_ns: u64) {
        self.average_ns = self.average_ns - self.average_ns / 8 + pause_ns.min(PAUSE_NS_MAX) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(10);
    const LONG: Duration = Duration::from_secs(1);

    #[test]
    fn short_pauses_begin_the_polling_and_one_long_pause_ends_it() {
        let mut pauses = Pauses::new(Spin::Auto);
        assert_eq!(pauses.polling_time(), None);

        for _ in 0..40 {
            pauses.slept(SHORT + Duration::from_nanos(WAKE_UP_NS));
        }
        assert_eq!(pauses.polling_time(), Some(Duration::from_micros(30)));

        pauses.slept(LONG);
        assert_eq!(pauses.polling_time(), None);
    }

    #[test]
    fn pauses_a_little_longer_than_a_wake_up_end_the_polling() {
        let wake_up = Duration::from_nanos(WAKE_UP_NS);
        for pause_us in [35, 45, 60] {
            let mut pauses = Pauses::new(Spin::Auto);
            (0..100).for_each(|_| pauses.slept(SHORT + wake_up));
            let polled = (0..100).take_while(|_| {
                let polls = pauses.polling_time().is_some();
                pauses.slept(Duration::from_micros(pause_us) + wake_up);
                polls
            });
            assert!(polled.count() <= 16, "{pause_us} us");
        }
    }

    #[test]
    fn a_fixed_time_does_not_learn() {
        let mut pauses = Pauses::new(Spin::For(SHORT));
        pauses.slept(LONG);
        assert_eq!(pauses.polling_time(), Some(SHORT));
        assert_eq!(Pauses::new(Spin::For(Duration::ZERO)).polling_time(), None);
    }
}
