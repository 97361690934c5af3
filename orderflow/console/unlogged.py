"""Commands that decide items: their own lines are the answer, not the service's log entries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog


@contextmanager
def unlogged() -> Iterator[None]:
    """Drop log entries of decisions: the screen and the audit say the same."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent
