"""What is shipped: everything that is needed, and nothing of the machine that built it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
CARGO_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
RUSTUP_HOME = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Build the wheel from what is compiled already; return its files."""
    directory = tmp_path_factory.mktemp("wheel")
    maturin = Path(sys.executable).with_name("maturin")
    command = [str(maturin), "build", "--release", "--locked", "--quiet", "--offline", "--out", str(directory)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (file,) = directory.glob("dayfly-*.whl")
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_no_file_names_the_building_machine(wheel: dict[str, bytes]) -> None:
    """Neither the work tree nor where Rust and its packages are kept."""
    machine = [str(path).encode() for path in (REPOSITORY, CARGO_HOME, RUSTUP_HOME)]
    guilty = {name: path for name, content in wheel.items() for path in machine if path in content}
    assert guilty == {}


def test_the_wheel_is_whole(wheel: dict[str, bytes]) -> None:
    """Native half, types, command line, and what the toolchain compiles with."""
    package = {name.removeprefix("dayfly/") for name in wheel if name.startswith("dayfly/")}
    sources = REPOSITORY / "src/dayfly"
    expected = {
        file.relative_to(sources).as_posix()
        for file in sources.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert package == expected
    assert "_core.abi3.so" in package


def test_every_python_since_3_11_can_load_it(wheel: dict[str, bytes]) -> None:
    """One wheel, by the stable interface."""
    (metadata,) = (content.decode() for name, content in wheel.items() if name.endswith(".dist-info/WHEEL"))
    assert "Tag: cp311-abi3-" in metadata
