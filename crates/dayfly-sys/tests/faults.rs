//! Faults: those of slots and guests are handled, all others end the process as if dayfly were not there.
//!
//! Each scenario that may end a process runs in a child: the same test of this binary with `SCENARIO` set.
#![allow(unsafe_code)]

mod support;

use dayfly_sys::PAGE_BYTES;
use dayfly_sys::guest::Guest;
use dayfly_sys::protect::Protection;
use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{Small, image, module, new_engine, protections};
use wasmtime::{Linker, Store, Trap};

/// Runs `scenario` in a child that runs the test `name` alone; gives what became of it.
fn in_child(name: &str, scenario: impl FnOnce()) -> Option<Output> {
    if std::env::var_os("SCENARIO").is_some() {
        scenario();
        println!("the scenario has ended");
        return None;
    }
    let program = std::env::current_exe().expect("it runs");
    let mut child = Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SCENARIO", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let deadline = Instant::now() + Duration::from_mins(1);
    while child.try_wait().expect("it can be waited for").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it can be killed");
            panic!("`{name}` does not end");
        }
        std::thread::yield_now();
    }
    Some(child.wait_with_output().expect("it has ended"))
}

#[track_caller]
fn assert_dies_of(output: Option<Output>, signals: &[c_int], reports: usize) {
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stderr);
    let signal = output.status.signal();
    assert!(signal.is_some_and(|signal| signals.contains(&signal)), "{:?}: {text}", output.status);
    assert_eq!(text.matches("REPORT").count(), reports, "{text}");
}

#[track_caller]
fn assert_ends_well(output: Option<Output>) {
    let Some(output) = output else { return };
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn assert_ends_unreported(output: Option<Output>) {
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !text.contains("REPORT"), "{:?}: {text}", output.status);
}

fn null_write() {
    // SAFETY: none; this is the fault that the test is about.
    unsafe { std::hint::black_box(std::ptr::null_mut::<u8>()).write_volatile(1) };
}

/// A slot is lent and used as in a hostcall, and its guest has trapped, so that every handler has been at work.
fn used_small() -> Small {
    let mut small = Small::new(Protection::Auto);
    small.store(5 * PAGE_BYTES, 1).expect("it is in memory");
    assert_traps(&mut small);
    small
}

#[track_caller]
fn assert_traps(small: &mut Small) {
    let error = small.store(support::BYTES + 100, 1).expect_err("beyond memory");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
    let error = small.divide(0).expect_err("nothing can be divided by it");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::IntegerDivisionByZero));
    let error = small.give_up().expect_err("it says so");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::UnreachableCodeReached));
}

/// The signals that Python's `faulthandler` answers.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What Python's `faulthandler` keeps for each signal.
struct Reporter {
    previous: Mutex<Option<libc::sigaction>>,
    enabled: AtomicBool,
}

static REPORTERS: [Reporter; SIGNALS.len()] =
    [const { Reporter { previous: Mutex::new(None), enabled: AtomicBool::new(false) } }; SIGNALS.len()];

fn reporter(signal: c_int) -> &'static Reporter {
    let index = SIGNALS.iter().position(|known| *known == signal);
    &REPORTERS[index.expect("a signal that it answers")]
}

fn write_report() {
    let text = "REPORT\n";
    // SAFETY: the text is as long as it says.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

fn put_back(signal: c_int) {
    let reporter = reporter(signal);
    if reporter.enabled.swap(false, Ordering::SeqCst) {
        let previous = reporter.previous.lock().expect("nobody panics").expect("it was installed");
        // SAFETY: the action is one that `sigaction` gave.
        unsafe { libc::sigaction(signal, &raw const previous, std::ptr::null_mut()) };
    }
}

/// What `faulthandler` does on a fault: puts the previous action back, reports, raises the signal again.
unsafe extern "C" fn report_and_raise(signal: c_int) {
    put_back(signal);
    write_report();
    // SAFETY: raising a signal is allowed in a handler.
    unsafe { libc::raise(signal) };
}

/// Another habit: puts the previous action back, reports, and lets the fault happen again.
unsafe extern "C" fn report_and_return(signal: c_int) {
    put_back(signal);
    write_report();
}

/// A handler that mends nothing and never goes.
unsafe extern "C" fn return_only(_signal: c_int, _info: *mut libc::siginfo_t, _context: *mut c_void) {}

fn install(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: all octets zero is a valid action; the handlers above are what the flags say.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags | libc::SA_NODEFER;
        let mut previous: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, &raw const action, &raw mut previous), 0);
        *reporter(signal).previous.lock().expect("nobody panics") = Some(previous);
        reporter(signal).enabled.store(true, Ordering::SeqCst);
    }
}

