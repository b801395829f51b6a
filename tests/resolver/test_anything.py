"""Whatever comes in, what comes out is a value or a refusal with a reason."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.errors import PackagesRefused
from dayfly.resolver import read_requirements
from dayfly.resolver.target import rank
from dayfly.resolver.wheel import Tree
from tests.resolver.index import wheel

WORDS = ("flask", "-r", "--hash=sha256:", "os_name", '"a"', "and", "extra", "==1.*", ">=1", "://", "0000", "\u00e9")
PARTS = st.sampled_from([*WORDS, *"=;()[]@#,~*/\\ \n\0", "\\\n"])
LINES = st.one_of(st.text(max_size=200), st.lists(PARTS, max_size=30).map("".join))


@given(LINES)
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """As a list, and as a dependency of a project."""
    for files in (
        {"requirements.txt": text.encode("utf-8", "surrogatepass")},
        {"pyproject.toml": text.encode("utf-8", "surrogatepass")},
        {"pyproject.toml": f"[project]\ndependencies = ['''{text}''']\n".encode("utf-8", "surrogatepass")},
    ):
        with suppress(PackagesRefused):
            assert all(wanted.name and wanted.origin for wanted in read_requirements(files))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_octets_are_unpacked_or_refused(data: st.DataObject) -> None:
    """Of a wheel in which some octets are others, or from which some are gone."""
    name, content = wheel("shop", files={"shop/__init__.py": b"x = 1\n" * 50, "shop/data.bin": bytes(range(256))})
    octets = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(octets)), st.integers(0, len(octets))))
    tree = Tree(1 << 20)
    with suppress(PackagesRefused):
        tree.add(bytes(octets[:end]), name)
    assert sum(map(len, tree.files.values())) <= 1 << 20


@given(st.text(max_size=100))
@settings(max_examples=300, deadline=None)
def test_any_file_name_has_a_rank_or_none(name: str) -> None:
    """Names come from the index."""
    for file in (name, f"{name}.whl", f"shop-1.0-{name}.whl", f"shop-{name}-py3-none-any.whl"):
        assert rank(file, "shop") is None or rank(file, "shop") == rank(file, "shop")
