//! Releases on disk: what is loaded is what was recorded, octet for octet; machine code is only a cache.

mod support;

use dayfly_core::code_cache::CodeCache;
use dayfly_core::engine::EngineOptions;
use dayfly_core::error::Error;
use dayfly_core::freeze::Snapshot;
use dayfly_core::limits::Limits;
use dayfly_core::release::{Manifest, Release};
use dayfly_core::sandbox::Sandbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Bench, PAGE, ask, protections, record};

fn hello(bench: &Bench) -> Snapshot {
    bench.freeze(&support::wasm("hello"), &Limits::default()).expect("it freezes")
}

fn damage(bench: &Bench, directory: &Path) -> String {
    match Release::load(directory, &bench.engine, &bench.cache) {
        Err(Error::Damaged { reason, .. }) => reason,
        other => panic!("{other:?} should be damaged"),
    }
}

#[test]
fn a_recorded_release_serves() {
    let bench = Bench::new(protections()[0]);
    let directory = record(&bench, &hello(&bench), |_| ());
    let release = Release::load(&directory, &bench.engine, &bench.cache).expect("it loads");
    assert_eq!(Some(release.digest()), directory.file_name().and_then(|name| name.to_str()));
    let mut sandbox = Sandbox::new(&release).expect("a sandbox");
    assert_eq!(ask(&mut sandbox, "").as_deref(), Ok(PAGE));
}

#[test]
fn a_changed_octet_in_any_file_is_found() {
    let bench = Bench::new(protections()[0]);
    let directory = record(&bench, &hello(&bench), |_| ());
    for name in ["manifest.json", "code.wasm", "image"] {
        let path = directory.join(name);
        let whole = fs::read(&path).expect("it is there");
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).expect("a file");
            assert!(damage(&bench, &directory).contains(name), "{name}, octet {at}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).expect("a file");
        assert!(damage(&bench, &directory).contains(name), "{name}, cut");
        fs::remove_file(&path).expect("it is there");
        assert!(damage(&bench, &directory).contains(name), "{name}, missing");
        fs::write(&path, &whole).expect("a file");
    }
    Release::load(&directory, &bench.engine, &bench.cache).expect("it is whole again");
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let bench = Bench::new(protections()[0]);
    let snapshot = hello(&bench);
    let changes: [fn(&mut Manifest); 7] = [
        |manifest| manifest.layout.frame_offset = 0,
        |manifest| manifest.layout.frame_bytes_max = u64::MAX,
        |manifest| manifest.layout.memory_bytes *= 2,
        |manifest| manifest.layout.host_page_offset = 0,
        |manifest| manifest.layout.size_cell_offset = u64::MAX,
        |manifest| manifest.limits.memory_bytes_max *= 2,
        |manifest| manifest.takes = 1 << 20,
    ];
    for change in changes {
        let directory = record(&bench, &snapshot, change);
        assert_eq!(damage(&bench, &directory), "the manifest contradicts itself");
    }
    let directory = record(&bench, &snapshot, |manifest| manifest.abi = 2);
    let refused = Release::load(&directory, &bench.engine, &bench.cache);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

/// A guest that changes its table, so that its releases are marked `fresh`.
const CHANGES_A_TABLE: &str = r#"(module
    (memory (export "memory") 1)
    (table 2 funcref)
    (elem declare func $f)
    (func $f)
    (func (export "dayfly_handle") (param i32) (result i32)
        (table.set (i32.const 1) (ref.func $f))
        (i32.const 0)))"#;

