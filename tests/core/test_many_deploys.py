"""Deploys without end leave nothing behind: neither memory nor descriptors nor files."""

import gc
import os
import resource
from pathlib import Path

import pytest

from dayfly.config import Tenant
from dayfly.core import CoreOptions, NativeCore
from dayfly.deploy import Workshop, deploy
from dayfly.registry import DiskQuotas, Housekeeper, Registry
from dayfly.toolchain.toolchain import code_cache

DEPLOYS = int(os.environ.get("DAYFLY_DEPLOYS", "60"))
"""`make soak` makes 10,000 of them."""

RESIDENT_BYTES_MAX = 5 << 20
"""More than before, after all of them."""


def resident_bytes() -> int:
    """Return the memory of this process that is in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(0)
def test_deploys_of_one_tenant_leave_nothing(tmp_path: Path) -> None:
    """What is superseded is packed, then forgotten, while the next ones come; the figures are printed."""
    workshop, source = Workshop(), tmp_path / "hello"
    source.mkdir()
    core = NativeCore(CoreOptions(code_cache=code_cache(), threads=1, overflow_threads=1))
    with Registry.open(tmp_path / "data", quotas=DiskQuotas(superseded_max=5)) as registry, Housekeeper(registry, 0.01):
        before = (0, 0)
        for number in range(DEPLOYS + 40):
            if number == 40:  # every pool and cache has what it needs
                before = resident_bytes(), descriptors()
            (source / "app.py").write_text(f"def on_client_request():\n    return 'hello {number}'\n", encoding="utf-8")
            with registry.deploying():
                deploy(Tenant.load(source), source, workshop=workshop, registry=registry, core=core)
        after = resident_bytes(), descriptors()
        print(f"{DEPLOYS} deploys: {before[0] >> 10} KiB became {after[0] >> 10}, {before[1]} descriptors {after[1]}")
        registry.tidy()
        assert after[0] - before[0] < RESIDENT_BYTES_MAX
        assert after[1] <= before[1] + 2
        # Five packed ones, the current one and the base.
        assert len(list((tmp_path / "data/packed").iterdir())) == 5
        assert len(list(registry.releases.iterdir())) == 2
        assert registry.verify_audit()[0] == DEPLOYS + 40
