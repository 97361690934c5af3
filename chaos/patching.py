"""Replace a function of a service by name, or raise an error if the name is gone.

Patches that are made in a block of `reporting` are reported: each when it is made, and when its
replacement is called for the first time. A bug that no call ever reaches shows nothing.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Around = Callable[..., Any]
Report = Callable[[str, str], None]
"""Takes PATCHED or CALLED, and the place."""

PATCHED = "patched"
CALLED = "patch_called"

_report: ContextVar[Report | None] = ContextVar("report", default=None)


class NameGone(Exception):
    """A function that should be patched is no longer there. Name its successor in `chaos/`."""


@contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Report every patch that is made in the block, and the first call of its replacement."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def patch(place: str, make: Callable[[Any], Any]) -> None:
    """Replace `package.module:Name.attribute` by `make(what was there)`.

    Raises:
        NameGone: there is nothing of that name.
    """
    module_name, _, path = place.partition(":")
    try:
        owner: Any = importlib.import_module(module_name)
        *parents, last = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        found = owner.__dict__[last]
    except (ImportError, AttributeError, KeyError):
        raise NameGone(f"{place} does not exist: name its successor in chaos/") from None
    report = _report.get()
    replacement = make(found)
    if report is not None:
        report(PATCHED, place)
        replacement = _reported(replacement, lambda: report(CALLED, place))
    setattr(owner, last, replacement)


def _reported(replacement: Any, report: Callable[[], None]) -> Any:
    """The replacement, with a report before its first call."""
    if isinstance(replacement, staticmethod):
        return staticmethod(_reported(replacement.__func__, report))
    is_reported = False

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal is_reported
        if not is_reported:
            is_reported = True
            report()
        return replacement(*arguments, **named)

    return call


def around(
    place: str,
    *,
    before: Callable[..., None] | None = None,
    after: Callable[..., None] | None = None,
) -> None:
    """Call `before` and `after` around an asynchronous function, with its arguments."""

    def make(found: Callable[..., Awaitable[Any]]) -> Any:
        @functools.wraps(found)
        async def wrapped(*arguments: Any, **named: Any) -> Any:
            if before:
                before(*arguments, **named)
            result = await found(*arguments, **named)
            if after:
                after(*arguments, **named)
            return result

        return wrapped

    patch(place, make)
