"""Rows of the outbox as records on their way to Kafka, and what Kafka will never take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import errors

from services.runtime.kafka.partitioning import partition_of
from services.runtime.messages.headers import Unreadable, read_headers
from services.runtime.outbox.rows import OutboxRow

# What trying again, unchanged, does not heal, and what does not concern other records.
_REFUSALS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.UnknownTopicOrPartitionError,
    errors.TopicAuthorizationFailedError,
    errors.CorruptRecordException,
    errors.InvalidTimestampError,
    errors.UnsupportedForMessageFormatError,
    errors.PolicyViolationError,
    Unreadable,
)


class Packet(Protocol):
    """Records of one partition, to be sent in one request: aiokafka's BatchBuilder."""

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes,
        value: bytes,
        headers: Sequence[tuple[str, bytes]],
    ) -> object | None:
        """Take a record; None when it is full. The first one it takes whatever its size."""

    def close(self) -> None:
        """Take no more."""


class Producer(Protocol):
    """The part of AIOKafkaProducer that publishing uses."""

    async def start(self) -> None:
        """Connect; with a transactional id also fence the producer that had it before."""

    async def abort(self) -> None:
        """Disconnect; what is pending is not sent."""

    async def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        partition: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        """Take a record to send; the future ends when it is acknowledged or has failed."""

    def create_batch(self) -> Packet:
        """An empty packet."""

    async def send_batch(
        self, batch: Packet, topic: str, *, partition: int
    ) -> asyncio.Future[object]:
        """Take a packet to send, once the one before it is on its way."""

    async def partitions_for(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions."""

    async def begin_transaction(self) -> None:
        """What is sent from here on is read together or not at all."""

    async def commit_transaction(self) -> None:
        """Let it be read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that Kafka refuses: where it stands in the outbox, and why.

    Of a row that cannot be read no record is known: `index` is 0 and `topic` empty.
    """

    shard: int
    row: int
    index: int
    topic: str
    reason: str

    def __str__(self) -> str:
        record = f", record {self.index} for {self.topic}" if self.topic else ""
        return f"shard {self.shard} stands at row {self.row}{record}: {self.reason}"


class Refused(Exception):
    """Kafka refuses records, and not because it is away; its refusals name a record a shard."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(map(str, refusals)))
        self.refusals = tuple(refusals)


@dataclass(slots=True)
class _Sent:
    """Records that the producer takes together, and what becomes of them."""

    places: list[tuple[OutboxRow, int]] = field(default_factory=list)
    """Rows, and which of their records."""
    future: asyncio.Future[object] | None = None

    def refusals(self) -> list[Refusal]:
        """Why they were refused, if they were."""
        if self.future is None or not self.future.done() or self.future.cancelled():
            return []
        error = self.future.exception()
        found = (_refusal_of(row, index, error) for row, index in self.places)
        return [refusal for refusal in found if refusal]


async def send_rows(
    producer: Producer,
    rows: Sequence[OutboxRow],
    physical_topic: Callable[[str], str],
    *,
    one_by_one: bool = False,
) -> None:
    """Send every record and await each one's acknowledgement; the first failure ends it.

    At once, so that nothing is sent behind a record that failed: when its batch expired and the
    next one did not, that one would be read first. Records of one request fail together, so
    `one_by_one` is what tells the one that is at fault.

    Raises Refused, or what the producer raised.
    """
    sending = _Sending(producer, physical_topic)
    for row in rows:
        for index, topic in enumerate(row.topics):
            try:
                await sending.add(row, index, topic)
                if one_by_one:
                    await sending.finish()
            except Exception as error:
                if refusal := _refusal_of(row, index, error):
                    raise Refused([refusal]) from error
                raise
    await sending.finish()


class _Sending:
    """Packs records by partition, each in its turn: a future a packet, not one a record."""

    def __init__(self, producer: Producer, physical_topic: Callable[[str], str]) -> None:
        self._producer = producer
        self._physical_topic = physical_topic
        self._open: dict[tuple[str, int], tuple[Packet, _Sent]] = {}
        self._pending: list[_Sent] = []
        self._failed: list[BaseException] = []
        self._topics: dict[str, tuple[str, int]] = {}
        """By the catalogue's name: the topic's name in Kafka, and how many partitions it has."""

    async def add(self, row: OutboxRow, index: int, topic: str) -> None:
        """The next record; a packet that it does not fit into any more is sent."""
        if topic not in self._topics:
            name = self._physical_topic(topic)
            self._topics[topic] = name, len(await self._producer.partitions_for(name))
        name, partitions = self._topics[topic]
        key, value = row.keys[index], row.values[index]
        at = name, partition_of(key, partitions)
        headers = read_headers(row.headers[index])
        while True:
            packet, sent = self._open.get(at) or self._begin(at)
            if packet.append(timestamp=None, key=key, value=value, headers=headers) is not None:
                sent.places.append((row, index))
                return
            await self._send(at)

    async def finish(self) -> None:
        """Send what is packed and wait for everything, or for the first failure.

        Every future, also where a commit follows: a transaction with a record that failed commits
        without it, and says nothing (trap 2).
        """
        for at in list(self._open):
            await self._send(at)
        # An operator may have taken the only record out of a row.
        if futures := [sent.future for sent in self._pending if sent.future]:
            await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
        self._raise_if_failed()

    def _begin(self, at: tuple[str, int]) -> tuple[Packet, _Sent]:
        self._open[at] = self._producer.create_batch(), _Sent()
        return self._open[at]

    async def _send(self, at: tuple[str, int]) -> None:
        packet, sent = self._open.pop(at)
        packet.close()
        topic, partition = at
        sent.future = await self._producer.send_batch(packet, topic, partition=partition)
        sent.future.add_done_callback(self._note)
        self._pending.append(sent)
        self._raise_if_failed()

    def _note(self, future: asyncio.Future[object]) -> None:
        if future.cancelled():
            self._failed.append(ConnectionError("a record was dropped before it was sent"))
        elif error := future.exception():
            self._failed.append(error)

    def _raise_if_failed(self) -> None:
        if self._failed:
            raise _told(self._pending, self._failed[0])


def _told(pending: Sequence[_Sent], first: BaseException) -> BaseException:
    """Refusals by shard, if the first failure is one; else that failure."""
    if not isinstance(first, _REFUSALS):
        return first
    by_shard: dict[int, Refusal] = {}
    for sent in pending:
        for refusal in sent.refusals():
            by_shard.setdefault(refusal.shard, refusal)
    return Refused(list(by_shard.values()))


def unreadable(shard: int, row: int, error: Unreadable) -> Refusal:
    """A row whose records cannot be read: it stands, and its shard with it, until it can be."""
    return Refusal(
        shard, row, 0, "", f'{error}; see "A row that cannot be read" in docs/operating.md'
    )


def _refusal_of(row: OutboxRow, index: int, error: BaseException | None) -> Refusal | None:
    if not isinstance(error, _REFUSALS):
        return None
    reason = f"{type(error).__name__} {error}".strip()
    return Refusal(row.shard, row.id, index, row.topics[index], reason)
