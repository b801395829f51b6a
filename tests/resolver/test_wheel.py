"""Hostile wheels: each is refused with its name, and nothing is written anywhere."""

import io
import struct
import zipfile
from collections.abc import Mapping

import pytest

from dayfly.errors import PackagesRefused
from dayfly.resolver.wheel import Tree, metadata_of
from tests.resolver.index import archive, wheel

BYTES_MAX = 1 << 20


def unpack(*wheels: tuple[str, bytes], bytes_max: int = BYTES_MAX) -> dict[str, bytes]:
    """Unpack wheels into one tree."""
    tree = Tree(bytes_max)
    for name, content in wheels:
        tree.add(content, name)
    return tree.files


def refusal(*wheels: tuple[str, bytes], bytes_max: int = BYTES_MAX) -> str:
    """Return why they are refused."""
    with pytest.raises(PackagesRefused) as caught:
        unpack(*wheels, bytes_max=bytes_max)
    return str(caught.value)


def test_a_wheel_becomes_files() -> None:
    """Scripts and headers go nowhere; what belongs into the library goes there."""
    files = unpack(
        wheel(
            "shop",
            files={
                "shop/__init__.py": b"x = 1\n",
                "shop-1.0.data/purelib/shop/more.py": b"y = 2\n",
                "shop-1.0.data/scripts/shop": b"#!python\n",
                "shop-1.0.data/headers/shop.h": b"",
            },
        )
    )
    assert {name for name in files if "dist-info" not in name} == {"shop/__init__.py", "shop/more.py"}
    assert b"Name: shop" in metadata_of(*reversed(wheel("shop")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "points out of its directory"),
        ("../escape.py", "points out of its directory"),
        ("shop/../../escape.py", "points out of its directory"),
        ("shop/./x.py", "points out of its directory"),
        ("shop//x.py", "points out of its directory"),
        ("shop\\..\\x.py", "has a name that not every file system has"),
        ("C:x.py", "has a name that not every file system has"),
        ("shop/x\0.py", "has a name that not every file system has"),
        ("shop/\nx.py", "has a name that not every file system has"),
        ("shop/" + "x" * 600, "has a name that not every file system has"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, reason: str) -> None:
    """Before anything is unpacked."""
    stand_in = "?" * len(name)
    content = archive({**entries_of(wheel("shop")), stand_in: b"x"})
    assert reason in refusal(("shop-1.0-py3-none-any.whl", content.replace(stand_in.encode(), name.encode())))


def entries_of(file: tuple[str, bytes]) -> dict[str, bytes]:
    """Return the entries of a wheel."""
    with zipfile.ZipFile(io.BytesIO(file[1])) as source:
        return {name: source.read(name) for name in source.namelist()}


def with_entry(entry: zipfile.ZipInfo, content: bytes = b"x") -> tuple[str, bytes]:
    """Return a wheel with one more entry."""
    name, octets = wheel("shop")
    buffer = io.BytesIO(octets)
    with zipfile.ZipFile(buffer, "a") as target:
        target.writestr(entry, content)
    return name, buffer.getvalue()


def test_links_and_devices_are_refused() -> None:
    """Whatever they point to."""
    for mode in (0o120777, 0o020666, 0o010644):
        entry = zipfile.ZipInfo("shop/link")
        entry.external_attr = mode << 16
        assert "is a link or a device" in refusal(with_entry(entry, b"/etc/passwd"))


def test_what_unpacks_to_too_much_is_refused() -> None:
    """By what comes out, not by what the archive says of itself."""
    bomb = wheel("shop", files={"shop/__init__.py": bytes(8 << 20)})
    assert len(bomb[1]) < 16 << 10
    assert "more than 1 MiB of packages when unpacked; take some out" in refusal(bomb)
    # The sizes in both headers say 1 octet; what comes out is measured all the same.
    said = struct.pack("<L", 8 << 20)
    assert "shop" in refusal((bomb[0], bomb[1].replace(said, struct.pack("<L", 1))))


def test_the_bound_is_of_all_packages_together() -> None:
    """Not of each."""
    wheels = [wheel(name, files={f"{name}.py": bytes(400 << 10)}) for name in ("a", "b", "c")]
    assert len(unpack(*wheels[:2])) == 8
    assert "c-1.0-py3-none-any.whl: more than 1 MiB" in refusal(*wheels)


def test_many_files_are_refused() -> None:
    """Before they are unpacked."""
    files = {f"shop/m{number}.py": b"" for number in range(10_001)}
    assert "more than 10000 files" in refusal(wheel("shop", files=files))


@pytest.mark.parametrize(
    "files",
    [
        {"shop/a.py": b"1", "shop/A.py": b"2"},
        {"shop/a.py": b"1", "SHOP/a.py": b"2"},
        {"shop/\u00e9.py": b"1", "shop/e\u0301.py": b"2"},
        {"shop/a": b"1", "shop/a/b.py": b"2"},
        {"shop/a/b.py": b"2", "shop/a": b"1"},
        {"shop/stra\u00dfe.py": b"1", "shop/strasse.py": b"2"},
    ],
)
def test_names_that_meet_are_refused(files: Mapping[str, bytes]) -> None:
    """In file systems without case, in those that compose letters, and a file that is a directory as well."""
    assert "are one place in some file systems" in refusal(wheel("shop", files=files))


def test_packages_do_not_replace_each_others_files() -> None:
    """The same octets are no harm."""
    one = wheel("one", files={"shared.py": b"1", "one.py": b""})
    assert "another package of the set has another `shared.py`" in refusal(one, wheel("two", files={"shared.py": b"2"}))
    assert unpack(one, wheel("two", files={"shared.py": b"1"}))["shared.py"] == b"1"


def test_native_code_is_found_whatever_the_name_says() -> None:
    """A wheel that is for any machine has none."""
    for place in ("shop/_native.so", "shop/_native.cpython-314-x86_64-linux-gnu.so", "shop/lib.so.1.2", "shop/x.PYD"):
        assert f"`{place}` is native code" in refusal(wheel("shop", files={place: b"\x7fELF"}))


def test_known_fallbacks_lose_their_native_files() -> None:
    """And keep the rest."""
    files = {"markupsafe/__init__.py": b"", "markupsafe/_native.py": b"", "markupsafe/_speedups.so": b"\x7fELF"}
    found = unpack(wheel("markupsafe", files=files, tag="cp314-cp314-manylinux_2_17_x86_64"))
    assert {"markupsafe/__init__.py", "markupsafe/_native.py"} == {name for name in found if "dist-info" not in name}


def test_a_wheel_is_what_its_name_says() -> None:
    """Its metadata are those of the package and the version that were locked."""
    content = wheel("shop", "2.0")[1]
    assert "its metadata is that of `shop-2.0.dist-info`" in refusal(("shop-1.0-py3-none-any.whl", content))
    two = archive({**entries_of(wheel("shop")), **entries_of(wheel("evil"))})
    assert "has 2 directories with metadata" in refusal(("shop-1.0-py3-none-any.whl", two))
    assert "has no `shop-1.0.dist-info/WHEEL`" in refusal(
        ("shop-1.0-py3-none-any.whl", archive({"shop-1.0.dist-info/METADATA": b""}))
    )


def test_damage_is_named() -> None:
    """A truncated archive, none at all, one with a wrong checksum, one that is encrypted."""
    name, content = wheel("shop", files={"shop/__init__.py": b"abcdefgh" * 100})
    assert "not a zip archive" in refusal((name, content[: len(content) // 2]))
    assert "not a zip archive" in refusal((name, b"nothing"))
    at = content.index(b"shop/__init__.py") + len("shop/__init__.py") + 2
    damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
    assert "`shop/__init__.py` cannot be unpacked" in refusal((name, damaged))
    encrypted = bytearray(content)
    directory = content.index(b"PK\x01\x02")
    encrypted[directory + 8] |= 1
    assert "is encrypted" in refusal((name, bytes(encrypted)))
