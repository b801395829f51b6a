//! Random inputs that a seed gives back.

/// `splitmix64`: tiny, and good enough to choose inputs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Calls `check` with one seed after the other, `DAYFLY_CASES` times (or `default`), from `DAYFLY_SEED` (or 0) on. A
/// failure names the seed, so that the case can be run alone.
pub(crate) fn for_each_seed(default: u64, mut check: impl FnMut(u64)) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let first = number("DAYFLY_SEED", 0);
    for seed in first..first + number("DAYFLY_CASES", default) {
        let case = std::panic::AssertUnwindSafe(|| check(seed));
        if let Err(panic) = std::panic::catch_unwind(case) {
            eprintln!("failed with DAYFLY_SEED={seed} DAYFLY_CASES=1");
            std::panic::resume_unwind(panic);
        }
    }
}
