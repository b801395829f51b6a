"""Which versions fit together: pip's resolver (resolvelib) over pure wheels.

A package whose newest fitting version has no pure wheel is refused by name. Going back through its history, or through
that of what needs it, would end in versions of years ago without saying so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version
from resolvelib import (
    AbstractProvider,
    BaseReporter,
    ResolutionImpossible,
    ResolutionTooDeep,
    Resolver,
)
from resolvelib.structs import RequirementInformation

from dayfly.errors import PackagesRefused
from dayfly.resolver import target
from dayfly.resolver.index import File, Index
from dayfly.resolver.lock import Lock, Locked
from dayfly.resolver.requirements import Wanted
from dayfly.resolver.wheel import metadata_of

ROUNDS_MAX = 2_000
PACKAGES_MAX = 200

_REQUIREMENT_CHARACTERS_MAX = 4 << 10

Key = tuple[str, tuple[str, ...]]
"""A package and the extras asked of it: two keys of one package are held to one version."""


@dataclass(frozen=True)
class Candidate:
    """One version of a package, as one wheel."""

    name: str
    version: Version
    file: File
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def resolve(wanted: Iterable[Wanted], index: Index, bytes_max: int) -> Lock:
    """Return one version for each package that is needed. Raises PackagesRefused or IndexUnreachable."""
    needed = [one for one in wanted if target.applies(one.marker)]
    resolver: Resolver[Wanted, Candidate, Key] = Resolver(Provider(index, bytes_max), BaseReporter())
    try:
        result = resolver.resolve(needed, max_rounds=ROUNDS_MAX)
    except ResolutionImpossible as error:
        raise PackagesRefused(_impossible(error.causes)) from None
    except ResolutionTooDeep:
        raise PackagesRefused(f"no versions that fit were found in {ROUNDS_MAX} rounds; pin versions") from None
    chosen = {candidate.name: candidate for candidate in result.mapping.values()}
    if len(chosen) > PACKAGES_MAX:
        raise PackagesRefused(f"{len(chosen)} packages are needed, more than {PACKAGES_MAX}; take some out")
    locked = [Locked(one.name, str(one.version), one.file.name, one.file.sha256) for _, one in sorted(chosen.items())]
    return Lock(tuple(locked))


class Provider(AbstractProvider[Wanted, Candidate, Key]):
    """What the resolver asks: which versions there are, and what they need."""

    def __init__(self, index: Index, bytes_max: int) -> None:
        self._index = index
        self._bytes_max = bytes_max
        self._projects: dict[str, dict[Version, list[File]]] = {}
        self._needs: dict[str, tuple[Wanted, ...]] = {}
        self._origins: dict[str, str] = {}
        """Who asked first for a package: a line of the source, or a candidate."""

    def identify(self, requirement_or_candidate: Wanted | Candidate) -> Key:
        """Name a package with its extras."""
        return requirement_or_candidate.name, requirement_or_candidate.extras

    def get_preference(
        self,
        identifier: Key,
        resolutions: Mapping[Key, Candidate],  # noqa: ARG002 - the signature of resolvelib
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[Key, Iterator[RequirementInformation[Wanted, Candidate]]],
        backtrack_causes: Sequence[RequirementInformation[Wanted, Candidate]],
    ) -> Any:  # noqa: ANN401 - resolvelib's own protocol of what sorts
        """Look first at what is in conflict, then at pins, then in the order of names: always in the same order."""
        conflicts = any(cause.requirement.name == identifier[0] for cause in backtrack_causes)
        pinned = any("==" in one.requirement.specifier for one in information[identifier])
        return not conflicts, not pinned, identifier

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[Wanted]],
        incompatibilities: Mapping[Key, Iterator[Candidate]],
    ) -> list[Candidate]:
        """Return the versions that fit, the newest first."""
        name, extras = identifier
        asked = [wanted for key in requirements if key[0] == name for wanted in requirements[key]]
        self._origins.setdefault(name, asked[0].origin)
        excluded = {candidate.version for candidate in incompatibilities[identifier]}
        candidates = [
            Candidate(name, version, file, extras)
            for version, file in self._fitting(name, asked)
            if version not in excluded
        ]
        return sorted(candidates, key=lambda candidate: candidate.version, reverse=True)

    def is_satisfied_by(self, requirement: Wanted, candidate: Candidate) -> bool:
        """Tell whether a version fits."""
        return SpecifierSet(requirement.specifier).contains(candidate.version, prereleases=True) and (
            not requirement.sha256 or candidate.file.sha256 in requirement.sha256
        )

    def get_dependencies(self, candidate: Candidate) -> list[Wanted]:
        """Return what a version needs, for the extras that are asked of it."""
        if candidate.extras:
            same = Wanted(candidate.name, str(candidate), specifier=f"=={candidate.version}")
            return [same, *(one for one in self._of(candidate) if target.applies(one.marker, candidate.extras))]
        return [one for one in self._of(candidate) if target.applies(one.marker)]

    def _of(self, candidate: Candidate) -> tuple[Wanted, ...]:
        file = candidate.file
        if file.sha256 not in self._needs:
            if file.metadata:
                metadata = self._index.metadata(file)
            else:
                metadata = metadata_of(self._index.download(file, self._bytes_max), file.name)
            self._needs[file.sha256] = tuple(_needs(metadata, candidate))
        return self._needs[file.sha256]

    def _fitting(self, name: str, asked: list[Wanted]) -> Iterator[tuple[Version, File]]:
        """Give each version that fits with its best wheel; refuse a package whose newest has none."""
        versions = self._versions(name, asked)
        specifiers = SpecifierSet(",".join(one.specifier for one in asked if one.specifier))
        pinned = any("==" in one.specifier for one in asked)
        here = {version: _for_this_python(files, yanked=pinned) for version, files in versions.items()}
        fitting = sorted(specifiers.filter(version for version in here if here[version]), reverse=True)
        for position, version in enumerate(fitting):
            wheel = _best_wheel(name, here[version], [set(one.sha256) for one in asked if one.sha256])
            if wheel:
                yield version, wheel
            elif position == 0:
                raise PackagesRefused(self._no_wheel(name, version, versions[version], asked))

    def _versions(self, name: str, asked: list[Wanted]) -> dict[Version, list[File]]:
        if name not in self._projects:
            files = self._index.project(name)
            if files is None:
                raise PackagesRefused(f"{asked[0].origin}: the index has no package `{name}`; check its name")
            versions: dict[Version, list[File]] = {}
            for file in files:
                if (version := _version(file.name, name)) is not None:
                    versions.setdefault(version, []).append(file)
            self._projects[name] = versions
        return self._projects[name]

    def _no_wheel(self, name: str, version: Version, files: list[File], asked: list[Wanted]) -> str:
        """Say why the newest version cannot be used, who needs it, and what to do."""
        line, *parents = self._path(asked[0])
        wheels = [file.name for file in files if file.name.endswith(".whl")]
        if any(target.rank(wheel, name) for wheel in wheels):
            return f"{line}: no wheel of {name} {version} has a digest that is allowed here; correct its --hash"
        reason = "is native code" if wheels else "has no wheel, and nothing is built from source"
        needed = "".join(f", needed by {parent}" for parent in parents)
        advice = [target.ADVICE[key] for key in (name, *map(_name_of, parents)) if key in target.ADVICE]
        return f"{line}: {name} {version} {reason}{needed}; {advice[0] if advice else target.OTHERWISE}"

    def _path(self, wanted: Wanted) -> list[str]:
        """Return the line of the source that a requirement goes back to, then who needs it, nearest first."""
        parents, origin = [], wanted.origin
        while " " in origin and origin not in parents:
            parents.append(origin)
            origin = self._origins[_name_of(origin)]
        return [origin, *parents]


def _name_of(candidate: str) -> str:
    return candidate.partition(" ")[0]


def _needs(metadata: bytes, candidate: Candidate) -> Iterator[Wanted]:
    raw, _ = parse_email(metadata)
    for text in raw.get("requires_dist", []):
        try:
            requirement = Requirement(text[:_REQUIREMENT_CHARACTERS_MAX])
            marker = str(requirement.marker or "")
            target.applies(marker)
        except (InvalidRequirement, *target.WRONG_MARKER, ValueError, RecursionError):
            raise PackagesRefused(
                f"{candidate} needs `{text[:80]}`, which is no requirement; pin another version"
            ) from None
        if requirement.url:
            raise PackagesRefused(f"{candidate} needs `{requirement.name}` from an address; pin another version")
        yield Wanted(
            name=canonicalize_name(requirement.name),
            origin=str(candidate),
            extras=tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
            specifier=str(requirement.specifier),
            marker=marker,
        )


def _version(filename: str, name: str) -> Version | None:
    """Return the version of a file of this project, if it is a wheel or a source archive."""
    try:
        if filename.endswith(".whl"):
            project, version = parse_wheel_filename(filename)[:2]
        else:
            project, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None
    return version if project == name else None


def _for_this_python(files: list[File], *, yanked: bool) -> list[File]:
    return [file for file in files if _admits(file.requires_python) and (yanked or not file.yanked)]


def _admits(requires_python: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(target.PYTHON_VERSION)
    except (InvalidSpecifier, ValueError):
        return True


def _best_wheel(name: str, files: list[File], allowed: list[set[str]]) -> File | None:
    ranked = [
        (rank, file)
        for file in files
        if (rank := target.rank(file.name, name)) and all(file.sha256 in digests for digests in allowed)
    ]
    return min(ranked, key=lambda entry: entry[0])[1] if ranked else None


def _impossible(causes: Iterable[RequirementInformation[Wanted, Candidate]]) -> str:
    """Name the requirements that no version fits."""
    asked = sorted({f"`{cause.requirement}` ({cause.parent or cause.requirement.origin})" for cause in causes})
    return f"no version fits {' and '.join(asked)}; loosen one of them"
