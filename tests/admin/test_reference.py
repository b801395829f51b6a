"""The page about the admin API is what the routes say."""

import re
from pathlib import Path

from dayfly.admin.problem import KINDS
from dayfly.admin.reference import page

REPOSITORY = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """Else: make reference."""
    assert (REPOSITORY / "docs/admin-api.md").read_text(encoding="utf-8") == page()


def test_every_kind_of_refusal_is_explained() -> None:
    """Each that the code names."""
    text = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src/dayfly/admin").glob("*.py"))
    named = set(re.findall(r'Problem\(\s*\d+,\s*"(\w+)"', text))
    assert len(named) > 10
    assert named <= set(KINDS)