#[test]
fn code_that_was_not_instrumented_is_refused() {
    let bench = Bench::new(protections()[0]);
    let limits = Limits::default();
    let snapshot = |text: &str| bench.freeze(&wat::parse_str(text).expect("valid text"), &limits).expect("it freezes");
    let honest = snapshot(CHANGES_A_TABLE);
    assert!(honest.fresh.is_some());
    let pages = honest.layout.memory_bytes / 65_536;
    let exports = r#"(export "memory" (memory 0))
        (func (export "dayfly:handle") (param i32) (result i32) (i32.const 0))
        (global (export "dayfly:size") (mut i32) (i32.const 1))
        (global (export "dayfly:refused") (mut i32) (i32.const 0))"#;
    let forged = [
        ("", pages, r#"(export "memory" (memory 0))"#, "no export `dayfly:handle`"),
        (exports, pages, r#"(data (i32.const 0) "x")"#, "does something"),
        (exports, pages, "(func $f) (start $f)", "does something"),
        (exports, pages - 1, "", "one memory"),
    ];
    for (exports, pages, fields, reason) in forged {
        let text = format!("(module (memory {pages} {pages}) {exports} {fields})");
        let code = wat::parse_str(text).expect("valid text");
        let forged = Snapshot { code, fresh: None, ..snapshot(CHANGES_A_TABLE) };
        let found = damage(&bench, &record(&bench, &forged, |_| ()));
        assert!(found.contains(reason), "{found}");
    }
    let directory = record(&bench, &honest, |_| ());
    Release::load(&directory, &bench.engine, &bench.cache).expect("it loads");
    let directory = record(&bench, &honest, |manifest| manifest.fresh = None);
    assert!(damage(&bench, &directory).contains("state outside memory"));
}

/// The files of the code cache.
fn cached(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.directory.0.join("code")).expect("the cache");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn damaged_machine_code_is_compiled_again() {
    let bench = Bench::new(protections()[0]);
    let snapshot = hello(&bench);
    let [path] = &cached(&bench)[..] else { panic!("one program, one file") };
    let whole = fs::read(path).expect("it is there");
    let damages: [Vec<u8>; 4] = [
        Vec::new(),
        whole[..20].to_vec(),
        whole[..whole.len() / 2].to_vec(),
        whole.iter().enumerate().map(|(at, octet)| if at == whole.len() / 2 { octet ^ 1 } else { *octet }).collect(),
    ];
    for damaged in damages {
        fs::write(path, damaged).expect("a file");
        let cache = CodeCache::open(&bench.directory.0.join("code")).expect("a cache");
        let release = Release::from_snapshot(&bench.engine, &cache, &snapshot, &Limits::default()).expect("it loads");
        let mut sandbox = Sandbox::new(&release).expect("a sandbox");
        assert_eq!(ask(&mut sandbox, "").as_deref(), Ok(PAGE));
        assert_eq!(fs::read(path).expect("it is there"), whole, "it is written again");
    }
}

#[test]
fn machine_code_is_the_owners_alone() {
    let bench = Bench::new(protections()[0]);
    let snapshot = hello(&bench);
    let directory = bench.directory.0.join("code");
    let [path] = &cached(&bench)[..] else { panic!("one program, one file") };
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(path)), (0o700, 0o600));

    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("it is ours");
    let cache = CodeCache::open(&directory).expect("a cache");
    let loaded = Release::from_snapshot(&bench.engine, &cache, &snapshot, &Limits::default());
    assert!(matches!(loaded, Err(Error::Io { .. })), "{loaded:?}");

    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert!(matches!(CodeCache::open(&directory), Err(Error::Io { .. })));
}

#[test]
fn releases_of_one_program_share_its_code() {
    let bench = Bench::new(protections()[0]);
    let releases: Vec<_> = (0..3).map(|_| bench.release("hello")).collect();
    assert_eq!(cached(&bench).len(), 1);
    let ids: std::collections::BTreeSet<u64> = releases.iter().map(|release| release.id()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_damaged_release_is_not_read_again_for_each_request() {
    let bench = Bench::with(&EngineOptions { resident_bytes_max: 1, ..EngineOptions::default() });
    let snapshot = hello(&bench);
    let [directory, other] = ["one", "other"].map(|tier| record(&bench, &snapshot, |of| of.tier = tier.to_owned()));
    let load = |directory| Release::load(directory, &bench.engine, &bench.cache).expect("it loads");
    let release = load(&directory);
    let _other = load(&other);
    assert!(!release.is_resident(), "only what was used last stays in memory");
    let whole = fs::read(directory.join("image")).expect("it is there");
    fs::write(directory.join("image"), &whole[1..]).expect("a file");
    let is_damaged = || matches!(release.resident_bytes(), Err(Error::Damaged { .. }));
    assert!(is_damaged());
    fs::write(directory.join("image"), &whole).expect("a file");
    assert!(is_damaged(), "nobody has looked");
    assert!(load(&directory).is_resident(), "a deploy looks");
}
