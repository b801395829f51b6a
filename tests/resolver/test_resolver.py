"""From requirements to a locked set, against an index on loopback."""

import base64
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.errors import IndexUnreachable, PackagesRefused, SystemRefused
from dayfly.resolver import Lock, Packages, Resolver, ResolverOptions, read_requirements
from dayfly.resolver.requirements import FILE_BYTES_MAX
from dayfly.resolver.resolver import configured_index
from tests.resolver.index import LocalIndex, serving, wheel

NATIVE = "cp314-cp314-manylinux_2_17_x86_64"


@pytest.fixture(params=["json", "html"])
def index(request: pytest.FixtureRequest) -> Iterator[LocalIndex]:
    """Return an empty index, in each of the two forms."""
    with serving(LocalIndex(html=request.param == "html")) as served:
        yield served


def resolver(index: LocalIndex, tmp_path: Path, bytes_max: int = 1 << 20) -> Resolver:
    """Return a resolver with an empty cache."""
    return Resolver(ResolverOptions(index=index.url, cache=tmp_path / "packages", bytes_max=bytes_max))


def lock(index: LocalIndex, tmp_path: Path, text: str) -> Lock:
    """Resolve the text of a requirements.txt."""
    return resolver(index, tmp_path).lock(read_requirements({"requirements.txt": text.encode()}))


def versions(found: Lock) -> dict[str, str]:
    """Return the versions of a lock."""
    return {package.name: package.version for package in found.packages}


def test_the_newest_versions_that_fit_are_locked(index: LocalIndex, tmp_path: Path) -> None:
    """With what they need, by markers and extras; yanked, foreign and unfinished versions are left out."""
    index.add("web", wheel("web", "1.0"))
    digest = index.add(
        "web",
        wheel(
            "web", "2.0", requires=("Templates>=1,<3", 'colours; sys_platform == "win32"', 'extra1; extra == "more"')
        ),
    )
    index.add("web", wheel("web", "3.0"), yanked=True)
    index.add("web", wheel("web", "4.0rc1"))
    index.add("web", wheel("web", "5.0"), **{"requires-python": "<3.14"})
    index.add("templates", wheel("templates", "2.5"))
    index.add("templates", wheel("templates", "3.0"))
    index.add("extra1", wheel("extra1", "1.0", requires=('web; python_version > "3.0"',)))
    assert versions(lock(index, tmp_path, "web\n")) == {"web": "2.0", "templates": "2.5"}
    found = lock(index, tmp_path, "Web[more]\n")
    assert versions(found) == {"extra1": "1.0", "web": "2.0", "templates": "2.5"}
    assert found.packages[2].sha256 == digest
    assert versions(lock(index, tmp_path, "web==3.0\n")) == {"web": "3.0"}
    assert versions(lock(index, tmp_path, "web>3rc0\n"))["web"] == "4.0rc1"


def test_a_list_may_be_as_long_as_documented(tmp_path: Path) -> None:
    """1 MiB, most of it digests: more than one argument of a process can hold."""
    with serving(LocalIndex()) as index:
        digests = [index.add(f"web{number}", wheel(f"web{number}", "1.0")) for number in range(13)]
        others = [f" --hash=sha256:{number:064x}" for number in range(825)]
        text = "".join(
            f"web{number}==1.0 --hash=sha256:{digest}{''.join(others)}\n" for number, digest in enumerate(digests)
        )
        text += "#" * (FILE_BYTES_MAX - len(text))
        assert len(lock(index, tmp_path, text).packages) == 13


