"""The poll loop: how fresh its records are, how long it waited for them, whether its polls fail."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

from aiokafka import TopicPartition

T = TypeVar("T")

# A poll that took longer waited for a fetch, so what it brought is fresh.
HELD_SECONDS = 0.001
# With that many in hand the others may wait for the next batch, and are fetched during this one.
HELD_MAX = 100
# Few records of more bytes than this are a long batch: the next is fetched beside it.
SMALL_BYTES = 256 * 1024
# What was fetched for a poll is fresh where the fetch began no longer before it.
FRESH_SECONDS = 0.003
# A fetch is answered in 2 to 6 ms where the cores are busy; without its answer what came meanwhile
# waits for one batch more.
FETCH_AGAIN_MS = 10
TROUBLE_SECONDS = 30.0  # Between two polls that fail the client may answer with nothing.


class PollMonitor:
    """Fed by the loop itself; a time that only counts what it did not spend applying records."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._applied_seconds = 0.0
        self._applying_since: float | None = None
        self._failed_at: float | None = None
        self._failure = ""
        self._fetch_ahead: Callable[[], None] = _do_nothing

    def bind(self, fetch_ahead: Callable[[], None]) -> None:
        """Say how to begin to fetch before the next poll."""
        self._fetch_ahead = fetch_ahead

    def fetch_ahead(self) -> None:
        """Begin to fetch: the batch in hand is about to end."""
        self._fetch_ahead()

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


class FreshPolls:
    """Polls that bring what has come up to now, by one fetch a batch where batches are small.

    aiokafka (0.14) fetches when a poll has emptied it, and not again while it holds what that
    brought: the records of the first moment after the poll. So after a small poll the partitions
    are paused. They are fetched from when the batch commits (`fetch_ahead`), or with the next poll
    at the latest (decision 0108). What was fetched longer than FRESH_SECONDS ago is taken together
    with what a second poll brings (decision 0080).
    """

    def __init__(
        self,
        poll: Callable[[Any], Awaitable[Sequence[Any]]],
        *,
        records_max: int,
        is_stopped: Callable[[TopicPartition], bool] = lambda _: False,
        held_seconds: float = HELD_SECONDS,
        fresh_seconds: float = FRESH_SECONDS,
        again_ms: int = FETCH_AGAIN_MS,
    ) -> None:
        """`is_stopped` says which partitions were paused to stay so while polls had paused all."""
        self._poll = poll
        self._records_max = records_max
        self._few = min(HELD_MAX, records_max)
        self._is_stopped = is_stopped
        self._held_seconds = held_seconds
        self._fresh_seconds = fresh_seconds
        self._again_ms = again_ms
        self._failure: Exception | None = None
        self._resume: Callable[[], None] | None = None
        self._fetched_since: float | None = None
        """Since when it is fetched for the next poll; None: since the one before."""

    def fetch_ahead(self) -> None:
        """Fetch again, where the last poll paused that; else it is done already."""
        if self._resume is not None:
            self._resume()
            self._resume, self._fetched_since = None, time.monotonic()

    async def poll(self, consumer: Any) -> Sequence[Any]:
        """The next records, each partition's in its order.

        Raises what the client raises. Where it has handed records over by then, they go first and
        the error comes with the next poll: one partition's error holds up no other.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self.fetch_ahead()
        began = time.monotonic()
        records = await self._poll(consumer)
        if 0 < len(records) < self._few and self._is_old(began):
            records = await self._with_what_came_since(consumer, records)
        self._fetched_since = None
        if self._is_small(records):
            self._pause(consumer)
        return records

    def _is_small(self, records: Sequence[Any]) -> bool:
        """Whether a batch of them is so short that nothing need be fetched beside it."""
        if not 0 < len(records) < self._few:
            return False
        return sum(len(record.value or b"") for record in records) < SMALL_BYTES

    def _is_old(self, polled_at: float) -> bool:
        """Whether more may have come since what a poll brought was fetched."""
        if time.monotonic() - polled_at > self._held_seconds:
            return False
        since = self._fetched_since
        return since is None or polled_at - since > self._fresh_seconds

    async def _with_what_came_since(self, consumer: Any, held: Sequence[Any]) -> Sequence[Any]:
        most = self._records_max - len(held)
        try:
            since = await consumer.getmany(timeout_ms=self._again_ms, max_records=most)
        except Exception as error:  # noqa: BLE001 - raised by the next poll
            self._failure = error
            return held
        return (*_not_begun_anew(held, since), *chain.from_iterable(since.values()))

    def _pause(self, consumer: Any) -> None:
        """Let nothing be fetched until `fetch_ahead`; what others have paused stays theirs."""
        paused = consumer.assignment() - consumer.paused()
        consumer.pause(*paused)

        def resume() -> None:
            still = paused & consumer.assignment()
            consumer.resume(*(each for each in still if not self._is_stopped(each)))

        self._resume = resume


def _do_nothing() -> None:
    pass


def _not_begun_anew(
    held: Sequence[Any], since: Mapping[TopicPartition, Sequence[Any]]
) -> Sequence[Any]:
    """What is held, without partitions that were sought in between: `since` has those records too.

    Together they would be one batch that goes back, and only where it begins is compared.
    """
    ends = {TopicPartition(record.topic, record.partition): record.offset for record in held}
    anew = {p for p, records in since.items() if records and records[0].offset <= ends.get(p, -1)}
    if not anew:
        return held
    return [r for r in held if TopicPartition(r.topic, r.partition) not in anew]