fn install_reporter(handler: unsafe extern "C" fn(c_int)) {
    for signal in SIGNALS {
        install(signal, handler as *const () as usize, 0);
    }
}

#[test]
fn the_host_may_write_to_a_closed_page_of_a_lent_slot() {
    for protection in protections() {
        let mut small = Small::new(protection);
        for page in 0..100 {
            small.host_store(page * PAGE_BYTES * 3 + 17, 0xaa);
        }
        assert!(small.guest.restore());
        small.assert_restored();
    }
}

#[test]
fn a_null_write_still_dies_of_its_signal() {
    let output = in_child("a_null_write_still_dies_of_its_signal", || {
        let mut small = used_small();
        let _lent = small.guest.lend();
        null_write();
    });
    assert_dies_of(output, &[libc::SIGSEGV], 0);
}

#[test]
fn a_raised_signal_still_kills() {
    let output = in_child("a_raised_signal_still_kills", || {
        let _small = used_small();
        // The handler of Rust's runtime answers the first one by going away; nobody is left for the second.
        for _ in 0..2 {
            // SAFETY: raising a signal touches no memory.
            unsafe { libc::raise(libc::SIGSEGV) };
        }
    });
    assert_dies_of(output, &[libc::SIGSEGV], 0);
}

#[test]
fn writing_to_a_slot_that_is_not_lent_dies() {
    let output = in_child("writing_to_a_slot_that_is_not_lent_dies", || {
        let small = used_small();
        let page = small.guest.memory().as_ptr().wrapping_add(90 * PAGE_BYTES).cast_mut();
        // SAFETY: none; this is the fault that the test is about.
        unsafe { page.write_volatile(1) };
    });
    assert_dies_of(output, &[libc::SIGSEGV, libc::SIGBUS], 0);
}

#[test]
fn writing_to_a_slot_lent_to_another_thread_dies() {
    let output = in_child("writing_to_a_slot_lent_to_another_thread_dies", || {
        let mut small = used_small();
        let mut lent = small.guest.lend();
        let address = lent.memory_mut().0.as_mut_ptr() as usize + 100 * PAGE_BYTES;
        let write = move || {
            // SAFETY: none; this is the fault that the test is about.
            unsafe { (address as *mut u8).write_volatile(1) };
        };
        std::thread::spawn(write).join().ok();
    });
    assert_dies_of(output, &[libc::SIGSEGV, libc::SIGBUS], 0);
}

