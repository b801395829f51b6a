"""The headers are those of one version of Pythran, mended, with ints of 64 bits."""

from pathlib import Path

import pytest

from dayfly.toolchain.compiled.headers import apply, unpack, widen


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("long x = 1L;", "int64_t x = 1LL;"),
        ("std::integral_constant<long, 3>", "std::integral_constant<int64_t, 3>"),
        ("operator long int() const", "operator int64_t() const"),
        ("long(size())", "int64_t(size())"),
        ("long double x; unsigned long y; unsigned long long z; signed long w; long long v;",) * 2,
        ('"long" /* long */ // long\n#include <long>\n#line 3 "long"',) * 2,
        ("belong longer x1L",) * 2,
    ],
)
def test_every_long_and_nothing_else_gets_wide(text: str, wide: str) -> None:
    """Texts, comments, and the types that C has beside it stay."""
    assert widen(text) == wide


def test_the_patch_fits_this_version_of_pythran(tmp_path: Path) -> None:
    """Every hunk at its place, and every mended file is there."""
    unpack(tmp_path / "pythonic")
    listed = (tmp_path / "pythonic/types/list.hpp").read_text()
    assert 'checked_index(n, size(), "list index out of range")' in listed
    assert (tmp_path / "pythonic/builtins/str/title.hpp").read_text() == '#include "dayfly/str_methods.hpp"\n'


def test_a_patch_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Nothing is patched at a guessed place."""
    (tmp_path / "a.hpp").write_text("one\ntwo\n")
    apply("--- a.hpp\n+++ a.hpp\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n", tmp_path)
    assert (tmp_path / "a.hpp").read_text() == "one\nthree\n"
    with pytest.raises(RuntimeError, match="not those that dayfly mends"):
        apply("--- a.hpp\n+++ a.hpp\n@@ -1,2 +1,2 @@\n one\n-two\n+four\n", tmp_path)