def test_conflicts_lead_to_older_versions(index: LocalIndex, tmp_path: Path) -> None:
    """And to a message that names both sides if there is none."""
    index.add("a", wheel("a", "1.0", requires=("c<2",)))
    index.add("a", wheel("a", "2.0", requires=("c>=2",)))
    index.add("b", wheel("b", "1.0", requires=("c<2",)))
    index.add("c", wheel("c", "1.0"))
    index.add("c", wheel("c", "2.0"))
    assert versions(lock(index, tmp_path, "a\nb\n")) == {"a": "1.0", "b": "1.0", "c": "1.0"}
    with pytest.raises(PackagesRefused, match=r"no version fits .*`c>=2` .*; loosen one of them"):
        lock(index, tmp_path, "a>=2\nb\n")
    with pytest.raises(PackagesRefused, match=r"no version fits `a>9` \(requirements.txt:1\)"):
        lock(index, tmp_path, "a>9\n")


def test_what_was_resolved_is_not_asked_again(index: LocalIndex, tmp_path: Path) -> None:
    """A newer version changes nothing until the requirements change; the order of lines is no change."""
    index.add("web", wheel("web", "1.0"))
    index.add("other", wheel("other", "1.0"))
    first = lock(index, tmp_path, "web\nother\n")
    index.add("web", wheel("web", "2.0"))
    asked = len(index.paths)
    assert lock(index, tmp_path, "# same\nother\n\nweb\n") == first
    assert len(index.paths) == asked
    assert versions(lock(index, tmp_path, "web>=1\nother\n"))["web"] == "2.0"


def test_a_lock_becomes_files(index: LocalIndex, tmp_path: Path) -> None:
    """From the cache, and by its digests from the index if the cache is lost, whatever newer versions there are."""
    index.add("web", wheel("web", "1.0", {"web/__init__.py": b"x = 1\n", "_private.py": b"", "helper.py": b""}))
    found = lock(index, tmp_path, "web\n")
    packages = resolver(index, tmp_path).packages(found)
    assert packages.source.files["web/__init__.py"] == b"x = 1\n"
    assert packages.imports == ["helper", "web"]
    index.add("web", wheel("web", "2.0"))
    again: Packages = resolver(index, tmp_path / "elsewhere").packages(found)
    assert again.source.files == packages.source.files
    index.files["web"].clear()
    with pytest.raises(PackagesRefused, match=r"the index has no web-1.0-py3-none-any.whl with the digest of the lock"):
        resolver(index, tmp_path / "third").packages(found)


def test_digests_of_the_tenant_are_kept(index: LocalIndex, tmp_path: Path) -> None:
    """A file with another digest is not taken, whoever needs it."""
    digest = index.add("web", wheel("web", "1.0"))
    assert versions(lock(index, tmp_path, f"web==1.0 --hash=sha256:{digest}\n")) == {"web": "1.0"}
    with pytest.raises(PackagesRefused, match=r"requirements.txt:1: no wheel of web 1.0 has a digest that is allowed"):
        lock(index, tmp_path, f"web==1.0 --hash=sha256:{'0' * 64}\n")


def test_a_file_must_have_the_digest_of_the_index(index: LocalIndex, tmp_path: Path) -> None:
    """Whatever is sent instead is never unpacked."""
    index.add("web", wheel("web", "1.0"))
    index.contents["/files/web-1.0-py3-none-any.whl"] = wheel("web", "1.0", {"web.py": b"evil"})[1]
    with pytest.raises(PackagesRefused, match=r"does not have the digest that the index gives"):
        lock(index, tmp_path, "web\n")


