"""Watched directories: what is deployed when, and what never is. The clock is the test's; nothing sleeps."""

import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dayfly import watch
from dayfly.config import Tenant
from dayfly.errors import BuildError, DayflyError, NotFound, RegistryError
from dayfly.fingerprint import Fingerprint, being_written
from dayfly.log import logger
from dayfly.toolchain import Source
from dayfly.watch import DEPLOYS_MAX, GONE_SECONDS, RETRY_SECONDS, SETTLE_SECONDS, Watcher, expanded


class Site:
    """Remembers what was deployed and removed; refuses programs that say so."""

    def __init__(self) -> None:
        self.done: queue.Queue[tuple[str, str]] = queue.Queue()
        self.live: dict[str, str] = {}
        self.error: Exception | None = None

    def deploy(self, tenant: Tenant, source: Source) -> None:
        """Deploy a source, or refuse it."""
        if self.error:
            raise self.error
        text = source.files["app.py"].decode()
        if "refuse" in text:
            raise BuildError("app.py: refused")
        self.live[tenant.name] = text
        self.done.put((tenant.name, text))

    def remove(self, name: str) -> None:
        """Take a tenant away, or refuse it."""
        if self.error:
            raise self.error
        if name not in self.live:
            raise NotFound(f"there is no tenant `{name}`")
        del self.live[name]
        self.done.put((name, "removed"))


class Yard:
    """Directories, a watcher over them, and its clock."""

    def __init__(self, root: Path) -> None:
        self.root, self.site, self.now = root, Site(), 100.0
        self.watcher = Watcher([], self.site, begin=lambda deploy: deploy())

    def watch(self, *names: str) -> None:
        """Watch some of the directories from now on, as a server does that has deployed them."""
        places = [self.root / name for name in names]
        self.watcher = Watcher(places, self.site, lambda: self.now, lambda deploy: deploy())
        for directory in expanded(places):
            name = directory.name
            self.site.live[name] = (directory / "app.py").read_text(encoding="utf-8")
            self.watcher.adopt(directory, name, Fingerprint(Fingerprint.of(directory).files, certain=True))

    def write(self, name: str, text: str, file: str = "app.py") -> Path:
        """Write a file of a tenant at once."""
        path = self.root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def pass_time(self, seconds: float = SETTLE_SECONDS) -> float | None:
        """Look, let time pass, and look again."""
        self.watcher.look()
        self.now += seconds + 1e-6
        return self.watcher.look()

    @property
    def problems(self) -> list[str]:
        """What is wrong with each directory."""
        return [report.problem for report in self.watcher.reports()]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Return a place with two tenants."""
    yard = Yard(tmp_path / "yard")
    yard.write("shop", "one")
    yard.write("blog", "one")
    return yard


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.LogCaptureFixture]:
    """Return what the log says."""
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO, "dayfly"):
        yield caplog
    logger.removeHandler(caplog.handler)


def test_what_does_not_change_is_left_alone(yard: Yard) -> None:
    """However often it is looked at."""
    yard.watch("shop", "blog")
    assert yard.pass_time() is None
    assert yard.site.done.empty()


def test_what_could_not_be_deployed_at_the_start_is_tried_and_told(yard: Yard) -> None:
    """As if it had changed since; the tenant that was deployed before is known to be the directory's."""
    yard.watch("shop")
    yard.watcher.adopt(yard.root / "shop", "shop", None)
    yard.site.error = BuildError("app.py: refused")
    yard.pass_time()
    assert [(one.tenant, one.problem) for one in yard.watcher.reports()] == [("shop", "app.py: refused")]


def test_a_change_is_deployed_when_it_rests(yard: Yard) -> None:
    """Not before."""
    yard.watch("shop", "blog")
    yard.write("shop", "two")
    assert yard.watcher.look() == pytest.approx(SETTLE_SECONDS)
    assert yard.site.done.empty()
    yard.now += SETTLE_SECONDS + 1e-6
    assert yard.watcher.look() is None
    assert yard.site.live == {"shop": "two", "blog": "one"}
    assert yard.pass_time() is None
    assert yard.site.done.qsize() == 1


def test_each_change_begins_the_rest_anew(yard: Yard) -> None:
    """A directory that never rests is not deployed; when it does, the last state is."""
    yard.watch("shop")
    for number in range(10):
        yard.write("shop", f"state {number}", f"file{number}")
        yard.watcher.look()
        yard.now += SETTLE_SECONDS * 0.9
        yard.watcher.look()
    assert yard.site.done.empty()
    yard.write("shop", "last")
    yard.pass_time()
    assert yard.site.live["shop"] == "last"


