"""The toolchain as a process with limits, and sources as values."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.errors import BuildError, SystemRefused
from dayfly.toolchain import Source, Toolchain, ToolchainOptions
from dayfly.toolchain import source as source_module


def test_text_becomes_a_module(make_tenant: Callable[..., Path]) -> None:
    """A program holds its source, so that a release can hold it."""
    directory = make_tenant()
    program = Toolchain().build(Source.read(directory), "wasm")
    assert program.wasm.startswith(b"\0asm\1\0\0\0")
    assert program.source == Source.read(directory)


def test_a_module_is_taken_as_it_is(make_tenant: Callable[..., Path]) -> None:
    """Whether it is a good one is for the core to say."""
    directory = make_tenant("m", {"note": ""})
    (directory / "app.wasm").write_bytes(b"\0asm")
    assert Toolchain().build(Source.read(directory), "wasm").wasm == b"\0asm"


def test_a_missing_module_is_named(make_tenant: Callable[..., Path]) -> None:
    """With the names that it could have."""
    with pytest.raises(BuildError, match=r"there is no app.wasm or app.wat, where a program of tier `wasm`"):
        Toolchain().build(Source.read(make_tenant("m", {"note": ""})), "wasm")


def test_a_build_that_takes_too_long_is_ended(make_tenant: Callable[..., Path]) -> None:
    """By the limit on time."""
    with pytest.raises(BuildError, match=r"the build took more than 0 s; make the program smaller"):
        Toolchain(ToolchainOptions(wall_seconds_max=0)).build(Source.read(make_tenant()), "wasm")


def test_a_build_that_needs_too_much_is_ended(make_tenant: Callable[..., Path]) -> None:
    """By the limit on memory."""
    directory = make_tenant("large", {"note": ""})
    (directory / "app.wasm").write_bytes(bytes(30 << 20))
    with pytest.raises(BuildError, match=r"the build needs more than 32 MiB of memory; make it smaller"):
        Toolchain(ToolchainOptions(memory_bytes_max=32 << 20)).build(Source.read(directory), "wasm")


def test_a_program_is_made_from_what_was_read(make_tenant: Callable[..., Path]) -> None:
    """Once: what happens to the directory afterwards is of no account, and messages name it all the same."""
    directory = make_tenant()
    source = Source.read(directory)
    expected = Toolchain().build(source, "wasm").wasm
    (directory / "app.wat").write_text("(module (nonsense))", encoding="utf-8")
    assert Toolchain().build(source, "wasm").wasm == expected
    changed = Source.read(directory)
    (directory / "app.wat").unlink()
    with pytest.raises(BuildError, match=rf"^{directory}/app.wat: not valid .*{directory}/app.wat:1:10"):
        Toolchain().build(changed, "wasm")


@pytest.mark.parametrize(("number", "cure"), [(errno.ENOSPC, "free space there"), (errno.EROFS, "make it writable")])
def test_no_place_for_a_build_is_said_as_such(
    make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    """It is neither the program's fault nor ours."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    source = Source.read(make_tenant())
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(SystemRefused, match=rf"temporary files cannot be written: .*; {cure} or choose .* TMPDIR"):
        Toolchain().build(source, "wasm")


def test_equal_files_have_equal_digests(make_tenant: Callable[..., Path]) -> None:
    """Wherever they stand and whenever they were written; generated files do not count."""
    first, second = make_tenant("a", {"app.py": "x"}), make_tenant("b", {"app.py": "x"})
    (second / "__pycache__").mkdir()
    (second / "__pycache__/app.pyc").write_bytes(b"generated")
    assert Source.read(first).digest == Source.read(second).digest
    (second / "app.py").write_text("y", encoding="utf-8")
    assert Source.read(first).digest != Source.read(second).digest


def test_hidden_files_are_no_part_of_a_source(make_tenant: Callable[..., Path]) -> None:
    """They may hold what nobody should see; what clients ask for below /.well-known/ is one."""
    directory = make_tenant("a", {"app.py": "x", ".env": "KEY=secret", ".gitignore": "*"})
    for name in (".well-known", ".venv"):
        (directory / name).mkdir()
        (directory / name / "file").write_bytes(b"")
    assert list(Source.read(directory).files) == [".well-known/file", "app.py"]


def test_a_bundle_is_read_back(make_tenant: Callable[..., Path]) -> None:
    """File by file."""
    source = Source.read(make_tenant("a", {"app.py": "x", "b.py": ""}))
    assert Source.unpack(source.directory, source.bundle) == source


def test_a_link_is_not_followed(make_tenant: Callable[..., Path], tmp_path: Path) -> None:
    """A source never takes a file from outside its directory."""
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    directory = make_tenant()
    (directory / "link").symlink_to(tmp_path / "secret")
    assert "link" not in Source.read(directory).files


def test_a_source_that_is_too_large_is_refused(
    make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read."""
    monkeypatch.setattr(source_module, "SOURCE_BYTES_MAX", 10)
    with pytest.raises(BuildError, match=r"of source; take files out"):
        Source.read(make_tenant())


@pytest.mark.parametrize("refused", ["app.py", "templates", "templates/deep"])
def test_what_cannot_be_read_is_named(
    make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A file or a directory of any depth; nothing is left out in silence."""
    directory = make_tenant("a", {"app.py": "x"})
    (directory / "templates/deep").mkdir(parents=True)
    (directory / "templates/deep/page.html").write_bytes(b"")

    def refusing(call: Callable[..., object]) -> Callable[..., object]:
        def checked(path: object, *words: object, **more: object) -> object:
            if str(path) == str(directory / refused):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *words, **more)

        return checked

    # Root may read everything, so a mode would not do.
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    monkeypatch.setattr(io, "open", refusing(io.open))
    with pytest.raises(BuildError, match=rf"^{directory / refused}: cannot be read: Permission denied; check owner"):
        Source.read(directory)


def test_a_directory_that_is_left_out_is_not_looked_into(
    make_tenant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it may be closed."""
    directory = make_tenant("a", {"app.py": "x"})
    (directory / ".git").mkdir()
    scandir, seen = os.scandir, list[str]()

    def watched(path: Path) -> Any:
        seen.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watched)
    assert list(Source.read(directory).files) == ["app.py"]
    assert seen == [str(directory)]
