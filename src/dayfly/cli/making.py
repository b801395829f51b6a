"""What commands that make releases share; those that ask a server start sooner without it."""

from dayfly.core import CoreOptions, NativeCore, Snapshot
from dayfly.deploy import Workshop, captured
from dayfly.log import logger
from dayfly.resolver import Resolver, ResolverOptions
from dayfly.toolchain.toolchain import code_cache


def make_workshop(index: str) -> Workshop:
    """Return what makes releases, with packages from an index."""
    return Workshop(resolver=Resolver(ResolverOptions(index=index)))


def make_core() -> NativeCore:
    """Return a core that makes and rehearses releases."""
    return NativeCore(CoreOptions(code_cache=code_cache()))


def say_captured(name: str, snapshot: Snapshot | None) -> None:
    """Warn of what a program took while it was loaded, a line each."""
    for line in captured(snapshot):
        logger.warning("%s: %s", name, line)
