//! What a process gives up for good before it meets a tenant's program: files, system calls, memory, time, company.
//!
//! ```text
//!   limits   rlimits: CPU, data, descriptors, size of a file, processes        what may be used up
//!   user     another user and no capability, where started with the right     whom the kernel takes it for
//!   files    landlock: own directory, what it reads, what it runs; network and signals shut     what there is
//!   calls    seccomp: an allow-list by profile, the rest answers EPERM          what may be asked
//! ```
//! All of it holds for the threads and children that come later, so it is put on while there is one thread. What the
//! kernel lacks is told, and is an error unless the policy allows it.

mod calls;
mod files;

use rustix::process::{self, Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets, Gid, Uid};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Serves requests on sockets that it was given.
    Worker,
    /// Freezes one program; talks through one socket that it was given.
    Freezer,
    /// Builds one source with programs of its own.
    Toolchain,
    /// Asks the package index: the only one that may open a connection.
    Resolver,
}

/// How a process is to be confined. Everything that is not named is out of reach.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is for.
    pub profile: Profile,
    /// Files and directories that it may read. Those that are not there are passed over.
    #[serde(default)]
    pub read: Vec<PathBuf>,
    /// Files and directories that it may change.
    #[serde(default)]
    pub write: Vec<PathBuf>,
    /// Files and directories that it may read and run.
    #[serde(default)]
    pub exec: Vec<PathBuf>,
    /// Memory for data of each process, in bytes.
    #[serde(default)]
    pub memory_bytes_max: Option<u64>,
    /// CPU time of each process, in seconds.
    #[serde(default)]
    pub cpu_seconds_max: Option<u64>,
    /// Open files of each process.
    #[serde(default)]
    pub descriptors_max: Option<u64>,
    /// Size of each file that it writes, in bytes.
    #[serde(default)]
    pub file_bytes_max: Option<u64>,
    /// Processes and threads of its user. The kernel counts those of root as none.
    #[serde(default)]
    pub processes_max: Option<u64>,
    /// User and group to become. It still reads what the lists above name, whoever owns it.
    #[serde(default)]
    pub user: Option<u32>,
    /// The process that has started this one: this one is killed when that one is gone.
    #[serde(default)]
    pub parent: Option<i32>,
    /// Go on with what the kernel offers.
    #[serde(default)]
    pub allow_unconfined: bool,
}

/// What holds from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confined {
    /// Version of landlock's interface that is in use; 0: none.
    pub landlock: u32,
    /// Whether system calls are filtered.
    pub seccomp: bool,
    /// Whether it runs as a user of its own.
    pub user: bool,
    /// What was asked for, and this kernel does not do: `seccomp`, `landlock`, `network`, `signals`.
    pub missing: Vec<&'static str>,
}

/// Why a process could not be confined.
#[derive(Debug)]
pub enum Error {
    /// The kernel lacks something, and the policy does not allow that.
    Missing(Vec<&'static str>),
    /// The process that started this one is gone.
    Orphan,
    /// There is more than one thread: the others would go free.
    Threads(usize),
    /// The system refused a step.
    Refused {
        /// Which one.
        step: &'static str,
        /// Its word.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing(what) => write!(formatter, "this kernel cannot confine a process by: {}", what.join(", ")),
            Error::Orphan => formatter.write_str("the process that started this one is gone"),
            Error::Threads(count) => write!(formatter, "a process with {count} threads cannot be confined"),
            Error::Refused { step, source } => write!(formatter, "confinement failed at {step}: {source}"),
        }
    }
}

impl std::error::Error for Error {}

fn refused<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Refused { step, source: source.into() }
}

/// Confines this process for good. It must have one thread.
///
/// # Errors
/// The kernel lacks something, or refuses a step: then the process is half confined, and must end.
pub fn confine(policy: &Policy) -> Result<Confined, Error> {
    let threads = threads();
    if threads != 1 {
        return Err(Error::Threads(threads));
    }
    limit(policy)?;
    if let Some(user) = policy.user {
        become_user(user)?;
    } else {
        give_up_capabilities(CapabilitySet::empty())?;
    }
    thread::set_no_new_privs(true).map_err(refused("no_new_privs"))?;
    if let Some(parent) = policy.parent {
        end_with(parent)?;
    }
    let files = files::confine(policy)?;
    let seccomp = calls::confine(policy.profile, files.signals)?;
    let kept = [(seccomp, "seccomp"), (files.landlock > 0, "landlock"), (files.network, "network")];
    let mut missing: Vec<&str> = kept.into_iter().filter(|(held, _)| !held).map(|(_, name)| name).collect();
    if !files.signals && policy.user.is_none() && policy.profile == Profile::Toolchain {
        missing.push("signals");
    }
    if missing.is_empty() || policy.allow_unconfined {
        return Ok(Confined { landlock: files.landlock, seccomp, user: policy.user.is_some(), missing });
    }
    Err(Error::Missing(missing))
}

/// Threads of this process; 1 if there is no `/proc` to ask.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

fn limit(policy: &Policy) -> Result<(), Error> {
    let limits = [
        (Resource::Cpu, policy.cpu_seconds_max),
        (Resource::Data, policy.memory_bytes_max),
        (Resource::Nofile, policy.descriptors_max),
        (Resource::Fsize, policy.file_bytes_max),
        (Resource::Nproc, policy.processes_max),
        (Resource::Core, Some(0)),
    ];
    for (resource, most) in limits {
        let Some(most) = most else { continue };
        // SIGXCPU says why: the kernel kills a second later whoever does not hear it. Never more than before.
        let grace = u64::from(resource == Resource::Cpu);
        let before = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let (current, maximum) = (Some(most.min(before)), Some(most.saturating_add(grace).min(before)));
        setrlimit(resource, Rlimit { current, maximum }).map_err(refused("limits"))?;
    }
    Ok(())
}

/// Becomes a user that owns nothing. Of root's rights one is left: to read what landlock lets it see.
fn become_user(user: u32) -> Result<(), Error> {
    let reading = CapabilitySet::DAC_READ_SEARCH;
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    thread::set_keep_capabilities(true).map_err(refused("keeping the right to read"))?;
    thread::set_thread_groups(&[]).map_err(refused("groups"))?;
    thread::set_thread_res_gid(gid, gid, gid).map_err(refused("group"))?;
    thread::set_thread_res_uid(uid, uid, uid).map_err(refused("user"))?;
    give_up_capabilities(reading)?;
    // For the programs that it starts.
    thread::configure_capability_in_ambient_set(reading, true).map_err(refused("keeping the right to read"))
}

fn give_up_capabilities(kept: CapabilitySet) -> Result<(), Error> {
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
    thread::set_capabilities(None, sets).map_err(refused("capabilities"))
}

/// Has the kernel kill this process when its parent is gone. After the change of user, which undoes it.
fn end_with(parent: i32) -> Result<(), Error> {
    process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused("the parent's death"))?;
    match process::getppid() {
        Some(now) if now.as_raw_nonzero().get() == parent => Ok(()),
        _ => Err(Error::Orphan),
    }
}
