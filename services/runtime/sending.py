"""Rows of the outbox as records on their way to Kafka, and what Kafka will never take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg
from aiokafka import errors

from services.runtime.outbox import unpack_headers

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
)


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

    async def partitions_for(self, topic: str) -> set[int]:
        """The numbers of a topic's partitions."""

    async def begin_transaction(self) -> None:
        """What is sent from here on is read together or not at all."""

    async def commit_transaction(self) -> None:
        """Let it be read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that Kafka refuses: where it stands in the outbox, and why."""

    shard: int
    row: int
    index: int
    topic: str
    reason: str

    def __str__(self) -> str:
        return (
            f"shard {self.shard} stands at row {self.row}, record {self.index} for {self.topic}: "
            f"{self.reason}"
        )


class Refused(Exception):
    """Kafka refuses records, and not because it is away; its refusals name a record a shard."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(map(str, refusals)))
        self.refusals = tuple(refusals)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A record that the producer has taken."""

    row: asyncpg.Record
    index: int
    future: asyncio.Future[object]

    def refusal(self) -> Refusal | None:
        """Why it was refused, if it was."""
        if not self.future.done() or self.future.cancelled():
            return None
        return _refusal_of(self.row, self.index, self.future.exception())


async def send_rows(
    producer: Producer,
    rows: Sequence[asyncpg.Record],
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
    pending: list[_Sent] = []
    failed: list[BaseException] = []

    def note(sent: asyncio.Future[object]) -> None:
        if sent.cancelled():
            failed.append(ConnectionError("a record was dropped before it was sent"))
        elif error := sent.exception():
            failed.append(error)

    for row in rows:
        for index, topic in enumerate(row["topics"]):
            future = await _send(producer, row, index, physical_topic(topic))
            future.add_done_callback(note)
            pending.append(_Sent(row, index, future))
            if one_by_one:
                await asyncio.wait([future])
            if failed:
                raise _told(pending, failed[0])
    # Every future, also where a commit follows: a transaction with a record that failed commits
    # without it, and says nothing (trap 2).
    if pending:  # An operator may have taken the only record out of a row.
        futures = [sent.future for sent in pending]
        await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
    if failed:
        raise _told(pending, failed[0])


async def _send(
    producer: Producer, row: asyncpg.Record, index: int, topic: str
) -> asyncio.Future[object]:
    try:
        headers = unpack_headers(row["headers"][index])
        return await producer.send(topic, row["values"][index], row["keys"][index], headers=headers)
    except Exception as error:
        if refusal := _refusal_of(row, index, error):
            raise Refused([refusal]) from error
        raise


def _told(pending: Sequence[_Sent], first: BaseException) -> BaseException:
    """Refusals by shard, if the first failure is one; else that failure."""
    if not isinstance(first, _REFUSALS):
        return first
    by_shard: dict[int, Refusal] = {}
    for sent in pending:
        if refusal := sent.refusal():
            by_shard.setdefault(refusal.shard, refusal)
    return Refused(list(by_shard.values()))


def _refusal_of(row: asyncpg.Record, index: int, error: BaseException | None) -> Refusal | None:
    if not isinstance(error, _REFUSALS):
        return None
    reason = f"{type(error).__name__} {error}".strip()
    return Refusal(row["shard"], row["id"], index, row["topics"][index], reason)
