//! Seccomp: which system calls a profile may make. What is not listed answers `EPERM`.

use super::{Error, Profile};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;
use std::io;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What every profile may ask, with any arguments.
#[rustfmt::skip]
const EVERYBODY: &[i64] = &[
    // octets
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_lseek, libc::SYS_close,
    libc::SYS_close_range, libc::SYS_dup, libc::SYS_dup2, libc::SYS_dup3, libc::SYS_pipe, libc::SYS_pipe2,
    libc::SYS_eventfd2, libc::SYS_memfd_create, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_copy_file_range,
    // files, as far as landlock lets it
    libc::SYS_open, libc::SYS_openat, libc::SYS_stat, libc::SYS_fstat, libc::SYS_lstat, libc::SYS_newfstatat,
    libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_access, libc::SYS_faccessat, libc::SYS_faccessat2,
    libc::SYS_readlink, libc::SYS_readlinkat, libc::SYS_getdents64, libc::SYS_getcwd, libc::SYS_umask,
    libc::SYS_unlink, libc::SYS_unlinkat, libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_mkdir,
    libc::SYS_mkdirat, libc::SYS_rmdir, libc::SYS_fsync, libc::SYS_fdatasync,
    // memory
    libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk,
    libc::SYS_msync, libc::SYS_mincore, libc::SYS_membarrier,
    // its own signals, threads and time
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait, libc::SYS_sigaltstack, libc::SYS_restart_syscall,
    libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_set_robust_list, libc::SYS_set_tid_address, libc::SYS_rseq,
    libc::SYS_arch_prctl, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_sched_getscheduler, libc::SYS_sched_getparam,
    libc::SYS_sched_getattr, libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min, libc::SYS_getpriority, libc::SYS_getcpu,
    libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_clock_gettime, libc::SYS_clock_getres,
    libc::SYS_gettimeofday, libc::SYS_time, libc::SYS_times, libc::SYS_alarm, libc::SYS_getitimer, libc::SYS_setitimer,
    libc::SYS_timerfd_create, libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
    libc::SYS_poll, libc::SYS_ppoll, libc::SYS_select, libc::SYS_pselect6, libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl, libc::SYS_epoll_wait, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    // what it is and may
    libc::SYS_getpid, libc::SYS_gettid, libc::SYS_getppid, libc::SYS_getpgrp, libc::SYS_getpgid, libc::SYS_getsid,
    libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getresuid,
    libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_getrlimit, libc::SYS_setrlimit, libc::SYS_getrusage,
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrandom,
];

/// What goes through sockets that a process was given.
#[rustfmt::skip]
const CONVERSATION: &[i64] = &[
    libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg,
    libc::SYS_shutdown, libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_getsockname, libc::SYS_getpeername,
];

/// What programs of the toolchain do besides: start others, and work on a tree of files.
#[rustfmt::skip]
const BUILDING: &[i64] = &[
    libc::SYS_execve, libc::SYS_fork, libc::SYS_vfork, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_setsid,
    libc::SYS_setpgid, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_truncate, libc::SYS_link, libc::SYS_linkat,
    libc::SYS_symlink, libc::SYS_symlinkat, libc::SYS_chmod, libc::SYS_fchmod, libc::SYS_fchmodat,
    libc::SYS_utimensat, libc::SYS_utimes, libc::SYS_sendfile, libc::SYS_fadvise64, libc::SYS_getxattr,
    libc::SYS_lgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_sync_file_range,
];

/// Flags of `clone` that make a namespace.
const NAMESPACES: u64 = 0x7e02_0000;
/// `PR_SET_PDEATHSIG`, `PR_GET_PDEATHSIG`, `PR_SET_NAME`, `PR_GET_NAME`, `PR_CAPBSET_READ`, `PR_SET_TIMERSLACK`,
/// `PR_SET_NO_NEW_PRIVS`, `PR_GET_NO_NEW_PRIVS`, `PR_SET_VMA`.
const PRCTL: [u64; 9] = [1, 2, 15, 16, 23, 29, 38, 39, 0x5356_4d41];
/// `TCGETS`, `TIOCGWINSZ`, `FIONREAD`, `FIONBIO`, `FIONCLEX`, `FIOCLEX`; of userfaultfd API, register, unregister, wake
/// and write-protect; `PAGEMAP_SCAN`.
const IOCTL: [u64; 12] = [
    0x5401,
    0x5413,
    0x541b,
    0x5421,
    0x5450,
    0x5451,
    0xc018_aa3f,
    0xc020_aa00,
    0x8010_aa01,
    0x8010_aa02,
    0xc018_aa06,
    0xc060_6610,
];
/// Duplicates, flags, locks, seals and sizes of pipes; not `F_SETOWN`, which sends signals.
const FCNTL: [u64; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1033, 1034, 1036];
const AF_INET: u64 = libc::AF_INET as u64;
const AF_INET6: u64 = libc::AF_INET6 as u64;

/// Filters the system calls of this process from now on. False if the kernel cannot.
pub(super) fn confine(profile: Profile, signals_stay: bool) -> Result<bool, Error> {
    let failed = |error: seccompiler::BackendError| Error::Refused { step: "seccomp", source: io::Error::other(error) };
    // C libraries take these as absent, and do the same by calls whose arguments a filter can see.
    let absent = [libc::SYS_clone3, libc::SYS_openat2, libc::SYS_execveat].map(|call| (call, Vec::new()));
    let absent = program(absent.into(), SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32));
    let errno = SeccompAction::Errno(libc::EPERM as u32);
    let mut allowed = rules(profile, signals_stay).map_err(failed)?;
    for call in [libc::SYS_clone3, libc::SYS_openat2, libc::SYS_execveat] {
        allowed.insert(call, Vec::new());
    }
    let listed = program(allowed, errno, SeccompAction::Allow).map_err(failed)?;
    let absent = absent.map_err(failed)?;
    for filter in [&absent, &listed] {
        match apply_filter_all_threads(filter) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if lacks_seccomp(&error) => return Ok(false),
            Err(error) => return Err(Error::Refused { step: "seccomp", source: io::Error::other(error) }),
        }
    }
    Ok(true)
}

fn lacks_seccomp(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

fn program(
    rules: Rules,
    others: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(rules, others, listed, TargetArch::x86_64)?.try_into()
}

fn rules(profile: Profile, signals_stay: bool) -> Result<Rules, seccompiler::BackendError> {
    let us = u64::from(std::process::id());
    let mut rules: Rules = EVERYBODY.iter().map(|call| (*call, Vec::new())).collect();
    let mut allow = |calls: &[i64]| rules.extend(calls.iter().map(|call| (*call, Vec::new())));
    if profile != Profile::Worker {
        // A worker shares the lock of the data directory, and could let go of it for the server.
        allow(&[libc::SYS_flock]);
    }
    match profile {
        Profile::Worker => {
            allow(CONVERSATION);
            allow(&[libc::SYS_accept4, libc::SYS_accept]);
        }
        Profile::Freezer => allow(CONVERSATION),
        Profile::Toolchain => allow(BUILDING),
        Profile::Resolver => {
            allow(CONVERSATION);
            allow(&[libc::SYS_connect, libc::SYS_chmod, libc::SYS_fchmod]);
        }
    }
    rules.insert(libc::SYS_prctl, any_of(0, &PRCTL)?);
    rules.insert(libc::SYS_ioctl, any_of(1, &IOCTL)?);
    rules.insert(libc::SYS_fcntl, any_of(1, &FCNTL)?);
    // Its own limits and its own share of the processors, never those of another process.
    for call in
        [libc::SYS_prlimit64, libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler, libc::SYS_sched_setattr]
    {
        rules.insert(call, any_of(0, &[0])?);
    }
    // PRIO_PROCESS 0: this thread; a group or a user has others in it.
    let (process, this) = (equal(0, libc::PRIO_PROCESS as u64)?, equal(1, 0)?);
    rules.insert(libc::SYS_setpriority, vec![SeccompRule::new(vec![process, this])?]);
    // UFFD_USER_MODE_ONLY: no thread of the kernel ever waits for an answer.
    rules.insert(libc::SYS_userfaultfd, vec![masked(0, 1, 1)?]);
    rules.insert(libc::SYS_clone, vec![clone_of(profile)?]);
    if profile == Profile::Toolchain && signals_stay {
        rules.extend([libc::SYS_kill, libc::SYS_tgkill].map(|call| (call, Vec::new())));
    } else {
        rules.insert(libc::SYS_kill, any_of(0, &[us])?);
        rules.insert(libc::SYS_tgkill, any_of(0, &[us])?);
    }
    if profile == Profile::Resolver {
        // No Unix socket: the admin API listens on one.
        rules.insert(libc::SYS_socket, any_of(0, &[AF_INET, AF_INET6])?);
    }
    Ok(rules)
}

/// A thread; of the toolchain also a process.
fn clone_of(profile: Profile) -> Result<SeccompRule, seccompiler::BackendError> {
    let thread = libc::CLONE_THREAD as u64;
    if profile == Profile::Toolchain { masked(0, NAMESPACES, 0) } else { masked(0, NAMESPACES | thread, thread) }
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    values.iter().map(|value| SeccompRule::new(vec![equal(argument, *value)?])).collect()
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let equal = SeccompCmpOp::MaskedEq(mask);
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, equal, value)?])
}
