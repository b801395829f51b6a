"""Every error that dayfly reports: what went wrong, what to do about it, and whose fault it was.

    DayflyError
    ├── ConfigError         dayfly.toml or a tenant directory is not as it must be
    │   └── RouteTaken      a host or path belongs to another tenant
    ├── BuildError          the source does not become a program
    ├── PackagesRefused     what the source needs cannot be had, or not here
    ├── IndexUnreachable    the package index does not answer
    ├── ProgramRefused      the program asks for something that a sandbox does not have
    ├── InitFailed          start-up or on_init failed
    ├── RehearsalFailed     a sample request was not answered as it must be
    ├── RegistryError       the data directory, or the database, cannot be used
    │   ├── DataDirectoryLocked
    │   └── DamagedRelease
    ├── NotFound            no such tenant, release, secret or token
    ├── Conflict            somebody else was faster, or the tenant is not in the state for it
    ├── QuotaExceeded       a tenant, or all together, would take too much of the disk
    ├── Overload            too many want the same at once
    ├── Leaving             the server is about to stop
    ├── BadToken            a token cannot be made as asked for, or is not accepted
    ├── ArchiveRefused      an uploaded archive is not one of regular files
    ├── ServerUnreachable   no server answers a client command
    ├── ServerRefused       a server refused a client command for a reason that has no class here
    ├── AddressInUse        somebody else listens there
    ├── SystemRefused       the operating system said no
    ├── ToolMissing         a program that a benchmark needs is not installed
    ├── InvalidOption       an option has a value that it cannot have
    └── InternalError       our own fault

The native half raises the same classes (`crates/dayfly-py/src/errors.rs` is the one conversion).
"""

from enum import IntEnum, StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Whose fault an error is; decides the level it is logged at."""

    GUEST = "guest"
    OPERATOR = "operator"
    HOST = "host"


class ExitCode(IntEnum):
    """What the process ends with; scripts rely on the numbers."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    BUG = 70


class DayflyError(Exception):
    """One line that says what is wrong and, after a semicolon, what to do.

    `field`: the key, header or part of what was sent that is wrong, where one is.
    """

    kind: ClassVar[str] = "error"
    fault: ClassVar[Fault] = Fault.OPERATOR
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED

    def __init__(self, *words: object, field: str = "") -> None:
        super().__init__(*words)
        self.field = field


class ConfigError(DayflyError):
    """A tenant directory or its dayfly.toml is not as it must be; names file, key and allowed values."""

    kind = "config"


class RouteTaken(ConfigError):
    """A host or path of a tenant belongs to another one; names both."""

    kind = "route_taken"


class BuildError(DayflyError):
    """The source does not become a program; names file, line and reason in terms of the source."""

    kind = "build"
    fault = Fault.GUEST


class PackagesRefused(DayflyError):
    """A package cannot be had or cannot work here; names line, package and reason."""

    kind = "packages"
    fault = Fault.GUEST


class IndexUnreachable(DayflyError):
    """The package index does not answer as one."""

    kind = "index"
    exit_code = ExitCode.UNREACHABLE


class ProgramRefused(DayflyError):
    """The program asks for something that a sandbox does not have; names it."""

    kind = "refused"
    fault = Fault.GUEST


class InitFailed(DayflyError):
    """Start-up or `on_init` ended in an error or at a limit."""

    kind = "init"
    fault = Fault.GUEST


class RehearsalFailed(DayflyError):
    """A new release did not answer one of the tenant's sample requests as it must."""

    kind = "rehearsal"
    fault = Fault.GUEST


class RegistryError(DayflyError):
    """The data directory cannot be used as it is."""

    kind = "registry"


class DataDirectoryLocked(RegistryError):
    """Another server works on the data directory."""

    kind = "locked"


class DamagedRelease(RegistryError):
    """A file of a release is missing or does not have its digest."""

    kind = "damaged"


class NotFound(DayflyError):
    """There is no such tenant, release, secret or token; names it."""

    kind = "not_found"


class Conflict(DayflyError):
    """A change was made for a state that is not there any more, or never was; nothing is changed.

    `revision`: that of the tenant when the change was refused, None if there is no such tenant.
    """

    kind = "conflict"

    def __init__(self, message: str, revision: int | None = None, *, field: str = "") -> None:
        super().__init__(message, field=field)
        self.revision = revision


class QuotaExceeded(DayflyError):
    """A release does not fit into the tenant's share of the disk, or that of all; says how much there is."""

    kind = "quota"


class Overload(DayflyError):
    """Too many want the same at once; nothing was changed, and it may be asked for again in a moment."""

    kind = "overload"


class Leaving(DayflyError):
    """The server is about to stop, and begins nothing new."""

    kind = "not_ready"


class BadToken(DayflyError):
    """A token cannot be as it was asked for, or one that was shown is not accepted; never holds the token."""

    kind = "token"


class ArchiveRefused(DayflyError):
    """An uploaded archive holds what a tenant directory cannot, or is damaged; names the entry."""

    kind = "archive"


class ServerUnreachable(DayflyError):
    """No server answers; says where it was looked for."""

    kind = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class ServerRefused(DayflyError):
    """A server refused what a client command asked for; the message is the server's."""

    kind = "server_refused"


class AddressInUse(DayflyError):
    """Somebody else listens on the address."""

    kind = "address_in_use"


class SystemRefused(DayflyError):
    """The operating system refused something; says what was tried."""

    kind = "system"


class ToolMissing(DayflyError):
    """A program that is not part of dayfly is not installed; says how to get it."""

    kind = "tool_missing"


class InvalidOption(DayflyError):
    """An option has a value that it cannot have."""

    kind = "usage"
    exit_code = ExitCode.USAGE


class InternalError(DayflyError):
    """Our own fault."""

    kind = "internal"
    fault = Fault.HOST
    exit_code = ExitCode.BUG