def test_native_packages_are_refused_by_name(index: LocalIndex, tmp_path: Path) -> None:
    """With who needs them, the line, and what to do; nobody goes back to versions of years ago."""
    index.add("fastapi", wheel("fastapi", "1.0", requires=("pydantic>=2",)))
    index.add("pydantic", wheel("pydantic", "2.0", requires=("pydantic-core",)))
    index.add("pydantic-core", wheel("pydantic_core", "1.0", tag=NATIVE))
    index.add("numpy", wheel("numpy", "2.0", tag=NATIVE))
    index.add("numpy", wheel("numpy", "0.1"))
    index.add("sums", wheel("sums", "1.0", tag=NATIVE))
    index.add("old", ("old-1.0.tar.gz", b"source"))
    for requirement, message in {
        "fastapi": r"requirements.txt:1: pydantic-core 1.0 is native code, needed by pydantic 2.0, "
        r"needed by fastapi 1.0; use dataclasses, .*Starlette",
        "numpy": r"requirements.txt:1: numpy 2.0 is native code; use plain Python",
        "sums": r"requirements.txt:1: sums 1.0 is native code; find a package in pure Python",
        "old": r"requirements.txt:1: old 1.0 has no wheel, and nothing is built from source; find a package",
        "nothing": r"requirements.txt:1: the index has no package `nothing`; check its name",
    }.items():
        with pytest.raises(PackagesRefused, match=message):
            lock(index, tmp_path, f"{requirement}\n")


def test_known_fallbacks_take_a_native_wheel_without_its_native_files(index: LocalIndex, tmp_path: Path) -> None:
    """A pure wheel is better; else the newest Python's, and always the same one."""
    files = {"markupsafe/__init__.py": b"", "markupsafe/_speedups.so": b"\x7fELF"}
    for tag in ("cp311-cp311-win32", "cp314-cp314-win32", NATIVE, "cp314-cp314t-win32", "cp315-cp315-win32"):
        index.add("markupsafe", wheel("markupsafe", "3.0", files, tag=tag))
    found = lock(index, tmp_path, "MarkupSafe\n")
    assert found.packages[0].file == f"markupsafe-3.0-{NATIVE}.whl"
    assert "markupsafe/_speedups.so" not in resolver(index, tmp_path).packages(found).source.files
    index.add("markupsafe", wheel("markupsafe", "3.1", {"markupsafe.py": b""}))
    assert lock(index, tmp_path, "MarkupSafe>3\n").packages[0].file == "markupsafe-3.1-py3-none-any.whl"


def test_a_package_may_not_point_elsewhere(index: LocalIndex, tmp_path: Path) -> None:
    """Neither to an address nor to what is no requirement."""
    index.add("web", wheel("web", "1.0", requires=("evil @ https://evil.example/x.whl",)))
    index.add("odd", wheel("odd", "1.0", requires=("not a name at all",)))
    with pytest.raises(PackagesRefused, match=r"web 1.0 needs `evil` from an address; pin another version"):
        lock(index, tmp_path, "web\n")
    with pytest.raises(PackagesRefused, match=r"odd 1.0 needs `not a name at all`, which is no requirement"):
        lock(index, tmp_path, "odd\n")


def test_downloads_are_bounded(index: LocalIndex, tmp_path: Path) -> None:
    """All packages together."""
    for name in ("one", "two"):
        index.add(name, wheel(name, "1.0", {f"{name}.py": bytes(200 << 10)}))
    few = resolver(index, tmp_path, bytes_max=300 << 10)
    with pytest.raises(PackagesRefused, match=r"packages when unpacked; take some out"):
        few.lock(read_requirements({"requirements.txt": b"one\ntwo\n"}))
    large = wheel("large", "1.0", {"large.py": b""})
    index.add("large", (large[0], large[1] + bytes(400 << 10)))
    with pytest.raises(PackagesRefused, match=r"large-1.0-py3-none-any.whl: more than 307200 octets"):
        few.lock(read_requirements({"requirements.txt": b"large\n"}))


def test_what_is_looked_at_is_bounded_too(tmp_path: Path) -> None:
    """Without metadata at the index, each version is downloaded to learn what it needs, also those that do not fit."""
    with serving(LocalIndex()) as index:
        index.add("b", wheel("b", "1.0"))
        for number in range(10):
            content = {"a.py": random.Random(number).randbytes(100 << 10)}
            index.add("a", wheel("a", f"{number}.0", content, requires=(f"b>{number}",)))
        wanted = read_requirements({"requirements.txt": b"a\n"})
        many, few = (
            Resolver(ResolverOptions(index=index.url, cache=tmp_path / f"{most}", transfer_bytes_max=most))
            for most in (1200 << 10, 500 << 10)
        )
        assert versions(many.lock(wanted)) == {"a": "0.0", "b": "1.0"}
        index.paths.clear()
        with pytest.raises(PackagesRefused, match=r"a-5.0.*: resolving takes more than 500 KiB of the index; pin"):
            few.lock(wanted)
        assert len(index.paths) == 7