#[test]
fn a_child_of_fork_gets_no_guest() {
    let output = in_child("a_child_of_fork_gets_no_guest", || {
        let _small = used_small();
        let program = Linker::new(support::engine()).instantiate_pre(&module(support::engine())).expect("no imports");
        let image = image();
        // SAFETY: the child makes a value, drops it and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let made = Guest::new(Store::new(support::engine(), ()), &program, "memory", &image, Protection::Auto);
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(if made.is_err() { 7 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: the child is ours; the status goes to valid memory.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:x}");
    });
    assert_ends_well(output);
}

#[test]
fn a_guest_that_overflows_its_stack_traps() {
    for protection in protections() {
        let mut small = Small::new(protection);
        for _ in 0..3 {
            let error = small.recurse().expect_err("the stack ends");
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
            small.store(9 * PAGE_BYTES, 1).expect("it still works");
        }
    }
}

#[expect(unconditional_recursion, reason = "the overflow is what the test is about")]
fn overflow(depth: u64) -> u64 {
    std::hint::black_box([depth; 64])[3] + overflow(depth + 1)
}

#[test]
fn a_host_that_overflows_its_stack_dies() {
    let output = in_child("a_host_that_overflows_its_stack_dies", || {
        let _small = used_small();
        println!("{}", overflow(0));
    });
    assert_dies_of(output, &[libc::SIGABRT, libc::SIGSEGV], 0);
}

#[test]
fn two_engines_in_one_process_both_work() {
    let (first, second) = (new_engine(), new_engine());
    for protection in protections() {
        let image = image();
        let mut one = Small::over(&first, &module(&first), &image, protection);
        let mut other = Small::over(&second, &module(&second), &image, protection);
        for _ in 0..20 {
            for small in [&mut one, &mut other] {
                small.store(30 * PAGE_BYTES, 1).expect("it is in memory");
                assert_traps(small);
                assert!(small.guest.restore());
                small.assert_restored();
            }
        }
    }
}

#[test]
fn a_reporter_from_before_reports_once() {
    let output = in_child("a_reporter_from_before_reports_once", || {
        install_reporter(report_and_raise);
        let _small = used_small();
        null_write();
    });
    assert_dies_of(output, &[libc::SIGSEGV], 1);
}

#[test]
fn a_reporter_from_before_that_returns_reports_once() {
    let output = in_child("a_reporter_from_before_that_returns_reports_once", || {
        install_reporter(report_and_return);
        let _small = used_small();
        null_write();
    });
    assert_dies_of(output, &[libc::SIGSEGV], 1);
}

#[test]
fn a_reporter_from_after_reports_and_slots_go_on() {
    let output = in_child("a_reporter_from_after_reports_and_slots_go_on", || {
        let _first = used_small();
        install_reporter(report_and_raise);
        // The next slot finds the reporter on top and goes on top of it.
        let mut second = used_small();
        assert!(second.guest.restore());
        null_write();
    });
    if let Some(output) = output {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
        assert!((1..=2).contains(&text.matches("REPORT").count()), "{text}");
    }
}

#[test]
fn a_guests_trap_is_no_reporters_business() {
    let output = in_child("a_guests_trap_is_no_reporters_business", || {
        install_reporter(report_and_raise);
        let mut first = used_small();
        install_reporter(report_and_raise);
        let mut second = used_small();
        for small in [&mut first, &mut second] {
            assert_traps(small);
        }
    });
    assert_ends_unreported(output);
}

#[test]
fn a_slot_from_before_a_reporter_goes_on_after_a_check() {
    let output = in_child("a_slot_from_before_a_reporter_goes_on_after_a_check", || {
        let mut small = used_small();
        for round in 0..3 {
            install_reporter(report_and_raise);
            dayfly_sys::fault::ensure_on_top().expect("actions can be looked at");
            small.store((20 + round) * PAGE_BYTES, 1).expect("it is in memory");
            assert_traps(&mut small);
        }
    });
    assert_ends_unreported(output);
}

#[test]
fn a_host_that_gives_up_is_reported_and_dies_of_its_signal() {
    let output = in_child("a_host_that_gives_up_is_reported_and_dies_of_its_signal", || {
        let _first = used_small();
        install_reporter(report_and_raise);
        let _second = used_small();
        // SAFETY: none; this is the fault that the test is about.
        unsafe { std::arch::asm!("ud2") };
    });
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGILL), "{text}");
    assert!((1..=2).contains(&text.matches("REPORT").count()), "{text}");
}

#[test]
fn a_reporter_that_lets_the_fault_repeat_comes_to_an_end() {
    let output = in_child("a_reporter_that_lets_the_fault_repeat_comes_to_an_end", || {
        let _first = used_small();
        install_reporter(report_and_return);
        let _second = used_small();
        null_write();
    });
    if let Some(output) = output {
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
    }
}

#[test]
fn a_handler_that_does_nothing_does_not_hang_the_process() {
    let output = in_child("a_handler_that_does_nothing_does_not_hang_the_process", || {
        let _first = used_small();
        install(libc::SIGSEGV, return_only as *const () as usize, libc::SA_SIGINFO);
        let _second = used_small();
        null_write();
    });
    assert_dies_of(output, &[libc::SIGSEGV], 0);
}

#[test]
fn a_reporter_called_without_us_on_top_ends_too() {
    let output = in_child("a_reporter_called_without_us_on_top_ends_too", || {
        let _small = used_small();
        install_reporter(report_and_raise);
        null_write();
    });
    assert_dies_of(output, &[libc::SIGSEGV], 1);
}

#[test]
fn guests_on_many_threads_fault_at_the_same_time() {
    let output = in_child("guests_on_many_threads_fault_at_the_same_time", || {
        let threads = (0..8).map(|thread| {
            std::thread::spawn(move || {
                for round in 0..50_u8 {
                    let mut small = Small::new(Protection::Auto);
                    for page in (thread..500).step_by(7) {
                        small.store(page * PAGE_BYTES, round).expect("it is in memory");
                    }
                    assert_traps(&mut small);
                    assert!(small.guest.restore());
                    small.assert_restored();
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().expect("the thread ends well");
        }
    });
    assert_ends_well(output);
}
