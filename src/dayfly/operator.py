"""What may be done to a running server: `Operator`, which the admin API, the watcher and the command line share.

Every change is the same three steps: it is recorded durably, what is recorded is published, and the answer says what is
recorded now. A change that fails leaves what was there, recorded and serving.
"""

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dayfly.config import CONFIG_NAME, Limits, Tenant, Tier
from dayfly.core import Core
from dayfly.deploy import Change, Deployed, Workshop, captured, deploy, is_as_said, resume, source_of
from dayfly.errors import ConfigError, Conflict, DayflyError, Leaving, Overload, RegistryError
from dayfly.log import LEVELS, LogLine, Subscription, TenantLogs, logger
from dayfly.registry import Actor, Canary, Event, Grant, Recorded, Registry, ReleaseRow, TokenRow
from dayfly.toolchain import Source
from dayfly.watch import Report

WAITING_MAX = 16
"""Changes of one tenant that wait for another; one more is told to come back. The admin API takes 128 requests at once,
and six tenants may be busy for long: four deploys come that way, two from the watcher."""

FINISH_SECONDS = 10.0
"""How long changes that have begun may take when the server is about to stop."""


@dataclass(frozen=True)
class ReleaseName:
    """A release in two words."""

    digest: str
    number: int


@dataclass(frozen=True)
class CanaryState:
    """A release that gets a share of the requests."""

    digest: str
    number: int
    share: float
    failure: str
    """Why it gets no requests, although it should; empty if it does."""


@dataclass(frozen=True)
class TenantState:
    """What is recorded of a tenant. Without a release, it has secrets, limits or variables for its first one."""

    name: str
    revision: int
    tier: Tier | None
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    release: ReleaseName | None
    canary: CanaryState | None
    limits: Limits | None
    """As they hold: the operator's word over dayfly.toml."""
    environment: dict[str, str]
    """As it holds."""
    secrets: dict[str, bool]
    """Names of those that dayfly.toml asks for or that are kept, and whether there is a value."""
    failure: str
    """Why it does not serve, although it should; empty if it does."""


@dataclass(frozen=True)
class Overrides:
    """What the operator has said over a tenant's dayfly.toml."""

    limits: dict[str, int]
    environment: dict[str, str]
    revision: int
    """The tenant's."""


@dataclass(frozen=True)
class DeployReport:
    """What came of a deploy."""

    tenant: str
    revision: int
    release: ReleaseName
    unchanged: bool
    """It was recorded before: nothing was built."""
    canary: float | None
    """The share of the requests that it gets; None: all."""
    steps_ms: dict[str, float]
    total_ms: float
    log: tuple[str, ...]
    """What the program logged while it was loaded."""
    warnings: tuple[str, ...]


