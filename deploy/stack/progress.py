"""Shows long steps while they run: a moving line on a terminal, nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

Advance = Callable[[], None]


class StepDisplay(Protocol):
    """Shows the step that the stack is at."""

    def step(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show `text` while the block runs; call what it yields after each of `total` parts."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[Advance]:  # noqa: ARG002
        """Run the block."""
        yield _nothing


class Terminal:
    """A spinner, a bar where the parts are counted, and the time taken, on a terminal's line.

    Anywhere else than on a terminal (a log, a pipe) it stays quiet.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[Advance]:
        """Show `text` while the block runs."""
        if not self._console.is_terminal:
            yield _nothing
            return
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        counted = [BarColumn(bar_width=24), MofNCompleteColumn()] if total else []
        with Progress(*columns, *counted, TimeElapsedColumn(), console=self._console) as display:
            task = display.add_task(text, total=total)
            yield lambda: display.advance(task)
            display.update(task, total=total or 1, completed=total or 1)


def _nothing() -> None:
    pass