def test_a_resolver_that_is_ended_from_outside_is_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit of CPU time and the system end it by signals; a page of 300,000 files takes some seconds."""
    with serving(LocalIndex()) as index:
        index.add("web", wheel("web", "1.0"))
        files = index.files["web"]
        files |= {f"{number}": {**files["web-1.0-py3-none-any.whl"]} for number in range(300_000)}
        options = ResolverOptions(index=index.url, cache=tmp_path / "packages", cpu_seconds_max=1)
        wanted = read_requirements({"requirements.txt": b"web\n"})
        with pytest.raises(PackagesRefused, match=r"used more than 1 s of CPU time; pin versions, or take some out"):
            Resolver(options).lock(wanted)
    ended = subprocess.CompletedProcess[bytes]([], -signal.SIGKILL, b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(SystemRefused, match=r"the resolver was killed, for lack of memory perhaps") as caught:
        Resolver(options).lock(wanted)
    assert caught.value.exit_code == 1


def test_redirections_stay_on_the_web(index: LocalIndex, tmp_path: Path) -> None:
    """A page may have moved; no answer leads to a file."""
    index.add("web", wheel("web", "1.0"))
    index.redirects["/simple/moved/"] = "/simple/web/"
    index.redirects["/simple/evil/"] = "file:///etc/passwd"
    index.redirects["/simple/round/"] = "/simple/round/"
    with pytest.raises(IndexUnreachable, match=r"package index: evil: "):
        lock(index, tmp_path, "evil\n")
    with pytest.raises(IndexUnreachable, match=r"package index: round: "):
        lock(index, tmp_path, "round\n")
    index.add("file", wheel("file", "1.0"), url="file:///etc/passwd")
    with pytest.raises(PackagesRefused, match=r"no version fits `file`"):
        lock(index, tmp_path, "file\n")


def test_a_password_goes_to_the_index_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a header; not to where it redirects or links to, not into arguments, and not into the key of a lock."""
    commands: list[str] = []
    run = subprocess.run

    def watched(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        commands.extend(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    with serving(LocalIndex()) as ours, serving(LocalIndex()) as other:
        ours.authorization = f"Basic {base64.b64encode(b'anna:s3@cret').decode()}"
        ours.add("web", wheel("web", "1.0", requires=("more", "away", "links")))
        ours.add("more", wheel("more", "1.0"))
        ours.redirects["/simple/more/"] = "/simple/more"
        ours.redirects["/simple/away/"] = other.url.replace("://", "://eve:evil@") + "away/"
        other.add("away", wheel("away", "1.0"))
        linked = wheel("links", "1.0")
        other.add("links", linked)
        there = other.url.replace("://", "://eve:evil@").replace("simple/", "files/links-1.0-py3-none-any.whl")
        ours.add("links", linked, url=there)
        options = ResolverOptions(index=ours.url.replace("://", "://anna:s3%40cret@"), cache=tmp_path / "packages")
        wanted = read_requirements({"requirements.txt": b"web\n"})
        assert set(versions(Resolver(options).lock(wanted))) == {"away", "links", "more", "web"}
        assert set(ours.authorizations) == {ours.authorization}
        assert {*other.paths} == {
            "/simple/away/",
            "/files/away-1.0-py3-none-any.whl",
            "/files/links-1.0-py3-none-any.whl",
        }
        assert set(other.authorizations) == {None}
        assert "cret" not in " ".join(commands)
        asked = len(ours.paths)
        changed = ResolverOptions(index=ours.url.replace("://", "://anna:new@"), cache=tmp_path / "packages")
        Resolver(changed).lock(wanted)
        assert len(ours.paths) == asked
        with pytest.raises(IndexUnreachable, match=r"package index: web: status 401; check --index"):
            Resolver(ResolverOptions(index=ours.url, cache=tmp_path / "without")).lock(wanted)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://anna:s3cret@127.0.0.1:1/simple",
            "http://anna:s3/cret@host/simple",
            "http://anna:s3cret@host:x/simple",
        ),
        *(
            "anna:s3cret@host/simple",
            "http://anna:s3cret@[host/simple",
            "file://anna:s3cret@host/x",
            "http://anna:s3cret@",
        ),
    ],
)
def test_no_message_has_the_password_of_an_index(tmp_path: Path, address: str) -> None:
    """However the address is wrong."""
    wanted = read_requirements({"requirements.txt": b"web\n"})
    with pytest.raises(IndexUnreachable, match=r"^package index: ") as caught:
        Resolver(ResolverOptions(index=address, cache=tmp_path / "packages")).lock(wanted)
    assert not any(word in str(caught.value) for word in ("s3", "cret", "anna", "host"))


