"""Rules of the house that no linter knows."""

import ast
import hashlib
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from dayfly import __version__, errors
from dayfly.config import Limits

REPOSITORY = Path(__file__).parents[1]
CRATES: dict[str, set[str]] = {
    "dayfly-wasm": set(),
    "dayfly-http1": set(),
    "dayfly-sys": {"dayfly-wasm"},
    "dayfly-core": {"dayfly-wasm", "dayfly-http1", "dayfly-sys"},
    "dayfly-py": {"dayfly-core", "dayfly-wasm"},
}
"""Which crates of the workspace a crate may use; every arrow points down."""

PYTHON_LAYERS = [
    {"dayfly", "choices", "handler", "errors", "kernel", "templates", "_core"},
    {"config"},
    {"confinement", "core", "durable"},
    {"log", "release", "scaffold", "testing", "toolchain"},
    {"fingerprint", "registry", "resolver", "server", "upgrade", "worker"},
    {"bases", "watch"},
    {"deploy", "doctor"},
    {"dev", "operator", "samples"},
    {"admin"},
    {"bench"},
    {"cli"},
]
"""A module imports its own layer and those above it in this list, never one below."""


@cache
def files() -> list[Path]:
    """Return the files that git knows or would add."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def sources(*suffixes: str) -> list[Path]:
    """Return the files with one of the suffixes."""
    return [file for file in files() if file.suffix in suffixes]


def text(file: Path) -> str:
    """Read a file."""
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("crate", CRATES)
def test_crates_use_only_what_is_below_them(crate: str) -> None:
    """Nothing below the binding knows Python; nothing below the core knows the core."""
    manifest = tomllib.loads(text(REPOSITORY / "crates" / crate / "Cargo.toml"))
    used = set(manifest.get("dependencies", {}))
    assert {name for name in used if name.startswith("dayfly-")} <= CRATES[crate]
    assert crate == "dayfly-py" or "pyo3" not in used


def test_unsafe_stands_only_in_sys() -> None:
    """And every crate is known to the table above."""
    assert {path.name for path in (REPOSITORY / "crates").iterdir()} == set(CRATES)
    guilty = [
        file.relative_to(REPOSITORY)
        for file in sources(".rs")
        if "dayfly-sys" not in file.parts and re.search(r"^[^/\"]*\bunsafe\b(?!_)", text(file), re.MULTILINE)
    ]
    assert guilty == []


def test_the_data_plane_is_not_async() -> None:
    """From a socket to a guest and back is one synchronous call."""
    product = [file for file in sources(".rs") if file.is_relative_to(REPOSITORY / "crates")]
    guilty = [file.name for file in product if re.search(r"\basync (fn|move|\{)|\.await\b|\btokio::", text(file))]
    assert guilty == []


def module_of(name: str) -> str:
    """Return the part of a dotted name that stands in the layers."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_python_modules_import_only_what_is_below_them() -> None:
    """The command line knows everything, the errors know nothing."""
    layer_of = {module: number for number, layer in enumerate(PYTHON_LAYERS) for module in layer}
    wrong = []
    for file in (REPOSITORY / "src/dayfly").rglob("*.py"):
        relative = file.relative_to(REPOSITORY / "src").with_suffix("")
        importer = module_of(".".join(part for part in relative.parts if part != "__init__"))
        for node in ast.walk(ast.parse(text(file))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dayfly":
                names = (
                    [f"dayfly.{alias.name}" for alias in node.names] if node.module == "dayfly" else [str(node.module)]
                )
                wrong += [
                    f"{relative} imports {name}"
                    for name in names
                    if layer_of.get(module_of(name), 0) > layer_of[importer]
                ]
    assert wrong == []


def test_limits_are_the_same_in_rust_and_python() -> None:
    """Names and defaults."""
    rust = text(REPOSITORY / "crates/dayfly-core/src/limits.rs")
    body = rust[rust.index("Limits {", rust.index("fn default")) :]
    defaults = {
        name: eval(value.replace("_", ""))  # noqa: S307 - numbers of our own source
        for name, value in re.findall(r"(\w+): ([\d_]+(?: << \d+)?),", body)
    }
    assert defaults == Limits().model_dump()


def test_every_limit_and_option_says_what_is_allowed() -> None:
    """The description is part of the message."""
    model: type[BaseModel] = Limits
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_every_error_stands_in_the_tree_at_the_top() -> None:
    """With a kind of its own."""
    kinds = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.DayflyError)
    ]
    assert all(kind.__name__ in str(errors.__doc__) for kind in kinds)
    assert len({kind.kind for kind in kinds}) == len(kinds)


def test_every_variable_of_the_environment_is_documented() -> None:
    """In one table."""
    product = [file for file in sources(".py") if file.is_relative_to(REPOSITORY / "src/dayfly")]
    read = [file for file in product if not {"bench", "handler", "templates", "toolchain"} & set(file.parts)]
    read.append(REPOSITORY / "src/dayfly/toolchain/toolchain.py")
    names = {name for file in read for name in re.findall(r"\bDAYFLY_[A-Z_]+\b", text(file))}
    table = text(REPOSITORY / "docs/configuration.md").partition("## Variables of the environment")[2]
    assert sorted(name for name in names if f"| `{name}` |" not in table) == []


def test_nothing_is_left_over() -> None:
    """No marker of unfinished work, in any source."""
    marker = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|todo!\(|unimplemented!\(|dbg!\(")
    suspects = sources(".rs", ".py", ".pyi", ".md", ".h", ".cpp", ".wat", ".toml")
    guilty = [str(file.relative_to(REPOSITORY)) for file in suspects if marker.search(text(file))]
    assert guilty == []


def test_every_lock_entry_has_a_hash_and_no_address() -> None:
    """Names, versions, hashes; where from is the installer's business."""
    lock = text(REPOSITORY / "requirements/dev.txt")
    assert "://" not in lock
    packages = re.split(r"\n(?=\w)", lock)
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_versions_agree() -> None:
    """Workspace, package and changelog."""
    manifest = tomllib.loads(text(REPOSITORY / "Cargo.toml"))
    assert manifest["workspace"]["package"]["version"] == __version__
    assert f"## [{__version__}]" in text(REPOSITORY / "CHANGELOG.md")


def test_the_seed_program_is_as_it_was() -> None:
    """Octet for octet, on both tiers."""
    programs = [(REPOSITORY / "examples" / name / "app.py").read_bytes() for name in ("hello", "hello-python")]
    assert programs[0] == programs[1]
    digest = hashlib.sha256(programs[0]).hexdigest()
    assert digest == "f857a507cca4ee5dc2e360cd3429901f0a8692a845b1cf0594d545d531a41094"


def test_files_end_with_a_line_end() -> None:
    """Exactly one, and no line ends with a space; programs of tenants may look as they like."""
    guilty = []
    for file in sources(".rs", ".py", ".pyi", ".md", ".toml", ".wat", ".lua"):
        if "corpus" in file.parts:
            continue
        content = text(file)
        if content and (
            not content.endswith("\n") or content.endswith("\n\n") or re.search(r"[ \t]$", content, re.MULTILINE)
        ):
            guilty.append(str(file.relative_to(REPOSITORY)))
    assert guilty == []
