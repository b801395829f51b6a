//! The process has no slot left. A test binary of its own: what it uses up belongs to the whole process.

mod support;

use dayfly_core::engine::EngineOptions;
use dayfly_core::error::Error;
use dayfly_core::pool::{Pool, PoolOptions};
use dayfly_core::sandbox::Sandbox;
use support::{Bench, PAGE, ask};

#[test]
fn an_idle_slot_makes_room_when_the_process_has_none() {
    let bench = Bench::with(&EngineOptions::default());
    let mut pool = Pool::new(&bench.engine, PoolOptions::default());
    let (idle, wanted) = (bench.release("counter"), bench.release("hello"));
    drop(pool.take(&idle).expect("a sandbox"));
    let mut held = Vec::new();
    let refused = loop {
        match Sandbox::new(&wanted) {
            Ok(sandbox) => held.push(sandbox),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Io { .. }), "{refused:?}");
    assert_eq!(ask(&mut pool.take(&wanted).expect("a sandbox"), "").as_deref(), Ok(PAGE));
    assert_eq!((pool.slots(), bench.engine.counters().snapshot().evictions), (1, 1));

    let mut empty = Pool::new(&bench.engine, PoolOptions::default());
    assert!(empty.take(&idle).is_err(), "there is nothing to evict");
    drop(held);
    assert!(empty.take(&idle).is_ok());
}
