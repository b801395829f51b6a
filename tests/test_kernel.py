"""What the kernel offers, and how it is told when it does not."""

import contextlib
import errno
import os

import pytest

from dayfly import kernel
from dayfly.core import CoreOptions, NativeCore
from dayfly.kernel import Missing


def test_write_protection_is_there_where_the_core_uses_it(tmp_path: object) -> None:
    """What is asked for here is what the core asks for."""
    used = NativeCore(CoreOptions(code_cache=tmp_path, threads=1)).stats()["protection"]  # type: ignore[arg-type]
    if used == "userfault":
        kernel.write_protection()
    else:
        with pytest.raises(Missing):
            kernel.write_protection()


@pytest.mark.parametrize("ask", [kernel.pagemap_scan, kernel.landlock_version, kernel.seccomp_filters])
def test_a_feature_is_there_or_missing_for_a_reason(ask: object) -> None:
    """Never an error of another kind, and no descriptor is left open."""
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names
    with contextlib.suppress(Missing):
        ask()  # type: ignore[operator]
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 - names


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSYS, "this kernel does not have it, or a filter of the container hides it"),
        (errno.EPERM, "this process may not use it: a filter of the container, or the kernel's settings"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_refusal_is_explained(monkeypatch: pytest.MonkeyPatch, number: int, reason: str) -> None:
    """In words that help."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(kernel, "_system_call", refuse)
    for ask in (kernel.write_protection, kernel.landlock_version):
        with pytest.raises(Missing) as missing:
            ask()
        assert str(missing.value) == reason
