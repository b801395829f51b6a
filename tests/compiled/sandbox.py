"""Programs in their sandboxes, behind a real server: one core for all, every restore checked."""

import http.client
import time
from pathlib import Path

from dayfly.config import Limits, Tenant
from dayfly.release import Made
from dayfly.toolchain import Source
from tests.compiled.programs import Answer, Request
from tests.serving import Serving

LIMITS = Limits(cpu_ns_max=2_000_000_000)
_LOG_SECONDS = 30


class Sandboxes(Serving):
    """A server of compiled programs, each a tenant of its own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, directory / "code")

    def publish(self, name: str, wasm: bytes) -> tuple[str, ...]:
        """Freeze and serve a program as `<name>.localhost`; return what its start-up logged."""
        host = name.replace("_", "-")
        tenant = Tenant(name=host, hosts=(f"{host}.localhost",), tier="compiled", limits=LIMITS)
        snapshot = self.core.freeze(wasm, tenant.limits)
        made = Made("compiled", snapshot, tenant.limits, Source(Path(), {}).bundle)
        release = self.registry.record(tenant, self.registry.write(made), name)
        self.core.publish(tenant, release.directory)
        return tuple(text for _, text in snapshot.init_log)

    def ask(self, name: str, request: Request) -> Answer:
        """Send a request; a failed program's answer is what its tenant's log says."""
        self.core.logs()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Host": f"{name.replace('_', '-')}.localhost"}
            connection.request(request.method, request.target, request.body.encode() or None, headers)
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if cause := response.headers.get("Dayfly-Cause"):
            return self._failure(cause)
        ours = {"date", "content-length", "content-type", "connection", "dayfly-release"}
        headers_sent = tuple((key, value) for key, value in response.getheaders() if key.lower() not in ours)
        content_type = response.headers.get("Content-Type", "")
        return Answer(response.status, content_type, headers_sent, body, log=self._logged())

    def _failure(self, cause: str) -> Answer:
        deadline = time.monotonic() + _LOG_SECONDS
        lines: list[tuple[int, str]] = []
        while not any(level >= 3 for level, _ in lines) and time.monotonic() < deadline:
            lines += [(record.level, record.text) for record in self.core.logs()]
        errors = [text for level, text in lines if level >= 3]
        return Answer(error=errors[0] if errors else cause, log=tuple(text for level, text in lines if level < 3))

    def _logged(self) -> tuple[str, ...]:
        return tuple(record.text for record in self.core.logs())
