"""Reread: read `carrier.tracking` again from some time on, by the present parsers.

An operator's act after a parser was mended, beside running services. Scans are a set, so that what
was read well before changes nothing (docs/decisions/0171). A record of which still nothing can be
read is left out: its refusal was published when it came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiokafka import ConsumerRecord

from schemas.topics import CARRIER_TRACKING
from services.orders.messages.carriers import registry
from services.orders.messages.decode import read, weigh
from services.orders.messages.entries import DecodedItem
from services.orders.operations.republish import until_published
from services.runtime.batch.batch import ApplyBatch, Batch
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.messages.records import Original, original_of
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.postgres.connections import Connection
from services.runtime.retry import backoff_seconds, is_transient

RECORDS_A_BATCH = 100
SCANS_A_BATCH = 2_000
ATTEMPTS_MAX = 8
STANDARD = "standard"
"""The name of our own form, which `registry.choose` does not name."""


@dataclass(frozen=True, slots=True)
class RereadFilter:
    """Which records: from a time on by their own times, before another one, of one dialect."""

    since: datetime
    until: datetime | None = None
    dialect: str | None = None

    def has(self, original: Original) -> bool:
        """Whether a record that is not older than `since` is to be read again."""
        if self.until is not None and original.timestamp >= self.until:
            return False
        if self.dialect is None:
            return True
        return (registry.choose(original.headers, original.value) or STANDARD) == self.dialect


@dataclass(frozen=True, slots=True)
class RereadProgress:
    """What a run has done so far."""

    looked: int = 0
    """Records of the topic."""
    read: int = 0
    """Those of the filter of which something can be read."""


class Rereader:
    """Reads the topic again, at most `rate` records a second, and never far ahead of the relay."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        apply: ApplyBatch,
        *,
        rate: float,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._apply = apply
        self._rate = rate
        self._now = now

    async def run(self, chosen: RereadFilter, act: Act | None) -> AsyncIterator[RereadProgress]:
        """Decide the records again, to the end that the topic has now; yields after each fetch.

        Without `act` nothing is written. The act is written to the audit before the first batch.
        """
        progress, started = RereadProgress(), time.monotonic()
        if act is not None:
            await audit.write(self._connection, [act])
        async for records in read_to_end(self._settings, [CARRIER_TRACKING], chosen.since):
            found = [each for each in self._originals(records) if chosen.has(each)]
            readable = [each for each in found if self._is_readable(each)]
            progress = replace(
                progress,
                looked=progress.looked + len(records),
                read=progress.read + len(readable),
            )
            for batch in _batches(readable) if act is not None else ():
                await until_published(self._connection)
                await self._decide(batch)
            yield progress
            ahead = progress.read / self._rate - (time.monotonic() - started)
            await asyncio.sleep(max(0.0, ahead) if act is not None else 0.0)

    def _originals(self, records: Sequence[ConsumerRecord]) -> Iterator[Original]:
        return (original_of(record, CARRIER_TRACKING) for record in records)

    def _is_readable(self, original: Original) -> bool:
        return any(isinstance(entry, DecodedItem) for entry in read(original, self._now()))

    async def _decide(self, records: Sequence[Original]) -> None:
        """Decide some records in one transaction; tried again after a transient error."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._connection.transaction():
                    await self._apply(self._connection, Batch(tuple(records), self._now()))
            except Exception as error:
                if attempt == ATTEMPTS_MAX or not is_transient(error):
                    raise
                await asyncio.sleep(backoff_seconds(attempt))
            else:
                return


def _batches(records: Sequence[Original]) -> Iterator[Sequence[Original]]:
    """The records in their order, in batches bounded by records and by scans."""
    batch: list[Original] = []
    weight = 0
    for record in records:
        weighs = weigh(record)
        if batch and (len(batch) == RECORDS_A_BATCH or weight + weighs > SCANS_A_BATCH):
            yield batch
            batch, weight = [], 0
        batch.append(record)
        weight += weighs
    if batch:
        yield batch
