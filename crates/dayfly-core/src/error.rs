//! Every way a request or a call of the core can end other than well, and whose fault it was.

use rustix::io::Errno;
use std::fmt;

/// Why a request got no answer of its program. The name goes into `Dayfly-Cause`, counters and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// CPU limit.
    Cpu,
    /// Wall limit.
    Wall,
    /// Memory limit.
    Memory,
    /// Trap, stack overflow or uncaught exception.
    Trap,
    /// The reply broke a rule.
    BadResponse,
    /// A queue or a pool is full.
    Overload,
    /// The tenant used up what it may use.
    Quota,
    /// Our own fault.
    Internal,
}

impl Cause {
    /// All causes, in the order of their counters.
    pub const ALL: [Cause; 8] = [
        Cause::Cpu,
        Cause::Wall,
        Cause::Memory,
        Cause::Trap,
        Cause::BadResponse,
        Cause::Overload,
        Cause::Quota,
        Cause::Internal,
    ];

    /// The status a client gets (RFC 9110 section 15).
    pub fn status(self) -> u16 {
        match self {
            Cause::Cpu | Cause::Wall => 504,
            Cause::Memory => 507,
            Cause::Trap | Cause::Internal => 500,
            Cause::BadResponse => 502,
            Cause::Overload => 503,
            Cause::Quota => 429,
        }
    }

    /// The fixed name, as in `Dayfly-Cause`.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Cpu => "cpu",
            Cause::Wall => "wall",
            Cause::Memory => "memory",
            Cause::Trap => "trap",
            Cause::BadResponse => "bad_response",
            Cause::Overload => "overload",
            Cause::Quota => "quota",
            Cause::Internal => "internal",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why one run in a sandbox ended without a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The run's CPU allowance is used up: the inline budget, or the tenant's limit in the overflow lane.
    Cpu,
    /// The wall deadline has passed.
    Wall,
    /// The program died after a growth of its memory was refused; the text says of what, for the tenant's log.
    Memory(String),
    /// The program trapped or reported failure; the text is for the tenant's log.
    Trap(String),
    /// The reply broke a rule; the text says which.
    BadResponse(String),
    /// A hostcall would block, and this lane may not.
    Blocks,
    /// Our own fault; the text is for the operator's log.
    Internal(String),
}

impl Stop {
    /// What the client is told.
    pub fn cause(&self) -> Cause {
        match self {
            Stop::Cpu => Cause::Cpu,
            Stop::Wall => Cause::Wall,
            Stop::Memory(_) => Cause::Memory,
            Stop::Trap(_) => Cause::Trap,
            Stop::BadResponse(_) => Cause::BadResponse,
            // No lane is left in which it may block: the lanes are at fault.
            Stop::Blocks | Stop::Internal(_) => Cause::Internal,
        }
    }
}

/// For logs: one line.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Cpu => f.write_str("stopped: the request used all its CPU time"),
            Stop::Wall => f.write_str("stopped: the request's wall time is over"),
            Stop::Memory(text) => {
                let colon = if text.is_empty() { "" } else { ": " };
                write!(f, "failed after a growth of its memory was refused{colon}{text}")
            }
            Stop::Trap(text) | Stop::Internal(text) => f.write_str(text),
            Stop::BadResponse(text) => write!(f, "invalid response: {text}"),
            Stop::Blocks => f.write_str("a hostcall would block where it may not"),
        }
    }
}

/// Whose fault an error of the core is; decides exit code, status and log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program or its source.
    Guest,
    /// The operator's input or environment: an option, a port, a file.
    Operator,
    /// Ours.
    Host,
}

/// An error of a call of the core (not of a request).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program cannot be run here; says why.
    #[error("{0}")]
    Refused(String),
    /// Start-up or `on_init` failed; says how.
    #[error("{0}")]
    InitFailed(String),
    /// A file of a release is damaged or missing.
    #[error("release `{release}` is damaged: {reason}")]
    Damaged {
        /// The release's digest or directory name.
        release: String,
        /// What does not fit.
        reason: String,
    },
    /// An address is taken.
    #[error("{0}")]
    AddressInUse(String),
    /// An option or name is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The system refused something.
    #[error("{context}: {source}")]
    Io {
        /// What was tried.
        context: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Our own fault.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Refused(_) | Error::InitFailed(_) => Fault::Guest,
            Error::Damaged { .. } | Error::AddressInUse(_) | Error::Invalid(_) | Error::Io { .. } => Fault::Operator,
            Error::Internal(_) => Fault::Host,
        }
    }

    /// Whether the process has no descriptors, mappings or memory left.
    pub(crate) fn is_lack(&self) -> bool {
        matches!(self, Error::Io { source, .. } if is_lack(source))
    }

    /// An `Io` error with its context.
    pub fn io(context: impl Into<String>, source: impl Into<std::io::Error>) -> Error {
        Error::Io { context: context.into(), source: source.into() }
    }
}

/// Whether the system has refused descriptors, mappings or memory.
pub(crate) fn is_lack(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}
