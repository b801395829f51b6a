"""The binding: plain values in and out, every error in its place in the tree, the interpreter free while it blocks."""

import http.client
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dayfly import _core
from dayfly.config import Limits, SampleRequest, Tenant
from dayfly.core import CoreOptions, NativeCore, Rehearsed, ServerOptions
from dayfly.errors import (
    AddressInUse,
    BuildError,
    DamagedRelease,
    InitFailed,
    InvalidOption,
    ProgramRefused,
    SystemRefused,
)
from dayfly.registry import Registry, Release
from dayfly.release import Made, write
from dayfly.toolchain import Source
from tests.conftest import HELLO_WAT

TENANT = Tenant(name="hello", hosts=("hello.localhost",), tier="wasm")
ASKS = """(module
  (import "dayfly" "secret" (func $secret (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "KEY")
  (data (i32.const 2048) "\\c8")
  (func $ask (result i32) (call $secret (i32.const 1024) (i32.const 3) (i32.const 4096) (i32.const 100)))
  (func (export "dayfly_init") INIT)
  (func (export "dayfly_handle") (param i32) (result i32)
    (i32.store (i32.const 2068) (i32.const 4096))
    (i32.store (i32.const 2072) (call $ask))
    (if (i32.lt_s (i32.load (i32.const 2072)) (i32.const 0)) (then (i32.store (i32.const 2072) (i32.const 0))))
    (i32.const 2048)))
"""
PRINTS = """(module
  (import "dayfly" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "Hello")
  (func (export "dayfly_init") (call $log (i32.const 1) (i32.const 1024) (i32.const 5)))
  (func (export "dayfly_handle") (param i32) (result i32) (unreachable)))
"""
BASE = """(module
  (memory (export "memory") 2)
  (global $length (mut i32) (i32.const 0))
  (data (i32.const 512) "{\\"kind\\":\\"test\\"}")
  (func (export "dayfly_init") (memory.fill (i32.const 8192) (i32.const 7) (i32.const 57344)))
  (func (export "dayfly_reserve") (param i32) (result i32) (i32.const 65536))
  (func (export "dayfly_load") (param $at i32) (param $bytes i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 33))
      (then
        (i32.store (i32.const 1052) (i32.add (local.get $at) (i32.const 1)))
        (i32.store (i32.const 1056) (i32.sub (local.get $bytes) (i32.const 1))))
      (else
        (global.set $length (local.get $bytes))
        (i32.store (i32.const 1024) (i32.const 200))
        (i32.store (i32.const 1044) (i32.const 512))
        (i32.store (i32.const 1048) (i32.const 15))))
    (i32.const 1024))
  (func (export "dayfly_handle") (param i32) (result i32)
    (i32.store (i32.const 1044) (i32.const 65536))
    (i32.store (i32.const 1048) (global.get $length))
    (i32.const 1024)))
"""


def module(text: str) -> bytes:
    """Translate text."""
    return _core.parse_wat(text, "test")


@pytest.fixture
def core(tmp_path: Path) -> NativeCore:
    """Return a core of one thread."""
    return NativeCore(CoreOptions(code_cache=tmp_path / "code", paranoid_every=1, threads=1, overflow_threads=1))


@pytest.fixture
def record(core: NativeCore, tmp_path: Path) -> Iterator[Callable[..., Release]]:
    """Return a function that freezes and records a module."""
    with Registry.open(tmp_path / "data") as registry:

        def freeze_and_record(text: str = HELLO_WAT, tenant: Tenant = TENANT) -> Release:
            wasm = module(text)
            source = Source(Path(), {"app.wat": text.encode()})
            made = Made("wasm", core.freeze(wasm, tenant.limits), tenant.limits, source.bundle)
            return registry.record(tenant, registry.write(made), "origin")

        yield freeze_and_record


