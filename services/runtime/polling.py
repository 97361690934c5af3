"""How the poll loop fares: how long it has waited for records, and whether its polls fail."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

TROUBLE_SECONDS = 30.0  # Between two polls that fail the client may answer with nothing.


class PollLoop:
    """Fed by the loop itself; a time that only counts what it did not spend applying records."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._applied_seconds = 0.0
        self._applying_since: float | None = None
        self._failed_at: float | None = None
        self._failure = ""

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Records are being applied: the loop does not wait for any."""
        self._applying_since = self._monotonic()
        try:
            yield
        finally:
            self._applied_seconds += self._monotonic() - self._applying_since
            self._applying_since = None

    def waited_seconds(self) -> float:
        """A clock that stands while records are applied."""
        now = self._monotonic()
        applying = 0.0 if self._applying_since is None else now - self._applying_since
        return now - self._applied_seconds - applying

    async def watch(self, poll: Awaitable[T]) -> T:
        """Await one poll and remember how it failed."""
        try:
            return await poll
        except Exception as error:
            self._failed_at = self._monotonic()
            self._failure = f"{type(error).__name__}: {error}"
            raise

    @property
    def trouble(self) -> str | None:
        """Why polls fail, as long as they do."""
        if self._failed_at is None or self._monotonic() - self._failed_at > TROUBLE_SECONDS:
            return None
        return self._failure
