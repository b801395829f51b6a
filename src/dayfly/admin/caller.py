"""Who asks, and what they may do."""

import ipaddress
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.concurrency import run_in_threadpool

from dayfly.admin.problem import Problem
from dayfly.log import logger, printable
from dayfly.operator import Operator
from dayfly.registry import Actor

TOKEN_CHARACTERS_MAX = 512
"""Of what follows `Bearer`; our own tokens have about a hundred."""

FAILURES_MAX = 10
"""Refused tokens of one peer in a row; after that each must wait."""

FAILURE_SECONDS = 6.0
"""In which a peer may try one more."""

PEERS_MAX = 4096
"""Of which refusals are remembered; those longest ago are forgotten first."""


class Need(StrEnum):
    """What a route asks of a caller."""

    NOTHING = "nothing"
    """No token: what a load balancer asks."""
    TOKEN = "token"  # noqa: S105 - a word
    """Any valid token."""
    READ = "read"
    """`admin`, `read`, or `deploy:<tenant>` for what belongs to that tenant."""
    DEPLOY = "deploy"
    """`admin`, or `deploy:<tenant>` for that tenant."""
    ADMIN = "admin"
    """`admin` alone."""


@dataclass(frozen=True)
class Peer:
    """The other end of a connection."""

    address: str
    """An IP address, or `unix:UID` for a process on this machine."""

    @classmethod
    def of(cls, scope: Any) -> "Peer":  # noqa: ANN401 - ASGI
        """Take it from a request; `dayfly.admin.listener` has put it there, and no header can change it."""
        client = scope.get("client")
        return cls(str(client[0]) if client else "unknown")

    @property
    def is_owner(self) -> bool:
        """Whether it is the user that this server runs as, or root, on the socket in the file system."""
        return self.address in {f"unix:{os.geteuid()}", "unix:0"}

    @property
    def group(self) -> str:
        """Whom refused tokens are counted to: one network of IPv6 has more addresses than can be remembered."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else self.address  # noqa: PLR2004


@dataclass(frozen=True)
class Caller:
    """Somebody whose right to ask is proven."""

    actor: Actor
    scopes: frozenset[str]

    def may(self, need: Need, tenant: str | None) -> bool:
        """Tell whether what is asked for is within the scopes."""
        enough = {"admin"}
        if need is Need.READ:
            enough.add("read")
        if need in {Need.READ, Need.DEPLOY} and tenant is not None:
            enough.add(f"deploy:{tenant}")
        return need in {Need.NOTHING, Need.TOKEN} or not enough.isdisjoint(self.scopes)


class Failures:
    """Counts the refused tokens of each peer, and says how long it must wait before it may show another one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()
        """When all refusals of a peer are forgiven."""

    def wait_seconds(self, peer: Peer) -> float:
        """Return how long a peer must wait; 0: not at all."""
        left = self._until.get(peer.group, 0.0) - self._clock()
        return max(0.0, left - (FAILURES_MAX - 1) * FAILURE_SECONDS)

    def record(self, peer: Peer) -> None:
        """Count one more."""
        until = max(self._until.pop(peer.group, 0.0), self._clock()) + FAILURE_SECONDS
        self._until[peer.group] = until
        if len(self._until) > PEERS_MAX:
            self._until.popitem(last=False)


async def identify(operator: Operator, failures: Failures, peer: Peer, credentials: Iterable[bytes]) -> Caller:
    """Say who asks: whose token it is, or the owner of the server without one.

    `credentials`: the values of the `Authorization` fields. Raises Problem.
    """
    values = list(credentials)
    if not values and peer.is_owner:
        return Caller(Actor("local"), frozenset({"admin"}))
    grant = await run_in_threadpool(operator.grant, token) if (token := _token(values)) else None
    if grant is None:
        # Only what is refused is slowed down: behind one address there may be many, with tokens that are valid.
        if wait := failures.wait_seconds(peer):
            raise Problem(
                429,
                "too_many_failures",
                "too many refused tokens came from your address; wait as `Retry-After` says",
                field="Authorization",
                headers={"Retry-After": str(int(wait) + 1)},
            )
        if values:
            logger.warning("admin: a token that is not valid came from %s", printable(peer.address))
            failures.record(peer)
        raise Problem(
            401,
            "bad_token",
            "a valid token is needed: `Authorization: Bearer TOKEN`; `dayfly token create` makes one",
            field="Authorization",
            headers={"WWW-Authenticate": 'Bearer realm="dayfly"'},
        )
    return Caller(grant.actor, frozenset(grant.scopes))


def _token(values: list[bytes]) -> str | None:
    """Return the token of a request (RFC 6750 section 2.1), or None if it has none, two, or what cannot be one."""
    scheme, _, token = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not 0 < len(token) <= TOKEN_CHARACTERS_MAX or not token.isascii():
        return None
    return token.decode("ascii")
