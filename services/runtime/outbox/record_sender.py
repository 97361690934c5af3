"""Sends the records of outbox rows to Kafka and reports the records that Kafka rejects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import errors

from services.runtime.kafka.partitioning import partition_of
from services.runtime.messages.headers import PackedDataUnreadable, read_headers
from services.runtime.outbox.rows import OutboxRow

# Errors of one record: sending it again unchanged fails again, and other records can be sent.
_REJECTIONS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.UnknownTopicOrPartitionError,
    errors.TopicAuthorizationFailedError,
    errors.CorruptRecordException,
    errors.InvalidTimestampError,
    errors.UnsupportedForMessageFormatError,
    errors.PolicyViolationError,
    PackedDataUnreadable,
)


class RecordBatch(Protocol):
    """Records of one partition that are sent in one request: aiokafka's BatchBuilder."""

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> object | None:
        """Add a record; None when the batch is full. The first record is added at any size."""

    def close(self) -> None:
        """Accept no more records."""


class Producer(Protocol):
    """The methods of AIOKafkaProducer that publishing uses."""

    async def start(self) -> None:
        """Connect. With a transactional id, also fence the earlier producers that have it."""

    async def abort(self) -> None:
        """Disconnect without sending pending records."""

    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        partition: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        """Queue a record; the future ends when the record is acknowledged or has failed."""

    def create_batch(self) -> RecordBatch:
        """Make an empty batch."""

    async def send_batch(
        self, batch: RecordBatch, topic: str, *, partition: int
    ) -> asyncio.Future[object]:
        """Queue a batch once the one before it is being sent; the future is as that of `send`."""

    async def partitions_for(self, topic: str) -> set[int]:
        """Return the partition numbers of a topic."""

    async def begin_transaction(self) -> None:
        """Begin a transaction: its records become readable together or not at all."""

    async def commit_transaction(self) -> None:
        """Make the records of the transaction readable."""


@dataclass(frozen=True, slots=True)
class RecordRejection:
    """One record that cannot be published: its shard, its outbox row, and the reason.

    `index` is the record's number in the row, from 0. If the row itself cannot be read, no record
    is known: then `index` is 0 and `topic` empty.
    """

    shard: int
    row: int
    index: int
    topic: str
    reason: str

    def __str__(self) -> str:
        record = f", record {self.index} for {self.topic}" if self.topic else ""
        return f"shard {self.shard} stands at row {self.row}{record}: {self.reason}"


class RecordRejected(Exception):
    """Kafka is available and rejects records; `rejections` has one record of each shard."""

    def __init__(self, rejections: Sequence[RecordRejection]) -> None:
        super().__init__("; ".join(map(str, rejections)))
        self.rejections = tuple(rejections)


@dataclass(slots=True)
class _SentBatch:
    """A batch given to the producer, with the outbox rows its records come from."""

    sources: list[tuple[OutboxRow, int]] = field(default_factory=list)
    """For each record its row and its number in the row."""
    future: asyncio.Future[object] | None = None

    def rejections(self) -> list[RecordRejection]:
        """The records of a rejected batch; none while it is being sent and when it succeeded."""
        if self.future is None or not self.future.done() or self.future.cancelled():
            return []
        error = self.future.exception()
        found = (_rejection_of(row, index, error) for row, index in self.sources)
        return [rejection for rejection in found if rejection]


async def send_rows(
    producer: Producer,
    rows: Sequence[OutboxRow],
    physical_topic: Callable[[str], str],
    *,
    one_by_one: bool = False,
) -> None:
    """Send every record and wait for all acknowledgements; stop at the first failure.

    Nothing is sent behind a failed record: if one batch of a partition expired and the next one
    succeeded, the later records would be read first. The records of one batch fail together;
    `one_by_one` waits for each record before the next, and so finds the rejected one.

    Raises:
        RecordRejected: Kafka rejects a record. Any other error of the producer is raised as it is.
    """
    sender = _RecordSender(producer, physical_topic)
    for row in rows:
        for index, topic in enumerate(row.topics):
            try:
                await sender.add(row, index, topic)
                if one_by_one:
                    await sender.finish()
            except Exception as error:
                if rejection := _rejection_of(row, index, error):
                    raise RecordRejected([rejection]) from error
                raise
    await sender.finish()


