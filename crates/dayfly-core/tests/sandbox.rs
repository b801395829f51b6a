//! A sandbox answers, is restored, and knows nothing of the request before.

mod support;

use dayfly_core::error::Stop;
use dayfly_core::sandbox::{Restored, Sandbox};
use support::{Bench, PAGE, ask, protections};

#[test]
fn hello_answers_its_page_again_and_again() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("hello")).expect("a sandbox");
        for _ in 0..1000 {
            assert_eq!(ask(&mut sandbox, ""), Ok(PAGE.to_owned()));
            assert_eq!(sandbox.restore(), Restored::Clean);
        }
        assert_eq!(sandbox.hot_pages(), 0);
    }
}

#[test]
fn a_trap_ends_the_sandbox() {
    for protection in protections() {
        let bench = Bench::new(protection);
        let mut sandbox = Sandbox::new(&bench.release("trap")).expect("a sandbox");
        assert!(matches!(ask(&mut sandbox, ""), Err(Stop::Trap(_))));
        assert_eq!(sandbox.restore(), Restored::Spent);
    }
}

#[test]
fn every_guest_answers_the_same_before_and_after_a_restore() {
    for protection in protections() {
        let bench = Bench::new(protection);
        for (guest, query) in [
            ("echo", "x=1"),
            ("grow", "3"),
            ("scribble", "7"),
            ("touch", "100"),
            ("throw", "5"),
            ("counter", ""),
            ("log", ""),
            ("busy", "1"),
        ] {
            let mut sandbox = Sandbox::new(&bench.release(guest)).expect("a sandbox");
            let first = ask(&mut sandbox, query);
            assert!(first.is_ok(), "{guest}: {first:?}");
            for round in 0..200 {
                assert_eq!(sandbox.restore(), Restored::Clean, "{guest}, {protection:?}, round {round}");
                assert_eq!(ask(&mut sandbox, query), first, "{guest}, {protection:?}, round {round}");
            }
        }
        let counters = bench.engine.counters().snapshot();
        assert_eq!(counters.paranoid_differences, 0, "{counters:?}");
        println!("{protection:?} {counters:?}");
    }
}