def test_links_that_are_none_are_left_out(index: LocalIndex, tmp_path: Path) -> None:
    """The rest of the page is as good as before."""
    index.add("web", wheel("web", "1.0"))
    index.add("web", wheel("web", "2.0"), url="http://[nowhere/web-2.0-py3-none-any.whl")
    index.add("web", wheel("web", "3.0"), url="http://host:port/web-3.0-py3-none-any.whl")
    assert versions(lock(index, tmp_path, "web\n")) == {"web": "1.0"}


@pytest.mark.parametrize("page", [b'{"files":' + b"[" * 200_000, b'{"a":' * 200_000, b"[]", b'{"files": 3}', b"3"])
def test_a_page_of_json_that_is_none_of_an_index_is_said_so(page: bytes, tmp_path: Path) -> None:
    """However deep it is nested."""

    class Pages(LocalIndex):
        def answer(self, path: str) -> tuple[str, bytes]:
            del path
            return "application/vnd.pypi.simple.v1+json", page

    words = r"^package index: page: not a page of an index"
    with serving(Pages()) as index, pytest.raises(IndexUnreachable, match=words) as caught:
        lock(index, tmp_path, "page\n")
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_an_index_that_is_none_is_said_so(tmp_path: Path) -> None:
    """Exit code 3; the message has no address in it."""
    with serving(LocalIndex()) as index:
        index.contents["/simple/page/"] = b"not json at all \xff"
        index.files["page"] = {}
        with pytest.raises(IndexUnreachable, match=r"package index: page: not a page of an index"):
            lock(index, tmp_path, "page\n")
        url = index.url
    with pytest.raises(IndexUnreachable, match=r"package index: web: .*; check --index and the network") as caught:
        Resolver(ResolverOptions(index=url, cache=tmp_path / "gone")).lock(
            read_requirements({"requirements.txt": b"web\n"})
        )
    assert caught.value.exit_code == 3
    assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(IndexUnreachable, match=r"package index: its address is no valid one of http or https"):
        Resolver(ResolverOptions(index="file:///srv", cache=tmp_path / "file")).lock(
            read_requirements({"requirements.txt": b"web\n"})
        )


def test_the_index_is_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names, else what pip is set to."""
    monkeypatch.setenv("DAYFLY_INDEX", "https://ours.example/simple")
    assert configured_index() == "https://ours.example/simple"
    monkeypatch.delenv("DAYFLY_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pips.example/simple")
    assert configured_index() == "https://pips.example/simple"
    monkeypatch.delenv("PIP_INDEX_URL")
    assert configured_index().startswith("http")
