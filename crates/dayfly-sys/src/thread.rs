//! What a thread can ask of the kernel about itself: its number, its CPU time, its priority, its place.

use rustix::io;
use rustix::thread::{self, CpuSet};
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::mem::size_of;

/// The calling thread's number in the kernel, asked for once.
#[inline]
pub fn id() -> i32 {
    thread_local! {
        static ID: Cell<i32> = const { Cell::new(0) };
    }
    match ID.get() {
        0 => {
            let id = kernel_id();
            ID.set(id);
            id
        }
        id => id,
    }
}

/// The same, asked for again: async-signal-safe.
pub(crate) fn kernel_id() -> i32 {
    thread::gettid().as_raw_nonzero().get()
}

/// CPU time of the calling thread so far, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Lets the calling thread run when others at normal priority leave it time: `SCHED_BATCH` and a nice value, 1 to 19.
/// At normal priority the lane for long requests cost the I/O threads 30-80 % of their rate.
///
/// # Errors
/// The kernel refuses (a sandboxed parent may have forbidden it).
pub fn yield_to_others(nice: i32) -> std::io::Result<()> {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the calling thread; the parameter is valid for the policy.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // No number names the calling thread too, and a confined process may name no other.
    rustix::process::setpriority_process(None, nice)?;
    Ok(())
}

/// Asks for short time slices for the calling thread (Linux 6.12; earlier kernels ignore it), so that it gets the CPU
/// soon after it wakes up.
///
/// # Errors
/// The kernel refuses.
pub fn slice_ns(nanoseconds: u64) -> std::io::Result<()> {
    let attributes = SchedulingAttributes {
        bytes: size_of::<SchedulingAttributes>() as u32,
        runtime_ns: nanoseconds,
        ..SchedulingAttributes::default()
    };
    // SAFETY: the structure is `struct sched_attr` in its first version and says how long it is; 0 names the thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// `struct sched_attr` of the kernel, version 0. All zero: normal policy, nice 0.
#[repr(C)]
#[derive(Default)]
struct SchedulingAttributes {
    bytes: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// The CPUs that the calling thread may run on.
///
/// # Errors
/// The kernel refuses.
pub fn cpus() -> io::Result<Vec<usize>> {
    let set = thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Binds the calling thread to one CPU.
///
/// # Errors
/// There is no such CPU, or this process may not use it.
pub fn bind_to_cpu(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    thread::sched_setaffinity(None, &set)
}

/// The slow half of a lopsided fence: after it, every other thread of the process has seen what this one wrote before,
/// and this one sees what they wrote. Their half is free: they only must not be reordered by the compiler.
///
/// # Errors
/// The kernel has no private expedited barrier (before 4.14), or a filter forbids it.
pub fn fence_all_threads() -> std::io::Result<()> {
    const PRIVATE_EXPEDITED: i32 = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;
    for command in [REGISTER_PRIVATE_EXPEDITED, PRIVATE_EXPEDITED] {
        // SAFETY: the call takes three integers and touches no memory of ours.
        if unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_a_number_of_its_own() {
        let here = id();
        let there = std::thread::spawn(id).join().expect("the thread ends well");
        assert_eq!(here, kernel_id());
        assert_ne!(here, there);
    }

    #[test]
    fn cpu_time_passes_while_computing() {
        let before = cpu_ns();
        while cpu_ns() == before {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_thread_may_lower_its_priority_and_choose_its_cpu() {
        std::thread::spawn(|| {
            yield_to_others(10).expect("lowering needs no right");
            slice_ns(100_000).expect("a slice needs no right");
            let cpus = cpus().expect("the kernel knows");
            bind_to_cpu(cpus[0]).expect("it may run there already");
            fence_all_threads().expect("the barrier exists since 4.14");
        })
        .join()
        .expect("the thread ends well");
    }
}
