//! More releases than descriptors. A test binary of its own, since the limit holds for a whole process.

mod support;

use dayfly_core::engine::EngineOptions;
use dayfly_core::limits::Limits;
use dayfly_core::release::Release;
use dayfly_core::sandbox::Sandbox;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::AsRawFd;
use support::{Bench, PAGE, ask, record};

const RELEASES: usize = 100;

#[test]
fn idle_releases_make_room_when_descriptors_run_out() {
    let bench = Bench::with(&EngineOptions::default());
    let snapshot = bench.freeze(&support::wasm("hello"), &Limits::default()).expect("it freezes");
    let directories: Vec<_> = (0..RELEASES)
        .map(|number| record(&bench, &snapshot, |manifest| manifest.tier = format!("number {number}")))
        .collect();
    let next = File::open("/dev/null").expect("it is there").as_raw_fd();
    let few = Some(u64::try_from(next).expect("not negative") + 40);
    setrlimit(Resource::Nofile, Rlimit { current: few, ..getrlimit(Resource::Nofile) }).expect("a lower limit");
    let load =
        |directory: &std::path::PathBuf| Release::load(directory, &bench.engine, &bench.cache).expect("it loads");
    let releases: Vec<_> = directories.iter().map(load).collect();
    for release in &releases {
        let mut sandbox = Sandbox::new(release).expect("a sandbox");
        assert_eq!(ask(&mut sandbox, "").as_deref(), Ok(PAGE));
    }
    let stats = bench.engine.residency_stats();
    assert!(stats.evicted as usize >= RELEASES - 40, "{stats:?}");
}