def test_a_release_can_be_rehearsed(core: NativeCore, record: Callable[..., Release]) -> None:
    """By requests that go to nobody else; a failure is told as a client and as the tenant's log would be told."""
    assert core.rehearse(record().directory, "hello.localhost", [SampleRequest(), SampleRequest(body="x")], {}) == [
        Rehearsed(200),
        Rehearsed(200),
    ]
    (failed,) = core.rehearse(record(PRINTS).directory, "hello.localhost", [SampleRequest()], {})
    assert failed.status == 500
    assert failed.failure
    with pytest.raises(DamagedRelease):
        core.rehearse(Path("/nowhere"), "hello.localhost", [], {})


def test_a_rehearsal_says_what_it_cost(core: NativeCore, record: Callable[..., Release]) -> None:
    """Time on the processor, and pages that are restored."""
    (answer,) = core.rehearse(record().directory, "hello.localhost", [SampleRequest()], {})
    assert answer.cpu_ns > 0
    assert answer.pages < 16


def test_secrets_are_for_requests_only(core: NativeCore, record: Callable[..., Release], tmp_path: Path) -> None:
    """A program gets those of its tenant; no file has one, and one that asks before the first request is refused."""
    release = record(ASKS.replace("INIT", ""))
    for secrets, body in (({"KEY": "hidden"}, b"hidden"), ({"OTHER": "hidden"}, b""), ({}, b"")):
        core.publish(TENANT, release.directory, secrets)
        with Serving(core, ServerOptions(port=0)) as port:
            assert get(port) == (200, body)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"hidden" in path.read_bytes()] == []
    with pytest.raises(InitFailed, match="a secret was asked for before the first request"):
        record(ASKS.replace("INIT", "(drop (call $ask))"))


class Serving:
    """A core that serves in a thread of its own."""

    def __init__(self, core: NativeCore, options: ServerOptions) -> None:
        self.outcome: queue.Queue[object] = queue.Queue()
        self.core = core
        self.thread = threading.Thread(target=self._serve, args=(options,))

    def _serve(self, options: ServerOptions) -> None:
        try:
            self.core.serve(options, lambda host, port: self.outcome.put((host, port)))
            self.outcome.put("stopped")
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.outcome.put(error)

    def __enter__(self) -> int:
        self.thread.start()
        ready = self.outcome.get(timeout=30)
        assert isinstance(ready, tuple), ready
        return int(ready[1])

    def __exit__(self, *_: object) -> None:
        self.core.stop()
        assert self.outcome.get(timeout=30) == "stopped"
        self.thread.join()


