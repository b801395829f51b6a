"""The template that needs an index."""

import pytest

from tests.conftest import Run


@pytest.mark.usefixtures("flask_index")
def test_the_flask_template_passes_its_own_samples(run: Run) -> None:
    """With its packages from an index."""
    assert run("new", "shop", "--template", "flask").returncode == 0
    done = run("test", "shop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shop: 3 passed, 0 failed" in done.stdout
