"""The poll loop: how fresh its records are, how long it waited for them, whether its polls fail."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")

# A poll that took longer waited for a fetch, so what it brought is fresh.
HELD_SECONDS = 0.001
# With that many in hand the others may wait for the next batch.
HELD_MAX = 100
FETCH_AGAIN_MS = 5
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


async def poll_afresh(
    poll: Callable[[Any], Awaitable[Sequence[Any]]],
    consumer: Any,
    *,
    records_max: int,
    held_seconds: float = HELD_SECONDS,
    again_ms: int = FETCH_AGAIN_MS,
) -> Sequence[Any]:
    """What the consumer holds, and what has come since it was fetched (decision 0080).

    aiokafka (0.14) fetches when a poll has emptied it, and not again while it holds what that
    brought: where batches are small, what came in the first moment of the batch before. A poll
    that took longer than `held_seconds` had nothing held.
    """
    began = time.monotonic()
    held = await poll(consumer)
    if not 0 < len(held) < HELD_MAX or time.monotonic() - began > held_seconds:
        return held
    most = max(1, records_max - len(held))
    since = await consumer.getmany(timeout_ms=again_ms, max_records=most)
    return (*held, *chain.from_iterable(since.values()))
