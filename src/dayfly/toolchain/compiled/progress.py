"""The bar of the build that happens once a machine."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress

from dayfly.toolchain.compiled import runtime


@contextlib.contextmanager
def shown() -> Iterator[runtime.Progress]:
    """Give what to tell of each step; the bar appears on standard error with the first of them."""
    with contextlib.ExitStack() as stack:
        bars: list[Progress] = []

        def step(what: str, done: int, steps: int) -> None:
            if not bars:
                bars.append(stack.enter_context(Progress(console=Console(stderr=True), transient=True)))
                bars[0].add_task("")
            text = f"building the C++ runtime, once on this machine: {what}"
            bars[0].update(bars[0].task_ids[0], description=text, completed=done, total=steps)

        yield step
