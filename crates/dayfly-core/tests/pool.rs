//! A thread's pool: one slot for each release, within a budget, never a used one.

mod support;

use dayfly_core::engine::{EngineOptions, Paranoid};
use dayfly_core::limits::Limits;
use dayfly_core::pool::{Pool, PoolOptions};
use dayfly_core::release::Release;
use std::sync::Arc;
use support::{Bench, PAGE, ask, protections, record};

#[test]
fn a_slot_is_kept_for_its_release() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let (hello, counter) = (bench.release("hello"), bench.release("counter"));
    for _ in 0..50 {
        assert_eq!(ask(&mut pool.take(&hello).expect("a sandbox"), "").as_deref(), Ok(PAGE));
        assert_eq!(ask(&mut pool.take(&counter).expect("a sandbox"), "").as_deref(), Ok("1\n1\n"));
    }
    assert_eq!(pool.slots(), 2);
    drop(pool);
    let counters = bench.engine.counters().snapshot();
    assert_eq!((counters.slots_made, counters.slots, counters.restores), (2, 0, 100));
}

#[test]
fn a_slot_that_is_spent_is_made_anew() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let trap = bench.release("trap");
    for _ in 0..10 {
        ask(&mut pool.take(&trap).expect("a sandbox"), "").expect_err("it traps");
        assert_eq!(pool.slots(), 0);
    }
    let counters = bench.engine.counters().snapshot();
    assert_eq!((counters.discards, counters.restores), (10, 0));
}

#[test]
fn the_least_recently_used_slot_leaves_first() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions { slots_max: 2, ..PoolOptions::default() });
    let releases: Vec<_> = (0..3).map(|_| bench.release("hello")).collect();
    let mut take = |index: usize| {
        drop(pool.take(&releases[index]).expect("a sandbox"));
        (pool.slots(), bench.engine.counters().snapshot().slots_made)
    };
    assert_eq!(take(0), (1, 1));
    assert_eq!(take(1), (2, 2));
    assert_eq!(take(0), (2, 2));
    assert_eq!(take(2), (2, 3), "1 leaves");
    assert_eq!(take(0), (2, 3), "0 has stayed");
    assert_eq!(take(1), (2, 4), "2 leaves");
    assert_eq!(bench.engine.counters().snapshot().evictions, 2);
}

#[test]
fn mappings_and_memory_are_budgeted() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let touch: Vec<_> = (0..4).map(|_| bench.release("touch")).collect();
        let tight = [
            PoolOptions { mappings_max: 30, ..PoolOptions::default() },
            PoolOptions { hot_bytes_max: 8 << 12, ..PoolOptions::default() },
        ];
        for options in tight {
            let mut pool = Pool::new(&bench.engine, options);
            for release in touch.iter().cycle().take(12) {
                ask(&mut pool.take(release).expect("a sandbox"), "10").expect("an answer");
            }
            assert!(pool.slots() < 4, "{protection:?}, {options:?}: {} slots", pool.slots());
        }
    }
}

#[test]
fn a_release_can_be_forgotten() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let (one, other) = (bench.release("hello"), bench.release("hello"));
    drop(pool.take(&one).expect("a sandbox"));
    drop(pool.take(&other).expect("a sandbox"));
    pool.forget(one.id());
    pool.forget(one.id());
    assert_eq!(pool.slots(), 1);
    assert_eq!(Arc::strong_count(&one), 1, "nothing of it is left");
    drop(pool.take(&other).expect("a sandbox"));
    assert_eq!(bench.engine.counters().snapshot().slots_made, 2);
}

#[test]
fn paranoid_checks_come_as_often_as_asked_for() {
    for (paranoid, checks) in
        [(Paranoid::Off, 0), (Paranoid::Every(0), 0), (Paranoid::Every(1), 20), (Paranoid::Every(10), 2)]
    {
        let bench = Bench::with(&EngineOptions { paranoid, ..EngineOptions::default() });
        let mut pool = Pool::new(&bench.engine, PoolOptions::default());
        let counter = bench.release("counter");
        for _ in 0..20 {
            ask(&mut pool.take(&counter).expect("a sandbox"), "").expect("an answer");
        }
        assert_eq!(bench.engine.counters().snapshot().paranoid_checks, checks, "{paranoid:?}");
    }
}

#[test]
fn a_new_slot_opens_what_the_last_one_wrote() {
    let bench = Bench::new(protections()[0]);
    let counter = bench.release("counter");
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    for _ in 0..300 {
        ask(&mut pool.take(&counter).expect("a sandbox"), "").expect("an answer");
    }
    pool.forget(counter.id());
    let faults = bench.engine.counters().snapshot().faults;
    assert!(faults > 0);
    ask(&mut pool.take(&counter).expect("a sandbox"), "").expect("an answer");
    pool.forget(counter.id());
    assert_eq!(bench.engine.counters().snapshot().faults, faults);
}

#[test]
fn a_slot_that_was_not_given_back_is_not_used_again() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let counter = bench.release("counter");
    for _ in 0..3 {
        let mut lent = pool.take(&counter).expect("a sandbox");
        assert_eq!(ask(&mut lent, "").as_deref(), Ok("1\n1\n"));
        std::mem::forget(lent);
    }
    assert_eq!((pool.slots(), bench.engine.counters().snapshot().slots_made), (1, 3));
}

#[test]
fn the_last_slot_of_a_release_takes_it_along() {
    let bench = Bench::new(protections()[0]);
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let hello = bench.release("hello");
    let (id, release) = (hello.id(), Arc::downgrade(&hello));
    drop(pool.take(&hello).expect("a sandbox"));
    drop(hello);
    pool.forget(id);
    while release.strong_count() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn slots_are_given_up_while_the_releases_in_use_take_more_than_they_may() {
    let bytes = |bench: &Bench| bench.engine.residency_stats().resident_bytes;
    let frozen = Bench::with(&EngineOptions::default());
    let snapshot = frozen.freeze(&support::wasm("hello"), &Limits::default()).expect("it freezes");
    let _one = Release::from_snapshot(&frozen.engine, &frozen.cache, &snapshot, &Limits::default()).expect("it loads");
    let bench = Bench::with(&EngineOptions { resident_bytes_max: 4 * bytes(&frozen), ..EngineOptions::default() });
    let directory = |number| record(&bench, &snapshot, |manifest| manifest.tier = format!("number {number}"));
    let load = |number| Release::load(&directory(number), &bench.engine, &bench.cache).expect("it loads");
    let releases: Vec<_> = (0..10).map(load).collect();
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    for release in releases.iter().cycle().take(30) {
        assert_eq!(ask(&mut pool.take(release).expect("a sandbox"), "").as_deref(), Ok(PAGE));
    }
    assert!(bytes(&bench) <= 5 * bytes(&frozen), "what became idle last is beyond the budget");
    assert!((1..=4).contains(&pool.slots()), "{} slots", pool.slots());
}
