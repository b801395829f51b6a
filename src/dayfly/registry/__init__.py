"""What is recorded: tenants, their releases and which of them serve, secrets, tokens, and who changed what when.

A directory of release files (`files`) and a database (`database`, `schema`, `migrations`); `registry` is the door to
both.
"""

from dayfly.registry.audit import Event
from dayfly.registry.housekeeper import Housekeeper
from dayfly.registry.registry import DiskQuotas, Registry
from dayfly.registry.tenants import Canary, Recorded, Release, ReleaseRow
from dayfly.registry.tokens import Grant, TokenRow
from dayfly.registry.values import LOCAL, Actor
from dayfly.registry.vault import Key

__all__ = [
    "LOCAL",
    "Actor",
    "Canary",
    "DiskQuotas",
    "Event",
    "Grant",
    "Housekeeper",
    "Key",
    "Recorded",
    "Registry",
    "Release",
    "ReleaseRow",
    "TokenRow",
]