class _RecordSender:
    """Collects records in one batch a partition, so that one future serves many records."""

    def __init__(self, producer: Producer, physical_topic: Callable[[str], str]) -> None:
        self._producer = producer
        self._physical_topic = physical_topic
        self._open: dict[tuple[str, int], tuple[RecordBatch, _SentBatch]] = {}
        self._pending: list[_SentBatch] = []
        self._failed: list[BaseException] = []
        self._topics: dict[str, tuple[str, int]] = {}
        """By the catalogue's name: the topic's name in Kafka and its number of partitions."""

    async def add(self, row: OutboxRow, index: int, topic: str) -> None:
        """Add the next record; a batch that is too full for it is sent first."""
        if topic not in self._topics:
            name = self._physical_topic(topic)
            self._topics[topic] = name, len(await self._producer.partitions_for(name))
        name, partitions = self._topics[topic]
        key, value = row.keys[index], row.values[index]
        at = name, partition_of(key, partitions)
        headers = read_headers(row.headers[index])
        while True:
            batch, sent = self._open.get(at) or self._begin(at)
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is not None:
                sent.sources.append((row, index))
                return
            await self._send(at)

    async def finish(self) -> None:
        """Send the open batches and wait until all batches succeeded or the first one failed.

        Every future is checked, also before a commit: aiokafka commits a transaction without the
        records that failed and raises nothing.
        """
        for at in list(self._open):
            await self._send(at)
        # None where an operator has taken the only record out of a row.
        if futures := [sent.future for sent in self._pending if sent.future]:
            await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
        self._raise_if_failed()

    def _begin(self, at: tuple[str, int]) -> tuple[RecordBatch, _SentBatch]:
        self._open[at] = self._producer.create_batch(), _SentBatch()
        return self._open[at]

    async def _send(self, at: tuple[str, int]) -> None:
        batch, sent = self._open.pop(at)
        batch.close()
        topic, partition = at
        sent.future = await self._producer.send_batch(batch, topic, partition=partition)
        sent.future.add_done_callback(self._note_failure)
        self._pending.append(sent)
        self._raise_if_failed()

    def _note_failure(self, future: asyncio.Future[object]) -> None:
        if future.cancelled():
            self._failed.append(ConnectionError("a record was dropped before it was sent"))
        elif error := future.exception():
            self._failed.append(error)

    def _raise_if_failed(self) -> None:
        if self._failed:
            raise _failure(self._pending, self._failed[0])


def _failure(pending: Sequence[_SentBatch], first: BaseException) -> BaseException:
    """Make a RecordRejected with the first record of each shard; `first` if it is no rejection."""
    if not isinstance(first, _REJECTIONS):
        return first
    by_shard: dict[int, RecordRejection] = {}
    for sent in pending:
        for rejection in sent.rejections():
            by_shard.setdefault(rejection.shard, rejection)
    return RecordRejected(list(by_shard.values()))


def unreadable_row(shard: int, row: int, error: PackedDataUnreadable) -> RecordRejection:
    """Make the rejection of a row whose records cannot be read; its shard waits at the row."""
    return RecordRejection(
        shard, row, 0, "", f'{error}; see "A row that cannot be read" in docs/runbook.md'
    )


def _rejection_of(
    row: OutboxRow, index: int, error: BaseException | None
) -> RecordRejection | None:
    if not isinstance(error, _REJECTIONS):
        return None
    reason = f"{type(error).__name__} {error}".strip()
    return RecordRejection(row.shard, row.id, index, row.topics[index], reason)
