"""Poll Kafka: fresh records in few fetches; how long polls waited, and whether they fail."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

from aiokafka import TopicPartition

T = TypeVar("T")

# A poll that took longer waited for a fetch, so what it brought is fresh.
HELD_SECONDS = 0.001
# With that many records polled, later ones may wait for the next batch, and are fetched during
# this one.
HELD_MAX = 100
# Few records of more bytes than this are a long batch: the next one is fetched meanwhile.
SMALL_BYTES = 256 * 1024
# What a poll returns is fresh where its fetch began no longer before the poll.
FRESH_SECONDS = 0.003
# A fetch is answered in 2 to 6 ms where the cores are busy; records that came meanwhile and were
# not fetched wait for one more batch.
FETCH_AGAIN_MS = 10
TROUBLE_SECONDS = 30.0  # Between two polls that fail, the client may return no records.


class PollMonitor:
    """How long the poll loop waited, without the time it applied records, and how polls fail."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._applied_seconds = 0.0
        self._applying_since: float | None = None
        self._failed_at: float | None = None
        self._failure = ""
        self._fetch_ahead: Callable[[], None] = _do_nothing

    def bind(self, fetch_ahead: Callable[[], None]) -> None:
        """Set the function that starts the fetch for the next poll."""
        self._fetch_ahead = fetch_ahead

    def fetch_ahead(self) -> None:
        """Begin to fetch: the current batch is about to end."""
        self._fetch_ahead()

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Within the block records are applied, and the loop does not wait for any."""
        self._applying_since = self._monotonic()
        try:
            yield
        finally:
            self._applied_seconds += self._monotonic() - self._applying_since
            self._applying_since = None

    def waited_seconds(self) -> float:
        """Seconds on a clock that stands still while records are applied."""
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
        """Why polls fail; None where the last failure is long ago."""
        if self._failed_at is None or self._monotonic() - self._failed_at > TROUBLE_SECONDS:
            return None
        return self._failure


class FreshPolls:
    """Polls that return the records that have come up to now, with one fetch a batch where batches
    are small.

    aiokafka (0.14) fetches when a poll has emptied its buffer, and not again while it holds what
    that fetch brought: the records of the first moment after the poll. So after a small poll the
    partitions are paused. They are fetched from when the batch commits (`fetch_ahead`), or with the
    next poll at the latest (decision 0108). Records that were fetched longer than FRESH_SECONDS ago
    are returned together with those of a second poll (decision 0080).
    """

    def __init__(
        self,
        poll: Callable[[Any], Awaitable[Sequence[Any]]],
        *,
        records_max: int,
        stopped: Callable[[], AbstractSet[TopicPartition]] = frozenset,
        held_seconds: float = HELD_SECONDS,
        fresh_seconds: float = FRESH_SECONDS,
        again_ms: int = FETCH_AGAIN_MS,
    ) -> None:
        """`stopped` returns the partitions that others want to stay paused."""
        self._poll = poll
        self._records_max = records_max
        self._few = min(HELD_MAX, records_max)
        self._stopped = stopped
        self._held_seconds = held_seconds
        self._fresh_seconds = fresh_seconds
        self._again_ms = again_ms
        self._failure: Exception | None = None
        self._resume: Callable[[], None] | None = None
        self._fetched_since: float | None = None
        """When the fetch for the next poll began; None where it began with the last poll."""

    def fetch_ahead(self) -> None:
        """Fetch again where the last poll has paused the partitions; otherwise do nothing."""
        if self._resume is not None:
            self._resume()
            self._resume, self._fetched_since = None, time.monotonic()

    async def poll(self, consumer: Any) -> Sequence[Any]:
        """The next records, each partition's in its order.

        Raises what the client raises. Where the client has returned records by then, the error is
        raised by the next poll: an error of one partition must not stop the others.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self.fetch_ahead()
        began = time.monotonic()
        records = await self._poll(consumer)
        if 0 < len(records) < self._few and self._is_old(began):
            records = await self._with_later_ones(consumer, records)
        self._fetched_since = None
        if self._is_small(records):
            self._pause(consumer)
        return records

    def _is_small(self, records: Sequence[Any]) -> bool:
        """Whether a batch of the records is so short that nothing need be fetched meanwhile."""
        if not 0 < len(records) < self._few:
            return False
        return sum(len(record.value or b"") for record in records) < SMALL_BYTES

    def _is_old(self, polled_at: float) -> bool:
        """Whether more records may have come since those of a poll were fetched."""
        if time.monotonic() - polled_at > self._held_seconds:
            return False
        since = self._fetched_since
        return since is None or polled_at - since > self._fresh_seconds

    async def _with_later_ones(self, consumer: Any, held: Sequence[Any]) -> Sequence[Any]:
        most = self._records_max - len(held)
        try:
            since = await consumer.getmany(timeout_ms=self._again_ms, max_records=most)
        except Exception as error:  # noqa: BLE001 - raised by the next poll
            self._failure = error
            return held
        return (*_without_restarted(held, since), *chain.from_iterable(since.values()))

    def _pause(self, consumer: Any) -> None:
        """Fetch nothing until `fetch_ahead`; partitions that others paused are left to them."""
        paused = consumer.assignment() - consumer.paused()
        consumer.pause(*paused)

        def resume() -> None:
            consumer.resume(*((paused & consumer.assignment()) - self._stopped()))

        self._resume = resume


def _do_nothing() -> None:
    pass


def _without_restarted(
    held: Sequence[Any], since: Mapping[TopicPartition, Sequence[Any]]
) -> Sequence[Any]:
    """`held` without partitions that were sought in between: `since` has those records again.

    A batch of both would go back in offsets, and the fence compares only the first offset.
    """
    ends = {TopicPartition(record.topic, record.partition): record.offset for record in held}
    restarted = {
        p for p, records in since.items() if records and records[0].offset <= ends.get(p, -1)
    }
    if not restarted:
        return held
    return [r for r in held if TopicPartition(r.topic, r.partition) not in restarted]
