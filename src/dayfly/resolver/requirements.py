"""What a tenant says it needs: `requirements.txt`, or `dependencies` of `[project]` in `pyproject.toml`.

The file is data. Nothing in it is obeyed, followed or fetched: a line is a name with extras, versions, a marker and
digests, or it is refused with its number.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dayfly.config import parse_toml
from dayfly.errors import PackagesRefused
from dayfly.resolver.target import WRONG_MARKER, applies

REQUIREMENTS = "requirements.txt"
PYPROJECT = "pyproject.toml"

FILE_BYTES_MAX = 1 << 20
"""Of the list; a lock of 200 packages with all their digests has some 200 KiB."""

REQUIREMENTS_MAX = 200

LINE_CHARACTERS_MAX = 64 << 10
"""Of a requirement with all its digests: the largest projects have some hundred files, 80 characters each."""

REQUIREMENT_CHARACTERS_MAX = 4 << 10
"""Of a requirement without its digests."""

# Option -> why it is not taken.
_OPTIONS = {
    ("-r", "--requirement", "-c", "--constraint"): "no other file is read; write its lines here",
    ("-e", "--editable"): "nothing is installed from a directory; name a package and its version",
    ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host"): (
        "packages come from the index that the operator chose; take the line out"
    ),
    ("--no-binary", "--only-binary", "--prefer-binary"): "only wheels are taken; take the line out",
}
_OTHER_OPTION = "options are not taken from a program's source; take it out"
_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Wanted:
    """One requirement, as values."""

    name: str
    """In the one spelling that an index knows: lower case, with hyphens."""
    origin: str
    """File and line, for messages."""
    extras: tuple[str, ...] = ()
    specifier: str = ""
    """Versions, like `>=2,<4`; empty: any."""
    marker: str = ""
    """When it is needed, like `python_version < "3.9"`; empty: always."""
    sha256: tuple[str, ...] = ()
    """Digests that its file may have; empty: any that the index vouches for."""

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


def read_requirements(files: Mapping[str, bytes]) -> tuple[Wanted, ...]:
    """Read what the source needs; `requirements.txt` wins. Raises PackagesRefused with file, line and reason."""
    if REQUIREMENTS in files:
        found = list(_of_requirements(_text(REQUIREMENTS, files[REQUIREMENTS])))
    elif PYPROJECT in files:
        found = list(_of_pyproject(files[PYPROJECT]))
    else:
        return ()
    if len(found) > REQUIREMENTS_MAX:
        raise PackagesRefused(f"{found[-1].origin}: more than {REQUIREMENTS_MAX} packages; take some out")
    return tuple(found)


def _text(name: str, content: bytes) -> str:
    if len(content) > FILE_BYTES_MAX:
        raise PackagesRefused(f"{name}: more than {FILE_BYTES_MAX >> 20} MiB; take lines out")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PackagesRefused(f"{name}:{line}: not UTF-8; save it as UTF-8") from None


def _of_requirements(text: str) -> Iterator[Wanted]:
    for number, line in _logical_lines(text):
        yield _of_line(line, f"{REQUIREMENTS}:{number}")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that end with a backslash, and leave out comments and empty lines."""
    joined, start = "", 0
    for number, raw in enumerate([*re.split(r"\r\n|\r|\n", text), ""], 1):
        line = _without_comment(raw)
        start = start or number
        joined += line.removesuffix("\\") + " "
        if len(joined) > LINE_CHARACTERS_MAX:
            raise PackagesRefused(f"{REQUIREMENTS}:{start}: more than {LINE_CHARACTERS_MAX >> 10} KiB; make it shorter")
        if line.endswith("\\"):
            continue
        if stripped := joined.strip():
            yield start, stripped
        joined, start = "", 0


def _without_comment(line: str) -> str:
    """Cut a line at the first `#` that stands at its beginning or after a space, as in an address it does not."""
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _of_line(line: str, origin: str) -> Wanted:
    if line.startswith("-"):
        option = re.split(r"[\s=]", line, maxsplit=1)[0]
        raise PackagesRefused(f"{origin}: `{_shown(option)}`: {_why_not(option)}")
    digests = tuple(_sha256(digest, origin) for digest in _HASH.findall(line))
    requirement = _HASH.sub("", line).strip()
    if option := re.search(r"\s(--?[A-Za-z][\w-]*)", requirement):
        raise PackagesRefused(f"{origin}: `{_shown(option[1])}`: {_why_not(option[1])}")
    return _of_text(requirement, origin, digests)


def _why_not(option: str) -> str:
    short = option[:2]
    for names, reason in _OPTIONS.items():
        if option in names or (not option.startswith("--") and short in names):
            return reason
    return _OTHER_OPTION


def _sha256(digest: str, origin: str) -> str:
    found = _SHA256.fullmatch(digest)
    if not found:
        raise PackagesRefused(f"{origin}: `--hash={_shown(digest)}` is no SHA-256; write --hash=sha256:DIGEST")
    return found[1]


def _of_pyproject(content: bytes) -> Iterator[Wanted]:
    try:
        project = parse_toml(content).get("project", {})
    except ValueError as error:
        raise PackagesRefused(f"{PYPROJECT}: not valid TOML: {error}; correct it") from None
    dependencies = project.get("dependencies", []) if isinstance(project, dict) else None
    dynamic = project.get("dynamic", []) if isinstance(project, dict) else []
    if not isinstance(dependencies, list) or not all(isinstance(entry, str) for entry in dependencies):
        raise PackagesRefused(f"{PYPROJECT}: `project.dependencies` is no list of texts; write one requirement each")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise PackagesRefused(f"{PYPROJECT}: `dependencies` cannot be dynamic; write them into `project.dependencies`")
    for entry in dependencies:
        yield _of_text(entry.strip(), f"{PYPROJECT}{_line_of(entry, content.decode())}", ())


def _line_of(entry: str, text: str) -> str:
    at = text.find(entry)
    return f":{text.count(chr(10), 0, at) + 1}" if at >= 0 else ""


def _of_text(text: str, origin: str, digests: tuple[str, ...]) -> Wanted:
    if len(text) > REQUIREMENT_CHARACTERS_MAX:
        raise PackagesRefused(f"{origin}: more than {REQUIREMENT_CHARACTERS_MAX >> 10} KiB; make it shorter")
    if reason := _not_a_name(text):
        raise PackagesRefused(f"{origin}: `{_shown(text)}` is {reason}; write NAME==VERSION")
    try:
        requirement = Requirement(text)
        marker = str(requirement.marker or "")
        applies(marker)
    except (InvalidRequirement, *WRONG_MARKER, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise PackagesRefused(f"{origin}: `{_shown(text)}` is no requirement: {reason}; write NAME==VERSION") from None
    return Wanted(
        name=canonicalize_name(requirement.name),
        origin=origin,
        extras=tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        specifier=str(requirement.specifier),
        marker=marker,
        sha256=digests,
    )


def _not_a_name(text: str) -> str:
    """Say what a requirement is that would be fetched from a place of the tenant's choosing."""
    before_marker = text.partition(";")[0]
    if re.search(r"://|^[A-Za-z+]{2,}:|@", before_marker):
        return "an address, and packages come from the operator's index"
    if re.search(r"[/\\]|^[.~]|\.(whl|zip|tar|tgz|gz|bz2|egg)$", before_marker.strip()):
        return "a path, and nothing is installed from files"
    if "${" in text:
        return "no requirement: variables are not replaced"
    return ""


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - one line of a terminal
