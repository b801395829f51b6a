"""What must differ from request to request: `random`, `os.urandom` and what is made of them; and waiting."""

import functools
import operator
import os
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

from . import captures, host

_SEED_BYTES = 32
_CURE = "draw them in the function that answers"

_METHODS = (
    *("random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle", "choices", "gauss"),
    *("normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate", "betavariate"),
    *("binomialvariate", "paretovariate", "weibullvariate", "getrandbits", "randbytes", "getstate"),
)


def urandom(size: int, /) -> bytes:
    """Return random octets of the host. Raises RuntimeError while freezing."""
    if size < 0:
        raise ValueError("negative argument not allowed")
    captures.refuse("random octets were asked for", _CURE)
    octets: bytes = host.calls.random(size)
    return octets


class Shared:
    """The generator behind the functions of `random`: seeded when a request first uses it.

    Each request begins with the memory of the snapshot, where `seeded` is false; so a program that never draws pays
    nothing. A program that seeds it itself while freezing keeps its seed.
    """

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.seeded = False

    def through(self, name: str) -> Callable[..., Any]:
        """Return the module's function of that name."""
        method = getattr(self.generator, name)

        @functools.wraps(method)
        def function(*args: Any, **kwargs: Any) -> Any:
            if not self.seeded:
                self.begin()
            return method(*args, **kwargs)

        return function

    def begin(self) -> None:
        """Draw a seed; while freezing one that is known, and noted as captured."""
        if host.calls.freezing():
            captures.note(captures.RANDOM)
            return
        self.seeded = True
        _seed(self.generator, host.calls.random(_SEED_BYTES))

    def setstate(self, state: Any) -> None:
        """Take a state over, which is then as good as a seed."""
        self.seeded = True
        self.generator.setstate(state)

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Seed as told; without a number, anew in each request."""
        if a is None and host.calls.freezing():
            captures.note(captures.RANDOM)
            self.seeded = False
            return
        self.seeded = True
        self.generator.seed(a, version)


_seed = random.Random.seed


def seed(generator: random.Random, a: Any = None, version: int = 2) -> None:
    """Seed any generator; one that gets no number while freezing is noted, since all requests will share it."""
    if a is None:
        if host.calls.freezing():
            captures.note(captures.RANDOM)
            a = 0
        else:
            a = host.calls.random(_SEED_BYTES)
    _seed(generator, a, version)


def sleep(seconds: Any, /) -> None:
    """Wait, as `time.sleep` does. Raises RuntimeError while freezing."""
    if not isinstance(seconds, float):
        seconds = operator.index(seconds)
    if seconds != seconds:  # noqa: PLR0124 - only NaN differs from itself
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds == 0:
        return
    captures.refuse("time.sleep was called", "wait in the function that answers")
    host.calls.sleep(min(int(seconds * 1e9), (1 << 63) - 1))


def renew() -> None:
    """Take back what the standard library has drawn for itself, so that a request draws it anew."""
    drawn: Any = tempfile
    drawn._name_sequence = None


def install() -> None:
    """Replace the functions of `os`, `time` and `random`."""
    os.urandom = urandom
    time.sleep = sleep
    generators: Any = random
    generators._urandom = urandom  # what SystemRandom draws from
    shared = Shared(generators._inst)
    for name in _METHODS:
        if hasattr(random, name):
            setattr(random, name, shared.through(name))
    random.seed = shared.seed
    random.setstate = shared.setstate
    generators.Random.seed = seed