class Operator:
    """One registry, one workshop and one core, and what may be done with them; by any thread. Raises DayflyError."""

    def __init__(self, *, registry: Registry, workshop: Workshop, core: Core, logs: TenantLogs) -> None:
        self._registry = registry
        self._workshop = workshop
        self._core = core
        self._logs = logs
        self._guard = threading.Condition()
        self._turns: dict[str, _Turn] = {}
        self._is_leaving = False
        self._is_ready = False
        self._failures: dict[str, str] = {}
        self._canary_failures: dict[str, str] = {}
        self._watched: Callable[[], list[Report]] = list

    # Releases

    def deploy(self, tenant: Tenant, source: Path | Source, change: Change) -> DeployReport:
        """Make a source the release of its tenant, as `dayfly.deploy` tells it; the old one serves until the swap.

        Blocks for as long as a compiler takes.
        """
        with self._turn(tenant.name):
            deployed = self._deploy(tenant, source, change)
        return self._report(deployed, change)

    def deploy_sent(self, name: str, source: Source, change: Change) -> DeployReport:
        """Deploy what somebody sent for a tenant; it says itself what the tenant is to be."""
        tenant = Tenant.of(source.files.get(CONFIG_NAME, b""), source.directory)
        if tenant.name != name:
            raise ConfigError(
                f"the source is for tenant `{tenant.name}`, and was sent for `{name}`; correct `name` in {CONFIG_NAME}",
                field="name",
            )
        return self.deploy(tenant, source, change)

    def activate(self, name: str, release: str | int | None, change: Change) -> TenantState:
        """Make a recorded release of a tenant the current one: by number or digest; None: the one before.

        If it was made under other limits or variables than hold now, its source is deployed with these instead.
        """
        with self._changing(name):
            wanted = self._registry.whole(name, release, change.expected_revision)
            if is_as_said(wanted, self._registry):
                self._registry.activate(name, wanted.number, **change.terms)
            else:
                self._deploy(wanted.tenant, source_of(wanted), change)
        return self.tenant(name)

    def set_canary(self, name: str, share: float, change: Change) -> TenantState:
        """Change the share of the requests that a tenant's canary gets."""
        with self._changing(name):
            canary = self._registry.canary(name)
            if canary is None:
                raise Conflict(f"tenant `{name}` has no canary; deploy one: dayfly deploy --canary 10%")
            self._registry.set_canary(name, canary.release.number, share, **change.terms)
        return self.tenant(name)

    def promote(self, name: str, change: Change) -> TenantState:
        """Make a tenant's canary its current release."""
        with self._changing(name):
            self._registry.promote(name, **change.terms)
        return self.tenant(name)

    def abort(self, name: str, change: Change) -> TenantState:
        """Take a tenant's canary away; the current release gets all requests again."""
        with self._changing(name):
            self._registry.abort(name, **change.terms)
        return self.tenant(name)

    def releases(self, name: str) -> list[ReleaseRow]:
        """Return the releases of a tenant, the newest first."""
        return self._registry.releases_of(name)

    def history(self, name: str, limit: int, before: int | None = None) -> list[Event]:
        """Return what was done to a tenant, also to one that is removed, the newest first.

        `before`: only what has a lower number.
        """
        return self._registry.history(name, limit, before)

    # Tenants

    def tenants(self) -> list[TenantState]:
        """Return all tenants, sorted by name."""
        secrets = self._registry.secret_names_of_all()
        return [self._state(recorded, secrets.get(recorded.name, [])) for recorded in self._registry.tenants()]

    def tenant(self, name: str) -> TenantState:
        """Return one tenant."""
        return self._state(self._registry.tenant(name), self._registry.secret_names(name))

    def remove(self, name: str, change: Change) -> None:
        """Take a tenant away, with its secrets; requests in flight are finished."""
        with self._turn(name), self._retiring(name):
            self._registry.remove(name, **change.terms)
        logger.info("%s: removed by %s", name, change.by.name)

    def withdraw(self, name: str, change: Change) -> None:
        """Have a tenant serve nothing, now and after the next start; its releases, secrets and limits stay."""
        with self._turn(name), self._retiring(name):
            self._registry.withdraw(name, by=change.by, why=change.why)

    @contextmanager
    def _retiring(self, name: str) -> Iterator[None]:
        """Record inside that a tenant serves nothing any more; then the core takes it away, if it has it."""
        serves = self._registry.tenant(name).current is not None and name not in self._failures
        yield
        self._failures.pop(name, None)
        self._canary_failures.pop(name, None)
        if serves:
            self._core.retire(name)

    def overrides(self, name: str) -> Overrides:
        """Return what the operator has said over a tenant's dayfly.toml."""
        recorded = self._registry.tenant(name)
        return Overrides(dict(recorded.limits), dict(recorded.environment), recorded.revision)

    def override(
        self,
        name: str,
        change: Change,
        *,
        limits: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> TenantState:
        """Say which limits and variables hold, whatever dayfly.toml says. None: as before; empty: none.

        Memory and variables are part of a release, so the source of the current one is deployed again. If that fails,
        what was said before holds. Raises Conflict while there is a canary, which that would end.
        """
        with self._turn(name):
            before = self._registry.tenant(name)
            if before.canary:
                raise Conflict(
                    f"tenant `{name}` has a canary, which was made under the limits and variables before; "
                    f"end that first: dayfly promote {name}, or dayfly abort {name}",
                    before.revision,
                )
            self._registry.override(name, limits=limits, environment=environment, **change.terms)
            try:
                self._deploy_again(name, change)
            except DayflyError:
                self._registry.override(
                    name,
                    limits=before.limits,
                    environment=before.environment,
                    by=change.by,
                    why="taken back: the release could not be made",
                )
                raise
        return self.tenant(name)

    def secrets(self, name: str) -> dict[str, bool]:
        """Return the names of the secrets that a tenant asks for or has, and whether there is a value."""
        return self.tenant(name).secrets

    def set_secret(self, name: str, variable: str, value: str | None, change: Change) -> int:
        """Give a tenant the value of a secret, or take it away (None); return the tenant's revision.

        The program has it from the next request on. The tenant may be one that is yet to be deployed.
        """
        with self._changing(name):
            return self._registry.set_secret(name, variable, value, **change.terms)

    # Tokens

    def grant(self, token: str) -> Grant | None:
        """Say what a token allows, None if it is not valid."""
        return self._registry.grant(token)

    def tokens(self) -> list[TokenRow]:
        """Return all tokens, without what they are."""
        return self._registry.tokens()

    def issue_token(
        self, scopes: Sequence[str], *, note: str, expires_s: float | None, by: Actor
    ) -> tuple[TokenRow, str]:
        """Make a token. It is never seen again."""
        row, token = self._registry.issue_token(scopes, by=by, note=note, expires_s=expires_s)
        logger.info("token %s for %s issued by %s", row.id, ", ".join(scopes), by.name)
        return row, token

    def revoke_token(self, token_id: str, *, by: Actor) -> None:
        """Make a token invalid, now and for ever."""
        self._registry.revoke_token(token_id, by=by)
        logger.info("token %s revoked by %s", token_id, by.name)

    # What happens

    def stats(self) -> dict[str, Any]:
        """Return the counters of all threads and tenants since the start."""
        return self._core.stats()

    def directories(self) -> list[Report]:
        """Return the directories that are watched, and why what is in one is not live."""
        return self._watched()

    def watch_with(self, reports: Callable[[], list[Report]]) -> None:
        """Have a watcher tell how its directories stand."""
        self._watched = reports

    def tail(self, name: str, lines: int) -> list[LogLine]:
        """Return the last lines of a tenant's log, the oldest first."""
        self._registry.tenant(name)
        return self._logs.tail(name, lines)

    @contextmanager
    def subscribed(self, name: str | None, wake: Callable[[], None]) -> Iterator[Subscription]:
        """Have the log lines of a tenant, or of all, as they come; any thread calls `wake` when there are some."""
        subscription = self._logs.subscribe(name, wake)
        try:
            yield subscription
        finally:
            self._logs.unsubscribe(subscription)

    @property
    def subscribers(self) -> int:
        """How many have log lines as they come."""
        return self._logs.readers

    def resume(self, *, except_for: Container[str] = ()) -> int:
        """Publish all tenants as they are recorded; return how many serve.

        A damaged one is reported, and does not keep the others from serving.
        """
        names = [recorded.name for recorded in self._registry.tenants() if recorded.current or recorded.broken]
        return sum(self._resume(name) for name in names if name not in except_for)

    def _resume(self, name: str) -> bool:
        try:
            self._publish(name)
        except RegistryError as error:
            logger.error("%s", error)
            self._failures[name] = str(error)
            return False
        return True

    def say_ready(self) -> None:
        """Note that requests are answered."""
        self._is_ready = True

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""
        return self._is_ready

    def hang_up(self) -> None:
        """Note that requests are not answered much longer, and let go of those who wait for log lines."""
        self._is_ready = False
        self._logs.hang_up()

    def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Have what was begun recorded and published while the core still serves, and let nothing else begin.

        What takes longer is not recorded. Blocks; to be called before the core stops.
        """
        self.hang_up()
        with self._guard:
            self._is_leaving = True
            self._guard.wait_for(lambda: not self._turns, seconds)
        self._registry.end_writing()

    # How

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Change one tenant; who else wants to must wait, so that what is published last is what was recorded last."""
        with self._guard:
            self._check_stays()
            turn = self._turns.setdefault(name, _Turn())
            if turn.wanted > WAITING_MAX:
                raise Overload(f"too many changes of tenant `{name}` at once; try again in some seconds")
            turn.wanted += 1
        try:
            # What serves now stays whole until its successor is published.
            with turn.lock, self._registry.deploying():
                self._check_stays()
                yield
        finally:
            with self._guard:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[name]
                    self._guard.notify_all()

    def _check_stays(self) -> None:
        if self._is_leaving:
            raise Leaving("the server is about to stop, and nothing was changed; try again when it is back")

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Record a change inside; then it is published."""
        with self._turn(name):
            yield
            self._publish(name)

    def _publish(self, name: str) -> None:
        self._serves(name, resume(name, workshop=self._workshop, registry=self._registry, core=self._core))

    def _serves(self, name: str, canary_failure: str = "") -> None:
        """Note that a tenant is as it is recorded, but for its canary perhaps."""
        self._failures.pop(name, None)
        self._canary_failures[name] = canary_failure

    def _deploy(self, tenant: Tenant, source: Path | Source, change: Change) -> Deployed:
        deployed = deploy(
            tenant, source, workshop=self._workshop, registry=self._registry, core=self._core, change=change
        )
        self._serves(tenant.name, deployed.canary_failure)
        return deployed

    def _deploy_again(self, name: str, change: Change) -> None:
        """Deploy the source that the current release holds, if there is one."""
        if current := self._registry.current(name):
            why = change.why or "limits or variables were changed"
            self._deploy(current.tenant, source_of(current), Change(change.by, why))

    def _state(self, recorded: Recorded, known: Sequence[str]) -> TenantState:
        name, current, canary = recorded.name, recorded.current, recorded.canary
        effective = recorded.over(current.tenant) if current else None
        return TenantState(
            name=name,
            revision=recorded.revision,
            tier=effective.tier if effective else None,
            hosts=effective.hosts if effective else (),
            paths=effective.paths if effective else (),
            release=ReleaseName(current.digest, current.number) if current else None,
            canary=self._canary_state(name, canary) if canary else None,
            limits=effective.limits if effective else None,
            environment=dict(effective.environment if effective else recorded.environment),
            secrets={
                variable: variable in known for variable in sorted({*(effective.secrets if effective else ()), *known})
            },
            failure=recorded.broken or self._failures.get(name, ""),
        )

    def _canary_state(self, name: str, canary: Canary) -> CanaryState:
        release, failure = canary.release, self._canary_failures.get(name, "")
        return CanaryState(release.digest, release.number, canary.share, failure)

    def _report(self, deployed: Deployed, change: Change) -> DeployReport:
        """Tell the operator's log and the caller."""
        release = deployed.release
        name, warnings = release.tenant.name, tuple(captured(deployed.snapshot))
        self._logs.write_init(name, release.digest, deployed.init_log)
        for warning in warnings:
            logger.warning("%s: %s", name, warning)
        what = "unchanged" if deployed.unchanged else "live"
        logger.info(
            "%s: release %s %s, tier `%s` (%s)", name, release.digest[:12], what, release.tenant.tier, deployed.steps
        )
        return DeployReport(
            tenant=name,
            revision=release.revision,
            release=ReleaseName(release.digest, release.number),
            unchanged=deployed.unchanged,
            canary=change.canary,
            steps_ms={step: round(seconds * 1e3, 3) for step, seconds in deployed.steps.seconds.items()},
            total_ms=round(deployed.steps.total_ms, 3),
            log=tuple(f"{LEVELS[level]}: {text}" for level, text in deployed.init_log),
            warnings=warnings,
        )


@dataclass
class _Turn:
    """Whose turn it is to change a tenant, and how many want to."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0
