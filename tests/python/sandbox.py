"""Programs in their sandboxes, behind a real server: one core for all, every restore checked."""

import http.client
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dayfly.config import PYTHON_MEMORY_BYTES, Limits, Tenant
from dayfly.deploy import Deployed, Workshop, deploy
from tests.python.programs import Answer, Request
from tests.serving import Serving

LIMITS = Limits(memory_bytes_max=PYTHON_MEMORY_BYTES, cpu_ns_max=2_000_000_000)
INFO, ERROR = 1, 3
_LOG_SECONDS = 30


class Sandboxes(Serving):
    """A server of programs of tier `python`, each a tenant of its own."""

    def __init__(self, directory: Path, code_cache: Path) -> None:
        super().__init__(directory, code_cache)
        self._directory = directory
        self._workshop = Workshop()

    def publish(self, name: str, source: str | Mapping[str, str], limits: Limits = LIMITS, **options: Any) -> Deployed:
        """Serve a program as `<name>.localhost`."""
        host = name.replace("_", "-")
        directory = self._directory / "tenants" / host
        for file, text in ({"app.py": source} if isinstance(source, str) else source).items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(text, encoding="utf-8")
        tenant = Tenant(name=host, hosts=(f"{host}.localhost",), tier="python", limits=limits, **options)
        return deploy(tenant, directory, workshop=self._workshop, registry=self.registry, core=self.core)

    def ask(self, name: str, request: Request) -> Answer:
        """Send a request; the text of a failure is the last line of its traceback."""
        self.core.logs()
        status, cause, content_type, body = self.send(name, request)
        if cause:
            lines = self._logged_until(ERROR)
            failed = [text for level, text in lines if level >= ERROR]
            last = failed[-1].strip().splitlines()[-1] if failed else cause
            return Answer(status, last, None, tuple(text for level, text in lines if level == INFO))
        printed = tuple(record.text for record in self.core.logs() if record.level == INFO)
        return Answer(status, body, content_type, printed)

    def send(self, name: str, request: Request) -> tuple[int, str, str | None, str]:
        """Return status, cause, content type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Host": f"{name.replace('_', '-')}.localhost"}
            connection.request(request.method, request.target, request.body.encode() or None, headers)
            response = connection.getresponse()
            body = response.read().decode("latin-1")
        finally:
            connection.close()
        return response.status, response.headers.get("Dayfly-Cause", ""), response.headers.get("Content-Type"), body

    def _logged_until(self, wanted: int) -> list[tuple[int, str]]:
        deadline = time.monotonic() + _LOG_SECONDS
        lines: list[tuple[int, str]] = []
        while not any(level >= wanted for level, _ in lines) and time.monotonic() < deadline:
            lines += [(record.level, record.text) for record in self.core.logs()]
        return lines
