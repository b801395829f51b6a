//! Slots: after a restore nothing is left of what was written, whoever wrote it, with either protection.

mod support;

use dayfly_sys::PAGE_BYTES;
use dayfly_sys::guest::Difference;
use dayfly_sys::protect::Protection;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use support::{BYTES, Numbers, PAGES, Small, engine, image, module, protections};

#[test]
fn memory_equals_the_image_after_any_writes() {
    for protection in protections() {
        for seed in 1..20 {
            let (mut small, mut numbers) = (Small::new(protection), Numbers(seed));
            for round in 0..60 {
                for _ in 0..numbers.below(40) {
                    let (at, value) = (numbers.below(BYTES), numbers.below(256) as u8);
                    match numbers.below(3) {
                        0 => small.store(at, value).expect("it is in memory"),
                        1 => small.host_store(at, value),
                        _ => small.fill(at, value, (BYTES - at).min(20_000)).expect("it is in memory"),
                    }
                }
                assert!(small.guest.restore(), "seed {seed}, round {round}");
                assert_eq!(small.guest.check_all(), None, "{protection:?}, seed {seed}, round {round}");
                let own = small.guest.check_own_pages().expect("the kernel tells");
                assert_eq!(own, None, "{protection:?}, seed {seed}, round {round}");
            }
        }
    }
}

#[test]
fn only_written_pages_are_hot_and_they_fault_once() {
    for protection in protections() {
        let mut small = Small::new(protection);
        for _ in 0..10 {
            for page in [3, 100, 300] {
                small.store(page * PAGE_BYTES + 5, 1).expect("it is in memory");
                small.host_store(page * PAGE_BYTES + 9, 1);
            }
            assert!(small.guest.restore());
        }
        assert_eq!(small.guest.hot().collect::<BTreeSet<_>>(), BTreeSet::from([3, 100, 300]));
        assert_eq!(small.guest.take_faults(), 3);
        small.assert_restored();
    }
}

#[test]
fn pages_that_nobody_writes_to_any_more_leave() {
    for protection in protections() {
        let mut small = Small::new(protection);
        for page in [1, 2, 3, 200, 400] {
            small.store(page * PAGE_BYTES, 1).expect("it is in memory");
        }
        for _ in 0..200 {
            small.store(200 * PAGE_BYTES, 1).expect("it is in memory");
            assert!(small.guest.restore());
        }
        assert_eq!(small.guest.hot().collect::<Vec<_>>(), [200]);
        small.assert_restored();
        for page in [1, 2, 3, 200, 400] {
            small.store(page * PAGE_BYTES, 2).expect("it is in memory");
        }
        assert_eq!(small.guest.hot_pages(), 5);
        assert!(small.guest.restore());
        small.assert_restored();
    }
}

#[test]
fn a_large_hot_set_is_forgotten_soon() {
    for protection in protections() {
        let mut small = Small::new(protection);
        for page in (0..PAGES).step_by(2) {
            small.store(page * PAGE_BYTES, 1).expect("it is in memory");
        }
        assert_eq!(small.guest.hot_pages(), PAGES / 2);
        for _ in 0..6 {
            small.store(8, 1).expect("it is in memory");
            assert!(small.guest.restore());
        }
        assert_eq!(small.guest.hot().collect::<Vec<_>>(), [0]);
        small.assert_restored();
    }
}

#[test]
fn sequential_writers_fault_seldom_in_both_directions() {
    for protection in protections() {
        let mut small = Small::new(protection);
        small.fill(0, 7, BYTES).expect("it is in memory");
        let upwards = small.guest.take_faults();
        assert!(upwards < 20, "{upwards} faults for {PAGES} pages");
        assert!(small.guest.restore());
        small.assert_restored();
        let mut small = Small::new(protection);
        for page in (0..PAGES).rev() {
            small.store(page * PAGE_BYTES, 1).expect("it is in memory");
        }
        let downwards = small.guest.take_faults();
        assert!(downwards < 20, "{downwards} faults for {PAGES} pages");
        assert!(small.guest.restore());
        small.assert_restored();
    }
}

#[test]
fn expected_writes_do_not_fault() {
    for protection in protections() {
        let mut small = Small::new(protection);
        small.guest.expect_writes([4, 5, 300, u32::MAX].into_iter()).expect("they can be opened");
        for page in [4, 5, 300] {
            small.store(page * PAGE_BYTES, 1).expect("it is in memory");
        }
        assert_eq!((small.guest.take_faults(), small.guest.hot_pages()), (0, 3));
        assert!(small.guest.restore());
        small.assert_restored();
    }
}

#[test]
fn a_stride_comes_clean_to_the_next_slot() {
    for protection in protections() {
        let (engine, module, image) = (engine(), module(engine()), image());
        let mut places = BTreeSet::new();
        for _ in 0..50 {
            let mut small = Small::over(engine, &module, &image, protection);
            small.assert_restored();
            places.insert(small.guest.memory().as_ptr() as usize);
            small.fill(0, 0xee, BYTES).expect("it is in memory");
        }
        assert!(places.len() < 50, "strides are used again");
    }
}

#[test]
fn mappings_do_not_grow_with_isolated_writes_under_userfault() {
    if Protection::Userfault.resolve().is_err() {
        return;
    }
    let mut small = Small::new(Protection::Userfault);
    let start = small.guest.memory().as_ptr() as usize;
    let mappings = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the kernel tells");
        let within = |line: &&str| {
            let address = line.split('-').next().and_then(|start| usize::from_str_radix(start, 16).ok());
            address.is_some_and(|address| (start..start + BYTES).contains(&address))
        };
        maps.lines().filter(within).count()
    };
    for piece in 0..PAGES / 64 {
        small.store(piece * 64 * PAGE_BYTES, 1).expect("it is in memory");
    }
    let before = mappings();
    for page in (0..PAGES).step_by(2) {
        small.store(page * PAGE_BYTES, 1).expect("it is in memory");
    }
    assert!(mappings() <= before);
    assert!(before <= small.guest.mappings_max());
}

/// Writes past every protection, as a bug of ours or of the kernel would.
fn smuggle(small: &Small, at: usize) {
    let memory = OpenOptions::new().write(true).open("/proc/self/mem").expect("the kernel lets us");
    let address = small.guest.memory().as_ptr() as u64 + at as u64;
    memory.write_all_at(b"!", address).expect("the page is there");
}

#[test]
fn the_checks_find_what_is_wrong() {
    for protection in protections() {
        let mut small = Small::new(protection);
        small.store(7 * PAGE_BYTES, 1).expect("it is in memory");
        assert!(small.guest.restore());
        small.assert_restored();

        smuggle(&small, 7 * PAGE_BYTES + 100);
        let octet = Difference::Octet { offset: 7 * PAGE_BYTES + 100 };
        assert_eq!(small.guest.check_own_pages().expect("the kernel tells"), Some(octet));
        assert_eq!(small.guest.check_all(), Some(octet));
        assert!(small.guest.restore(), "a hot page is put back");
        small.assert_restored();

        // In a part of the memory that nobody has written to yet: image, then none.
        for page in [140, 500] {
            smuggle(&small, page * PAGE_BYTES + 1);
            let untracked = Difference::Untracked { page: page as u32 };
            assert_eq!(small.guest.check_own_pages().expect("the kernel tells"), Some(untracked), "{protection:?}");
            assert_eq!(small.guest.check_all(), Some(Difference::Octet { offset: page * PAGE_BYTES + 1 }));
            small = Small::new(protection);
            small.assert_restored();
        }
    }
}