def test_a_half_written_file_is_not_deployed(yard: Yard) -> None:
    """However long its writer pauses: it has the file open."""
    yard.watch("shop")
    with (yard.root / "shop/app.py").open("w") as file:
        file.write("ha")
        file.flush()
        for _ in range(5):
            assert yard.pass_time(10) is not None
        assert yard.site.done.empty()
        file.write("lf")
    yard.pass_time()
    assert yard.site.live["shop"] == "half"


def test_what_changes_while_it_is_read_is_not_deployed(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read may be half of it."""
    yard.watch("shop")
    yard.write("shop", "two")
    read = Source.read

    def then_changed(directory: Path) -> Source:
        source = read(directory)
        yard.write("shop", "three")
        return source

    monkeypatch.setattr(Source, "read", then_changed)
    yard.pass_time()
    assert yard.site.done.empty()
    monkeypatch.setattr(Source, "read", read)
    yard.pass_time()
    assert yard.site.live["shop"] == "three"


def test_a_file_may_be_replaced_at_once(yard: Yard) -> None:
    """Also by one of the same size and date, as editors and package managers do."""
    yard.watch("shop")
    file = yard.root / "shop/app.py"
    aside = yard.write("shop", "two", ".app.py.swap")
    os.utime(aside, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    aside.replace(file)
    yard.pass_time()
    assert yard.site.live["shop"] == "two"


def test_a_directory_may_be_replaced_at_once(yard: Yard) -> None:
    """By a rename, or by one away and one back: its tenant is never taken away."""
    yard.watch("shop")
    yard.write("next", "two")
    (yard.root / "shop").rename(yard.root / "old")
    assert yard.watcher.look() == pytest.approx(GONE_SECONDS)
    (yard.root / "next").rename(yard.root / "shop")
    yard.pass_time()
    assert yard.site.live["shop"] == "two"
    assert yard.pass_time(GONE_SECONDS) is None
    assert yard.site.done.qsize() == 1


@pytest.mark.parametrize("watched", ["tenants", "tenants/current"])
def test_a_link_may_lead_elsewhere(yard: Yard, watched: str) -> None:
    """As deployment tools do it: to a directory beside, in a directory of tenants as well."""
    for number in ("1", "2"):
        yard.write(f"releases/{number}", f"release {number}")
        yard.write(f"releases/{number}", 'name = "current"\n', "dayfly.toml")
    place = yard.root / "tenants"
    place.mkdir()
    link = place / "current"
    link.symlink_to(yard.root / "releases/1")
    yard.watch(watched)
    aside = place / ".current"
    aside.symlink_to(yard.root / "releases/2")
    aside.replace(link)
    yard.pass_time()
    assert yard.site.live["current"] == "release 2"
    yard.write("releases/2", "release 2, mended")
    yard.pass_time()
    assert yard.site.live["current"] == "release 2, mended"


def test_a_failure_leaves_the_old_release(yard: Yard, said: pytest.LogCaptureFixture) -> None:
    """It is told, once, and tried again when something changes."""
    yard.watch("shop")
    yard.write("shop", "refuse")
    yard.pass_time()
    yard.pass_time()
    assert yard.site.live["shop"] == "one"
    assert yard.problems == ["app.py: refused"]
    (record,) = said.records
    assert record.getMessage() == (f"{yard.root / 'shop'} is not live: app.py: refused; tenant `shop` serves as before")
    yard.write("shop", "two")
    yard.pass_time()
    assert (yard.site.live["shop"], yard.problems) == ("two", [""])


def test_a_broken_dayfly_toml_is_a_failure_like_others(yard: Yard) -> None:
    """The old release serves."""
    yard.watch("shop")
    yard.write("shop", "nonsense = [", "dayfly.toml")
    yard.pass_time()
    assert "not valid TOML" in yard.problems[0]
    assert yard.site.live["shop"] == "one"


def test_a_failure_that_is_not_the_files_fault_is_tried_again(yard: Yard, said: pytest.LogCaptureFixture) -> None:
    """After a while, and told once; what else changes meanwhile is tried at once."""
    yard.watch("shop")
    yard.site.error = RegistryError("no space left")
    yard.write("shop", "two")
    yard.pass_time()
    assert yard.watcher.look() == pytest.approx(RETRY_SECONDS)
    assert yard.pass_time(RETRY_SECONDS) is not None
    assert len(said.records) == 1
    yard.site.error = None
    yard.pass_time(RETRY_SECONDS)
    yard.pass_time()
    assert (yard.site.live["shop"], yard.problems) == ("two", [""])


def test_a_long_deploy_holds_up_nobody(yard: Yard) -> None:
    """One at a time for each directory, and a few in all; what changes meanwhile comes after."""
    begun: list[Callable[[], None]] = []
    for number in range(DEPLOYS_MAX + 1):
        yard.write(f"tenant{number}", "one")
    places = sorted(yard.root.glob("tenant*"))
    yard.watcher = Watcher(places, yard.site, lambda: yard.now, begun.append)
    yard.pass_time()
    assert len(begun) == DEPLOYS_MAX
    yard.write("tenant0", "two")
    assert yard.pass_time() is not None
    assert len(begun) == DEPLOYS_MAX
    begun.pop(0)()
    assert yard.site.live == {"tenant0": "one"}
    yard.pass_time()
    for deploy in begun:
        deploy()
    begun.clear()
    yard.pass_time()
    for deploy in begun:
        deploy()
    assert yard.site.live == {"tenant0": "two", "tenant1": "one", "tenant2": "one"}


@pytest.mark.parametrize("error", [ValueError("a bug"), DayflyError("no room")])
def test_no_failure_ends_the_watch(yard: Yard, said: pytest.LogCaptureFixture, error: Exception) -> None:
    """Also one that nobody has thought of."""
    yard.watch("shop", "blog")
    yard.site.error = error
    yard.write("shop", "two")
    yard.pass_time()
    assert said.records
    yard.site.error = None
    yard.write("blog", "two")
    yard.pass_time()
    assert yard.site.live == {"shop": "one", "blog": "two"}


def test_what_comes_and_goes_in_between_is_not_deployed(yard: Yard) -> None:
    """Between two looks, or while it had not rested: nothing has changed in the end."""
    yard.watch("shop")
    kept = yard.root / "shop/app.py"
    for _ in range(5):
        extra = yard.write("shop", "x", "extra")
        yard.watcher.look()
        extra.unlink()
        yard.pass_time()
    assert yard.site.done.empty()
    assert kept.exists()


def test_a_new_directory_is_a_new_tenant(yard: Yard) -> None:
    """In a directory of tenants, once it has a program; hidden ones and others are none."""
    yard.watch(".")
    yard.write("wiki", "text", "notes.txt")
    yard.write(".hidden", "one")
    yard.pass_time()
    assert yard.site.done.empty()
    yard.write("wiki", "one")
    yard.pass_time()
    assert yard.site.live == {"shop": "one", "blog": "one", "wiki": "one"}


def test_a_directory_that_is_gone_takes_its_tenant_away(yard: Yard, said: pytest.LogCaptureFixture) -> None:
    """After a while, and it may come back."""
    yard.watch("shop", "blog")
    shutil.rmtree(yard.root / "shop")
    yard.pass_time(GONE_SECONDS * 0.9)
    assert yard.site.done.empty()
    yard.pass_time(GONE_SECONDS)
    assert yard.site.live == {"blog": "one"}
    assert "tenant `shop` is taken away" in said.text
    yard.write("shop", "again")
    yard.pass_time()
    assert yard.site.live == {"shop": "again", "blog": "one"}


def test_a_removal_that_failed_is_tried_again(yard: Yard, said: pytest.LogCaptureFixture) -> None:
    """Until the tenant is gone, whoever takes it away."""
    yard.watch("shop", "blog")
    shutil.rmtree(yard.root / "shop")
    yard.site.error = RegistryError("the disk is full")
    yard.pass_time(GONE_SECONDS)
    assert "tenant `shop`: the disk is full; it is tried again" in said.text
    yard.site.error = None
    yard.pass_time(RETRY_SECONDS * 0.9)
    assert set(yard.site.live) == {"shop", "blog"}
    yard.pass_time(RETRY_SECONDS)
    assert set(yard.site.live) == {"blog"}
    del yard.site.live["blog"]
    shutil.rmtree(yard.root / "blog")
    yard.pass_time(GONE_SECONDS)
    assert yard.watcher.reports() == []


def test_an_old_name_that_could_not_be_taken_away_goes_later(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant of the new name serves meanwhile, and the report says what is the matter."""
    yard.watch("shop")
    remove = yard.site.remove

    def refuse(_name: str) -> None:
        raise RegistryError("the disk is full")

    monkeypatch.setattr(yard.site, "remove", refuse)
    yard.write("shop", 'name = "store"\n', "dayfly.toml")
    yard.pass_time()
    assert yard.site.live == {"shop": "one", "store": "one"}
    assert yard.problems == ["the disk is full"]
    monkeypatch.setattr(yard.site, "remove", remove)
    yard.pass_time(RETRY_SECONDS)
    yard.pass_time()
    assert yard.site.live == {"store": "one"}
    assert yard.problems == [""]


def test_a_directory_in_pieces_takes_nobody_away(yard: Yard) -> None:
    """It is there: what is missing in it is a failure."""
    yard.watch(".")
    (yard.root / "shop/app.py").rename(yard.root / "shop/other.py")
    yard.site.error = BuildError("no app.py")
    yard.pass_time(GONE_SECONDS)
    yard.pass_time(GONE_SECONDS)
    assert yard.site.live["shop"] == "one"
    assert "no app.py" in yard.problems


@pytest.mark.parametrize("names", [["."], ["shop", "blog"]])
def test_a_disk_that_is_away_takes_nobody_away(yard: Yard, names: list[str]) -> None:
    """Where the place itself cannot be looked into, nothing is known to be gone."""
    yard.watch(*names)
    yard.root.rename(yard.root.with_name("unmounted"))
    for _ in range(3):
        yard.pass_time(GONE_SECONDS)
    assert set(yard.site.live) == {"shop", "blog"}
    yard.root.with_name("unmounted").rename(yard.root)
    yard.pass_time()
    assert yard.site.done.empty()


def test_a_tenant_may_get_another_name(yard: Yard) -> None:
    """The one of the old name goes."""
    yard.watch("shop")
    yard.write("shop", 'name = "store"\n', "dayfly.toml")
    yard.pass_time()
    assert yard.site.live == {"store": "one"}


def test_two_directories_cannot_be_one_tenant(yard: Yard) -> None:
    """The second one is refused."""
    yard.watch("shop", "blog")
    yard.write("blog", 'name = "shop"\n', "dayfly.toml")
    yard.pass_time()
    assert yard.site.live == {"shop": "one", "blog": "one"}
    assert "is tenant `shop` already" in "".join(yard.problems)


def test_a_directory_that_cannot_be_read_is_told_once(
    yard: Yard, said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And looked at again."""
    yard.watch("shop")

    def refuse(_: Path) -> Fingerprint:
        raise PermissionError(13, "Permission denied", "/yard/shop/secret")

    with monkeypatch.context() as patch:
        patch.setattr(Fingerprint, "of", refuse)
        for _ in range(3):
            assert yard.pass_time() is not None
    assert [record.getMessage() for record in said.records] == [
        f"{yard.root / 'shop'} is not live: /yard/shop/secret: Permission denied; tenant `shop` serves as before"
    ]
    yard.write("shop", "two")
    yard.pass_time()
    assert yard.site.live["shop"] == "two"


def test_a_lease_disturbs_no_writer(tmp_path: Path) -> None:
    """Asking whether a file is being written leaves it as it was, also for who writes."""
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    assert not being_written(file)
    assert not being_written(tmp_path / "nothing")
    with file.open("a", encoding="utf-8") as out:
        assert being_written(file)
        out.write("y")
    assert not being_written(file)
    assert file.read_text(encoding="utf-8") == "xy"


@pytest.fixture
def running(yard: Yard) -> Iterator[Callable[..., Yard]]:
    """Return a function that has some directories watched by a thread, on the real clock."""
    with ExitStack() as stack:

        def start(*names: str) -> Yard:
            places = [yard.root / name for name in names]
            yard.watcher = Watcher(places, yard.site)
            stack.enter_context(yard.watcher.running())
            for _ in expanded(places):
                yard.site.done.get(timeout=30)
            return yard

        yield start
    assert "watch" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("names", [["."], ["shop", "blog"]])
def test_a_thread_deploys_what_is_reported(running: Callable[..., Yard], names: list[str]) -> None:
    """A change, a directory that is replaced, one that goes and comes."""
    yard = running(*names)
    yard.write("shop", "two")
    assert yard.site.done.get(timeout=30) == ("shop", "two")
    yard.write(".next", "three")
    (yard.root / "shop").rename(yard.root / ".old")
    (yard.root / ".next").rename(yard.root / "shop")
    assert yard.site.done.get(timeout=30) == ("shop", "three")
    yard.write("shop", "four", ".aside").replace(yard.root / "shop/app.py")
    assert yard.site.done.get(timeout=30) == ("shop", "four")
    shutil.rmtree(yard.root / "shop")
    assert yard.site.done.get(timeout=30) == ("shop", "removed")
    yard.write("shop", "five")
    assert yard.site.done.get(timeout=30) == ("shop", "five")


def test_a_thread_looks_also_where_nothing_is_reported(
    running: Callable[..., Yard], monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    """Where the system has no watches left."""

    def refuse(*_: object) -> object:
        raise OSError(28, "No space left on device")

    watch._say_unreported.cache_clear()  # noqa: SLF001 - said once a process
    monkeypatch.setattr(watch, "RustNotify", refuse)
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.05)
    yard = running("shop")
    yard.write("shop", "two")
    assert yard.site.done.get(timeout=30) == ("shop", "two")
    assert said.text.count("changes are not reported") == 1