def get(port: int, path: str = "/") -> tuple[int, bytes]:
    """Send one request to the tenant."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": "hello.localhost"})
    response = connection.getresponse()
    status, body = response.status, response.read()
    connection.close()
    return status, body


def test_a_program_is_frozen_recorded_published_and_served(core: NativeCore, record: Callable[..., Release]) -> None:
    """The whole way; while it is served the interpreter is free for this test, and a newer release takes over."""
    core.publish(TENANT, record().directory)
    with Serving(core, ServerOptions(port=0)) as port:
        assert get(port) == (200, b"hello")
        core.publish(TENANT, record(HELLO_WAT.replace('"hello"', '"HELLO"')).directory)
        assert get(port) == (200, b"HELLO")
        core.retire("hello")
        assert get(port)[0] == 404


def test_requests_are_recorded_if_wanted(core: NativeCore, record: Callable[..., Release]) -> None:
    """After their log lines; a query belongs to the target, and a failure has its status."""
    release = record(PRINTS)
    core.publish(TENANT, release.directory)
    with Serving(core, ServerOptions(port=0)) as port:
        get(port)
    assert core.accesses() == []
    core.logs()
    with Serving(core, ServerOptions(port=0, access_log=True)) as port:
        get(port, "/a/b?c=d")
        get(port, "/" + "x" * 1000)
    first, second = core.accesses()
    assert (first.tenant, first.release, first.method) == ("hello", release.digest, "GET")
    assert (first.target, first.status, first.lane, first.reruns) == ("/a/b?c=d", 500, "inline", 0)
    assert first.cpu_ns > 0
    assert len(second.target) == 512
    assert first.request_id in {line.request_id for line in core.logs()}


def test_a_request_that_runs_elsewhere_is_recorded_too(core: NativeCore, record: Callable[..., Release]) -> None:
    """With what was run in vain before."""
    spins = HELLO_WAT.replace("(i32.const 2048)))", "(loop $again (br $again)) (i32.const 2048)))")
    tenant = Tenant(name="hello", hosts=("hello.localhost",), limits=Limits(cpu_ns_max=20_000_000))
    core.publish(tenant, record(spins, tenant).directory)
    with Serving(core, ServerOptions(port=0, access_log=True)) as port:
        assert get(port, "/spin")[0] == 504
    (access,) = core.accesses()
    assert (access.target, access.status, access.lane, access.reruns) == ("/spin", 504, "overflow", 1)
    assert access.cpu_ns >= 20_000_000


def test_a_gate_has_its_word_before_a_request_is_routed(tmp_path: Path, record: Callable[..., Release]) -> None:
    """What it publishes meanwhile answers; what it says is answered instead; one that fails is closed."""
    releases = [record().directory, record(HELLO_WAT.replace('"hello"', '"HELLO"')).directory]
    verdicts: list[str | Exception | None] = [None, "not now", ValueError("broken"), None]

    def ask() -> str | None:
        if releases:
            guarded.publish(TENANT, releases.pop())
        verdict = verdicts.pop(0)
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    options = CoreOptions(code_cache=tmp_path / "code", paranoid_every=1, threads=1, overflow_threads=1)
    guarded = NativeCore(options, ask)
    with Serving(guarded, ServerOptions(port=0)) as port:
        assert get(port) == (200, b"HELLO")
        assert get(port) == (503, b"not now")
        assert get(port) == (503, b"ValueError: broken")
        assert get(port) == (200, b"hello")


def test_the_protection_in_use_is_told(core: NativeCore) -> None:
    """For those who ask why a machine is slow."""
    assert core.stats()["protection"] in {"userfault", "mprotect"}


def test_a_core_serves_again_after_it_was_stopped(core: NativeCore, record: Callable[..., Release]) -> None:
    """On another port if need be."""
    core.publish(TENANT, record().directory)
    for _ in range(2):
        with Serving(core, ServerOptions(port=0)) as port:
            assert get(port) == (200, b"hello")


def test_the_log_of_a_start_comes_with_the_snapshot(core: NativeCore) -> None:
    """Level and text."""
    assert core.freeze(module(PRINTS), Limits()).init_log == ((1, "Hello"),)


def test_what_a_program_logs_is_drained_once(core: NativeCore, record: Callable[..., Release]) -> None:
    """With tenant, release and request."""
    release = record((Path(__file__).parents[2] / "guests/log.wat").read_text(encoding="utf-8"))
    core.publish(TENANT, release.directory)
    with Serving(core, ServerOptions(port=0)) as port:
        assert get(port, "/?1")[0] == 200
        records = core.logs()
        assert {(line.tenant, line.release) for line in records} == {("hello", release.digest)}
        assert all(line.request_id and line.text and line.level in range(5) for line in records)
        assert core.logs() == []


def test_a_bundle_is_loaded_into_a_base_recorded_published_and_served(core: NativeCore, tmp_path: Path) -> None:
    """The whole way of a release that is a delta on another one; what cannot be loaded says why."""
    releases, scratch = tmp_path / "releases", tmp_path / "scratch"
    releases.mkdir()
    scratch.mkdir()
    whole = Made("wasm", core.freeze(module(BASE), Limits()), Limits(), b"")
    base = write(releases, whole, scratch=scratch)
    snapshot = core.freeze_on(base, b"a bundle", Limits())
    assert (snapshot.code, snapshot.facts, snapshot.takes) == (b"", {"kind": "test"}, 0)
    assert len(snapshot.image) < len(whole.snapshot.image)
    assert snapshot.writes
    made = Made("wasm", snapshot, Limits(), b"", parent=base.name)
    core.publish(TENANT, write(releases, made, scratch=scratch))
    with Serving(core, ServerOptions(port=0)) as port:
        assert get(port) == (200, b"a bundle")
        assert core.stats()["releases"]["resident"] == 2
    with pytest.raises(InitFailed, match="no such thing"):
        core.freeze_on(base, b"!no such thing", Limits())
    with pytest.raises(DamagedRelease):
        core.freeze_on(base.with_name("0" * 64), b"a bundle", Limits())


def test_requests_are_counted(core: NativeCore, record: Callable[..., Release]) -> None:
    """By tenant, outcome and lane."""
    core.publish(TENANT, record().directory)
    with Serving(core, ServerOptions(port=0)) as port:
        for _ in range(3):
            get(port)
        stats = core.stats()
    assert stats["tenants"]["hello"]["requests"] == [{"outcome": "ok", "lane": "inline", "count": 3}]
    assert len(stats["threads"]) == 1


def test_a_damaged_release_is_refused(core: NativeCore, record: Callable[..., Release]) -> None:
    """The message names the file."""
    release = record()
    (release.directory / "image").write_bytes(b"damage")
    with pytest.raises(DamagedRelease, match=rf"release `{release.digest}` is damaged: image"):
        core.publish(TENANT, release.directory)


def test_a_program_that_wants_more_than_there_is_is_refused(core: NativeCore) -> None:
    """The message names what it wants."""
    with pytest.raises(ProgramRefused, match="wasi"):
        core.freeze(
            module(
                '(module (import "wasi" "f" (func)) (memory (export "memory") 1)'
                '(func (export "dayfly_handle") (param i32) (result i32) (unreachable)))'
            ),
            Limits(),
        )


def test_a_start_that_fails_is_told(core: NativeCore) -> None:
    """With what the program logged before."""
    text = PRINTS.replace("(i32.const 5)))", "(i32.const 5)) (unreachable))")
    with pytest.raises(InitFailed, match=r"(?s)dayfly_init.*Hello"):
        core.freeze(module(text), Limits())


def test_text_that_is_no_module_is_a_build_error() -> None:
    """On one line, with its place."""
    with pytest.raises(BuildError, match=r"^x\.wat: not valid WebAssembly text: .*x\.wat:1:9"):
        _core.parse_wat("(module nonsense)", "x.wat")


def test_an_address_in_use_is_told(core: NativeCore, tmp_path: Path) -> None:
    """Before anybody is told that the server is ready."""
    other = NativeCore(CoreOptions(code_cache=tmp_path / "other", threads=1))
    with (
        Serving(core, ServerOptions(port=0)) as port,
        pytest.raises(AddressInUse, match=rf"127\.0\.0\.1:{port}` is in use"),
    ):
        other.serve(ServerOptions(port=port), lambda *_: pytest.fail("it is not ready"))


def test_an_error_of_the_one_who_waits_stops_the_server(core: NativeCore) -> None:
    """And reaches the caller of `serve`."""

    def fail(_host: str, _port: int) -> None:
        raise KeyError("on_ready")

    with pytest.raises(KeyError, match="on_ready"):
        core.serve(ServerOptions(port=0), fail)


@pytest.mark.parametrize(
    "options",
    [
        ServerOptions(trusted_proxies=("everybody",)),
        ServerOptions(baseline_path="plain"),
        ServerOptions(host="no host"),
    ],
)
def test_an_option_that_means_nothing_is_told(core: NativeCore, options: ServerOptions) -> None:
    """By name or value."""
    with pytest.raises(InvalidOption, match=r"everybody|plain|no host"):
        core.serve(options, lambda *_: pytest.fail("it is not ready"))


@pytest.mark.parametrize("json", ["", "{}x", '{"threads": -1}', '{"thread": 1}'])
def test_options_that_do_not_fit_are_told(json: str) -> None:
    """Whoever wrote them."""
    with pytest.raises(InvalidOption, match=r"^options: "):
        _core.Core(json)


def test_a_code_cache_that_cannot_be_made_is_told() -> None:
    """With its path."""
    with pytest.raises(SystemRefused, match="/dev/null/code"):
        NativeCore(CoreOptions(code_cache=Path("/dev/null/code")))


def test_retiring_nobody_is_told(core: NativeCore) -> None:
    """By name."""
    with pytest.raises(InvalidOption, match="nobody"):
        core.retire("nobody")
