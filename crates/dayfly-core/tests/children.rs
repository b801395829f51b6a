//! Releases that stand on others: a bundle is loaded into a base, and what that changes is all that the release is.

mod support;

use dayfly_core::engine::{EngineOptions, Paranoid};
use dayfly_core::error::{Error, Stop};
use dayfly_core::freeze::{Snapshot, freeze_on};
use dayfly_core::limits::Limits;
use dayfly_core::pool::{Pool, PoolOptions};
use dayfly_core::release::{Manifest, Release};
use dayfly_core::sandbox::{Restored, Sandbox};
use std::path::PathBuf;
use std::sync::Arc;
use support::{Bench, Numbers, ask, protections, record, record_with};

/// A base of 2 MiB, half of which its start-up fills. A bundle `x...` is what its requests answer, behind what the base
/// had been told before, and behind the number of requests that the instance has seen. The first octet of a bundle:
/// `!` fails with the rest as the reason, `#` traps, `@` runs for ever, `+` grows until it may not, and traps; `?` tells
/// no facts; `>` is answered by requests that overflow the stack, `<` by such that grow until they may not, and fail;
/// `^` writes behind its memory.
const BASE: &str = r#"(module
    (import "dayfly" "log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 32)
    (global $heap (mut i32) (i32.const 1048576))
    (global $first (mut i32) (i32.const 0))
    (global $text (mut i32) (i32.const 0))
    (global $length (mut i32) (i32.const 0))
    (data (i32.const 512) "{\"kind\":\"test\"}")
    (data (i32.const 600) "text/plain")

    (func (export "dayfly_init") (local $at i32)
        (local.set $at (i32.const 4096))
        (loop $fill
            (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 7)))
            (local.set $at (i32.add (local.get $at) (i32.const 256)))
            (br_if $fill (i32.lt_u (local.get $at) (i32.const 1048576)))))

    (func (export "dayfly_takes") (result i32) (i32.const 4))

    (func (export "dayfly_reserve") (param $bytes i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.add (global.get $heap) (local.get $bytes))))

    (func $reply (param $status i32) (param $at i32) (param $bytes i32) (result i32)
        (i32.store (i32.const 1024) (local.get $status))
        (i32.store (i32.const 1028) (i32.const 600))
        (i32.store (i32.const 1032) (i32.const 10))
        (i64.store (i32.const 1036) (i64.const 0))
        (i32.store (i32.const 1044) (local.get $at))
        (i32.store (i32.const 1048) (local.get $bytes))
        (i32.store (i32.const 1052) (local.get $at))
        (i32.store (i32.const 1056) (local.get $bytes))
        (i32.const 1024))

    (func $grow (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
    (func $recurse (param i32) (result i32) (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

    ;; Scattered writes, as reference counts are.
    (func $scatter (param $first i32) (local $page i32)
        (local.set $page (i32.const 8192))
        (loop $scatter
            (i32.store offset=16 (local.get $page) (i32.add (i32.load offset=16 (local.get $page)) (local.get $first)))
            (local.set $page (i32.add (local.get $page) (i32.const 65536)))
            (br_if $scatter (i32.lt_u (local.get $page) (i32.const 1048576)))))

    (func (export "dayfly_load") (param $at i32) (param $bytes i32) (result i32)
        (local $first i32)
        (local.set $first (i32.load8_u (local.get $at)))
        (call $log (i32.const 1) (local.get $at) (local.get $bytes))
        (if (i32.eq (local.get $first) (i32.const 0x21))
            (then (return (call $reply (i32.const 0)
                (i32.add (local.get $at) (i32.const 1)) (i32.sub (local.get $bytes) (i32.const 1))))))
        (if (i32.eq (local.get $first) (i32.const 0x23)) (then (unreachable)))
        (if (i32.eq (local.get $first) (i32.const 0x40)) (then (loop $ever (br $ever))))
        (if (i32.eq (local.get $first) (i32.const 0x2b)) (then (call $grow) (unreachable)))
        (if (i32.eq (local.get $first) (i32.const 0x3f)) (then (return (call $reply (i32.const 200) (i32.const 600) (i32.const 10)))))
        (if (i32.eq (local.get $first) (i32.const 0x5e)) (then (i32.store (i32.const 5000000) (i32.const 1))))
        (global.set $first (local.get $first))
        (call $scatter (local.get $first))
        (if (i32.eqz (global.get $text)) (then (global.set $text (local.get $at))))
        (global.set $length (i32.sub (i32.add (local.get $at) (local.get $bytes)) (global.get $text)))
        (call $reply (i32.const 200) (i32.const 512) (i32.const 15)))

    (func (export "dayfly_handle") (param $frame i32) (result i32)
        (if (i32.load offset=20 (local.get $frame)) (then (call $scatter (i32.const 1))))
        (if (i32.eq (global.get $first) (i32.const 0x3e)) (then (return (call $recurse (i32.const 0)))))
        (if (i32.eq (global.get $first) (i32.const 0x3c))
            (then (call $grow) (return (call $reply (i32.const 0) (i32.const 600) (i32.const 4)))))
        ;; The number of requests, in a page that the base has written, and in one that nobody has.
        (i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1)))
        (i32.store (i32.const 2000000) (i32.load (i32.const 4096)))
        (i32.store8 (i32.sub (global.get $text) (i32.const 1))
            (i32.sub (i32.load (i32.const 2000000)) (i32.const 4055)))
        (call $reply (i32.const 200) (i32.sub (global.get $text) (i32.const 1)) (i32.add (global.get $length) (i32.const 1)))))"#;

/// What the counter shows at a first request.
const FIRST: &str = "1";

struct Base {
    bench: Bench,
    directory: PathBuf,
    release: Arc<Release>,
}

impl Base {
    fn new(options: &EngineOptions) -> Base {
        let bench = Bench::with(options);
        let snapshot =
            bench.freeze(&wat::parse_str(BASE).expect("valid text"), &Limits::default()).expect("it freezes");
        let directory = record(&bench, &snapshot, |_| ());
        let release = Release::load_shared(&directory, &bench.engine, &bench.cache).expect("it loads");
        Base { bench, directory, release }
    }

    fn checked() -> Vec<Base> {
        let options =
            |protection| EngineOptions { protection, paranoid: Paranoid::Every(1), ..EngineOptions::default() };
        protections().into_iter().map(|protection| Base::new(&options(protection))).collect()
    }

    fn unchecked() -> Base {
        Base::new(&EngineOptions::default())
    }

    fn freeze(&self, bundle: &str) -> Result<Snapshot, Error> {
        freeze_on(&self.release, bundle.as_bytes(), &Limits::default())
    }

    fn child(&self, bundle: &str) -> Arc<Release> {
        self.load(&self.freeze(bundle).expect("it freezes"))
    }

    fn load(&self, snapshot: &Snapshot) -> Arc<Release> {
        let directory = record(&self.bench, snapshot, |_| ());
        Release::load(&directory, &self.bench.engine, &self.bench.cache).expect("it loads")
    }

    fn failure(&self, bundle: &str) -> String {
        match self.freeze(bundle) {
            Err(Error::InitFailed(text)) => text,
            other => panic!("{other:?} should have failed"),
        }
    }
}

#[test]
fn each_request_is_the_first_one_of_its_child() {
    for base in Base::checked() {
        let children = ["one", "another", "third"].map(|text| (text, base.child(text)));
        let mut pool = Pool::new(&base.bench.engine, PoolOptions::default());
        for (text, child) in children.iter().cycle().take(90) {
            let answer = ask(&mut pool.take(child).expect("a sandbox"), "");
            assert_eq!(answer, Ok(format!("{FIRST}{text}")));
        }
        assert!(children.iter().all(|(_, child)| !child.condemned()));
        let counters = base.bench.engine.counters().snapshot();
        assert_eq!((counters.paranoid_differences, counters.slots_made >= 3), (0, true));
    }
}

#[test]
fn restored_children_equal_their_images_whatever_was_written() {
    for base in Base::checked() {
        let child = base.child("child");
        let mut sandbox = Sandbox::new(&child).expect("a sandbox");
        for round in 0..1_000 {
            // Scattered pages, which slots hold copies of, grow hot and cold again.
            let query = if round % 300 < 3 { "scatter" } else { "" };
            assert_eq!(ask(&mut sandbox, query).as_deref(), Ok("1child"), "round {round}");
            assert_eq!(sandbox.restore(), Restored::Clean);
            assert!(sandbox.equals_image(), "round {round}");
        }
    }
}

#[test]
fn the_same_bundle_on_the_same_parent_is_the_same_image() {
    let base = Base::unchecked();
    let first = base.freeze("the same").expect("it freezes");
    base.freeze("another one, longer").expect("it freezes");
    base.failure("#");
    let again = base.freeze("the same").expect("it freezes");
    assert!(first.image == again.image);
    assert_eq!((first.writes, first.init_log.lines), (again.writes, vec![(1, "the same".to_owned())]));
    assert_eq!(again.init_log.lines, [(1, "the same".to_owned())]);
    assert_eq!(first.facts.get("kind").and_then(|kind| kind.as_str()), Some("test"));
    assert_eq!((first.code.len(), first.parent.as_deref(), first.takes), (0, Some(base.release.digest()), 4));
    let other_base = Base::unchecked();
    assert!(other_base.freeze("the same").expect("it freezes").image == first.image);
}

#[test]
fn a_child_takes_the_memory_of_its_delta() {
    let base = Base::unchecked();
    let whole = base.release.resident_bytes().expect("it is there");
    let before = base.bench.engine.residency_stats();
    let children: Vec<_> = (0..50).map(|number| base.child(&format!("child {number}"))).collect();
    let after = base.bench.engine.residency_stats();
    let each = (after.resident_bytes - before.resident_bytes) / children.len() as u64;
    assert_eq!(after.resident - before.resident, 50);
    assert!(each < 40 << 12, "{each} octets: 16 scattered pages, the bundle, the host page, and no more than gaps");
    assert!(each * 8 < whole, "{each} of {whole}");
    for (number, child) in children.iter().enumerate() {
        let mut sandbox = Sandbox::new(child).expect("a sandbox");
        assert_eq!(ask(&mut sandbox, ""), Ok(format!("1child {number}")));
    }
}

#[test]
fn children_of_a_child_see_what_it_was_told() {
    for base in Base::checked() {
        let layer = base.freeze("layer;").expect("it freezes");
        let directory = record(&base.bench, &layer, |_| ());
        let layer = Release::load_shared(&directory, &base.bench.engine, &base.bench.cache).expect("it loads");
        let tenants = ["a", "b"].map(|text| {
            let snapshot = freeze_on(&layer, text.as_bytes(), &Limits::default()).expect("it freezes");
            (text, base.load(&snapshot))
        });
        let mut pool = Pool::new(&base.bench.engine, PoolOptions::default());
        for (text, tenant) in tenants.iter().cycle().take(40) {
            let answer = ask(&mut pool.take(tenant).expect("a sandbox"), "");
            assert_eq!(answer, Ok(format!("1layer;{text}")));
        }
        assert!(Arc::ptr_eq(tenants[0].1.parent().expect("the layer"), &layer));
        assert!(Arc::ptr_eq(layer.parent().expect("the base"), &base.release));
    }
}

#[test]
fn why_a_bundle_cannot_be_loaded_is_told_its_author() {
    let base = Base::unchecked();
    assert_eq!(base.failure("!Traceback: no"), "Traceback: no\n  !Traceback: no");
    assert!(base.failure("#").contains("`dayfly_load`"));
    assert!(base.failure("+").contains("more memory than the limit"));
    let limits = Limits { init_cpu_ns_max: 20_000_000, ..Limits::default() };
    let looped = freeze_on(&base.release, b"@", &limits);
    assert!(matches!(&looped, Err(Error::InitFailed(text)) if text.contains("CPU time")), "{looped:?}");
    assert!(matches!(base.freeze("?"), Err(Error::Refused(text)) if text.contains("facts")));
    let not_a_base = base.bench.release("hello");
    let refused = freeze_on(&not_a_base, b"x", &Limits::default());
    assert!(matches!(&refused, Err(Error::Refused(text)) if text.contains("not a program that others")), "{refused:?}");
    assert_eq!(ask(&mut Sandbox::new(&base.child("after all")).expect("a sandbox"), "").as_deref(), Ok("1after all"));
}

#[test]
fn the_memory_limit_is_the_childs() {
    let base = Base::unchecked();
    let limits = |mib: u64| Limits { memory_bytes_max: mib << 20, ..Limits::default() };
    for mib in [1, 17] {
        let refused = freeze_on(&base.release, b"x", &limits(mib));
        assert!(matches!(&refused, Err(Error::Refused(text)) if text.contains("memory limit")), "{refused:?}");
    }
    for mib in [2, 3, 16] {
        let snapshot = freeze_on(&base.release, b"<", &limits(mib)).expect("it freezes");
        let directory = record_with(&base.bench, &snapshot, &limits(mib), |_| ());
        let child = Release::load(&directory, &base.bench.engine, &base.bench.cache).expect("it loads");
        let mut sandbox = Sandbox::new(&child).expect("a sandbox");
        assert!(matches!(ask(&mut sandbox, ""), Err(Stop::Memory(_))), "{mib} MiB");
    }
}

#[test]
fn what_loading_writes_behind_the_memory_is_refused() {
    let base = Base::unchecked();
    let refused = base.freeze("^");
    assert!(matches!(&refused, Err(Error::Refused(text)) if text.contains("octet 4997120")), "{refused:?}");
    assert_eq!(ask(&mut Sandbox::new(&base.child("other")).expect("a sandbox"), "").as_deref(), Ok("1other"));
}

#[test]
fn an_overflow_of_the_stack_ends_the_childs_request_only() {
    for base in Base::checked() {
        let (deep, other) = (base.child(">"), base.child("other"));
        let mut pool = Pool::new(&base.bench.engine, PoolOptions::default());
        for _ in 0..5 {
            let overflow = ask(&mut pool.take(&deep).expect("a sandbox"), "");
            assert!(matches!(&overflow, Err(Stop::Trap(text)) if text.contains("stack")), "{overflow:?}");
            assert_eq!(ask(&mut pool.take(&other).expect("a sandbox"), "").as_deref(), Ok("1other"));
        }
    }
}

#[test]
fn no_first_request_finds_a_closed_page() {
    let base = Base::unchecked();
    let child = base.child("child");
    let mut sandbox = Sandbox::new(&child).expect("a sandbox");
    let before = base.bench.engine.counters().snapshot().faults;
    assert_eq!(ask(&mut sandbox, "").as_deref(), Ok("1child"));
    assert!(sandbox.hot_pages() >= 4);
    drop(sandbox);
    assert_eq!(base.bench.engine.counters().snapshot().faults, before);
}

type Change<'a> = &'a dyn Fn(&mut Manifest);

#[test]
fn a_child_that_does_not_fit_its_parent_is_damaged() {
    let base = Base::unchecked();
    let snapshot = base.freeze("child").expect("it freezes");
    let other = base.bench.freeze(&support::wasm("counter"), &Limits::default()).expect("it freezes");
    let other =
        [record(&base.bench, &other, |_| ()), record(&base.bench, &base.freeze("b").expect("it freezes"), |_| ())];
    let [stranger, sister] =
        other.map(|directory| directory.file_name().expect("a digest").to_string_lossy().into_owned());
    let reason = |directory: &PathBuf| match Release::load(directory, &base.bench.engine, &base.bench.cache) {
        Err(Error::Damaged { reason, .. }) => reason,
        loaded => panic!("{loaded:?} should be damaged"),
    };
    let changes: [(Change<'_>, &str); 7] = [
        (&|manifest| manifest.parent = Some("0".repeat(64)), "manifest.json"),
        (&|manifest| manifest.parent = Some("../../etc".to_owned()), "no digest"),
        (&|manifest| manifest.parent = None, "either code or a parent"),
        (&|manifest| manifest.code_sha256 = Some("0".repeat(64)), "either code or a parent"),
        (&|manifest| manifest.parent = Some(stranger.clone()), "contradicts that of its parent"),
        (&|manifest| manifest.parent = Some(sister.clone()), "delta on another one"),
        (&|manifest| manifest.limits.memory_bytes_max = 15 << 20, "memory limit"),
    ];
    for (change, expected) in changes {
        let found = reason(&record(&base.bench, &snapshot, change));
        assert!(found.contains(expected), "{found}");
    }
    let whole = Snapshot { image: base.freeze("child").expect("it freezes").image[4096..].to_vec(), ..snapshot };
    assert!(reason(&record(&base.bench, &whole, |_| ())).contains("image"));
    std::fs::rename(&base.directory, base.directory.with_extension("away")).expect("it is there");
    let bench = Bench::with(&EngineOptions::default());
    let child = record(&base.bench, &base.freeze("child").expect("it freezes"), |_| ());
    assert!(matches!(Release::load(&child, &bench.engine, &bench.cache), Err(Error::Damaged { .. })));
}

#[test]
fn a_chain_of_parents_is_too_long_before_its_end_is_seen() {
    let base = Base::unchecked();
    let snapshot = base.freeze("child").expect("it freezes");
    // The first link has no parent that is there: whoever gets so far finds another fault.
    let mut parent = "0".repeat(64);
    for _ in 0..20 {
        let directory = record(&base.bench, &snapshot, |manifest| manifest.parent = Some(parent));
        parent = directory.file_name().expect("a digest").to_string_lossy().into_owned();
    }
    let last = base.directory.with_file_name(parent);
    let loaded = Release::load(&last, &base.bench.engine, &base.bench.cache);
    assert!(matches!(&loaded, Err(Error::Damaged { reason, .. }) if reason.contains("more than 8")), "{loaded:?}");
}

#[test]
fn idle_releases_leave_in_the_order_of_their_last_use() {
    let roomy = Base::unchecked();
    let whole = roomy.release.resident_bytes().expect("it is there");
    let each = roomy.child("child 0").resident_bytes().expect("it is there");
    let resident_bytes_max = whole + 3 * each + each / 2;
    let base = Base::new(&EngineOptions { resident_bytes_max, ..EngineOptions::default() });
    let children: Vec<_> = (0..5).map(|number| base.child(&format!("child {number}"))).collect();
    let resident = || children.iter().map(|child| child.is_resident()).collect::<Vec<_>>();
    assert_eq!(resident(), [false, false, true, true, true]);
    let mut pool = Pool::new(&base.bench.engine, PoolOptions { slots_max: 2, ..PoolOptions::default() });
    assert!(pool.take_at_once(&children[0]).expect("no failure").is_none(), "an I/O thread does not load it");
    assert_eq!(ask(&mut pool.take(&children[0]).expect("a sandbox"), "").as_deref(), Ok("1child 0"));
    // `is_resident` is a use, too.
    assert_eq!(resident(), [true, false, false, true, true]);
    assert_eq!(ask(&mut pool.take(&children[1]).expect("a sandbox"), "").as_deref(), Ok("1child 1"));
    assert_eq!(resident(), [true, true, false, false, true], "those with slots stay");
    assert!(pool.take_at_once(&children[0]).expect("no failure").is_some());
    let stats = base.bench.engine.residency_stats();
    assert!(stats.resident_bytes <= resident_bytes_max, "{stats:?}");
    assert!(stats.evicted >= 4, "{stats:?}");
    assert_eq!(stats.resident, 4, "{stats:?}");
    drop((pool, children));
    drop(base.release);
    assert_eq!(ask(&mut Sandbox::new(&roomy.child("x")).expect("a sandbox"), "").as_deref(), Ok("1x"));
}

#[test]
fn a_release_that_is_replaced_leaves_memory() {
    let base = Base::unchecked();
    let stats = || base.bench.engine.residency_stats();
    let before = stats().resident;
    let mut pool = Pool::new(&base.bench.engine, PoolOptions::default());
    for number in 0..20 {
        let child = base.child(&format!("child {number}"));
        ask(&mut pool.take(&child).expect("a sandbox"), "").expect("an answer");
        pool.forget(child.id());
    }
    assert_eq!((stats().resident, stats().evicted), (before, 0));
}

#[test]
fn many_more_children_than_memory_holds_are_served() {
    const CHILDREN: usize = 40;
    const TENANTS: usize = 2_000;
    let roomy = Base::unchecked();
    let whole = roomy.release.resident_bytes().expect("it is there");
    let each = roomy.child("child 00").resident_bytes().expect("it is there");
    let base = Base::new(&EngineOptions { resident_bytes_max: whole + 20 * each, ..EngineOptions::default() });
    let directories: Vec<_> = (0..CHILDREN)
        .map(|number| record(&base.bench, &base.freeze(&format!("child {number:02}")).expect("it freezes"), |_| ()))
        .collect();
    let tenants: Vec<_> = (0..TENANTS)
        .map(|tenant| {
            let directory = &directories[tenant % CHILDREN];
            Release::load(directory, &base.bench.engine, &base.bench.cache).expect("it loads")
        })
        .collect();
    let mut pool = Pool::new(&base.bench.engine, PoolOptions { slots_max: 10, ..PoolOptions::default() });
    let mut numbers = Numbers(7);
    for _ in 0..500 {
        let tenant = numbers.below(TENANTS);
        let answer = ask(&mut pool.take(&tenants[tenant]).expect("a sandbox"), "");
        assert_eq!(answer, Ok(format!("1child {:02}", tenant % CHILDREN)));
    }
    let stats = base.bench.engine.residency_stats();
    assert!(stats.resident <= 22 && stats.resident_bytes <= whole + 21 * each, "{stats:?}");
    assert!(stats.evicted as usize >= TENANTS - 22 && stats.loaded as usize > TENANTS + 300, "{stats:?}");
}
