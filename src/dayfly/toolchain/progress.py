"""The bar of a build that happens once a machine."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress as Bar

Progress = Callable[[str, int, int], None]
"""Told what is being built, steps done, and steps in all."""


@contextlib.contextmanager
def shown(what: str) -> Iterator[Progress]:
    """Give what to tell of each step; the bar appears on standard error with the first of them."""
    with contextlib.ExitStack() as stack:
        bars: list[Bar] = []

        def step(part: str, done: int, steps: int) -> None:
            if not bars:
                bars.append(stack.enter_context(Bar(console=Console(stderr=True), transient=True)))
                bars[0].add_task("")
            bars[0].update(
                bars[0].task_ids[0],
                description=f"building {what}, once on this machine: {part}",
                completed=done,
                total=steps,
            )

        yield step
