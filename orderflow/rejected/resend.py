"""Publish rejected items again, with their original bytes, to their original partition.

The order is: lock the items, publish, wait for the acknowledgements, write the audit, commit. If
the process dies in between, a record has no act in the audit, and the next run sends the record
once more: the item has the same id, so its effect is not repeated.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import asyncpg
from aiokafka.errors import KafkaError

from orderflow.rejected.query import SQL, Originals, RejectedItem, columns, read_originals
from services.runtime.config.settings import Settings
from services.runtime.messages.item_subset import ITEMS_HEADER, items_header
from services.runtime.messages.records import Coordinates
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature

CHUNK_ITEMS = 100
ACT = "rejected.resend"
ID_HEADER = "ce_id"


class RecordProducer(Protocol):
    """The part of aiokafka's producer that is used here."""

    async def send(self, topic: str, value: bytes | None, **options: Any) -> Any:
        """Take a record; the returned future ends when it is acknowledged."""


@dataclass(frozen=True, slots=True)
class ResentMessage:
    """A record to publish again for these rejected items; `topic` is the catalogue's name."""

    items: tuple[RejectedItem, ...]
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None

    @property
    def coordinates(self) -> Coordinates:
        """Where the original lay."""
        return self.items[0].coordinates


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: where it lies now, or why Kafka did not take it."""

    message: ResentMessage
    to: Coordinates | None = None
    error: str | None = None


@dataclass(slots=True)
class Resend:
    """One run of `orderflow rejected resend`. `again`: also what was sent again before."""

    settings: Settings
    signature: Signature
    again: bool = False
    value: bytes | None = None
    """A corrected value, for a single message."""
    _placed: dict[tuple[Coordinates, int], Sent] = field(default_factory=dict)

    async def plan(
        self, connection: asyncpg.Connection, items: Sequence[RejectedItem]
    ) -> AsyncIterator[ResentMessage]:
        """What would be published, oldest first."""
        due = [item for item in items if self.again or not item.resent_times]
        for chunk in _chunks(due):
            for message in self._messages(chunk, await read_originals(connection, chunk)):
                yield message

    async def send(
        self,
        connection: asyncpg.Connection,
        producer: RecordProducer,
        items: Sequence[RejectedItem],
    ) -> AsyncIterator[Sent]:
        """Publish and write down, chunk by chunk, oldest first."""
        for chunk in _chunks(items):
            async with connection.transaction():
                due = await self._lock(connection, chunk)
                messages = self._messages(due, await read_originals(connection, due))
                sent_now = await self._publish(producer, list(messages))
                await audit.write(
                    connection, [act for sent in sent_now for act in self._acts(sent)]
                )
            for sent in sent_now:
                yield sent

    async def _lock(
        self, connection: asyncpg.Connection, chunk: Sequence[RejectedItem]
    ) -> list[RejectedItem]:
        """Lock the items; returns those that were not sent again meanwhile."""
        wanted = columns((item.coordinates, item.index) for item in chunk)
        await connection.fetch(SQL["lock_rejected"], *wanted)
        rows = await connection.fetch(SQL["find_resent"], *wanted)
        done = {(r["topic"], r["partition"], r["offset"], r["index"]) for r in rows}
        return [item for item in chunk if self.again or _where(item) not in done]

    def _messages(
        self, items: Sequence[RejectedItem], originals: Originals
    ) -> Iterator[ResentMessage]:
        """One for each original: the items that have it in common go in one record."""
        shared: dict[tuple[Coordinates, int], list[RejectedItem]] = {}
        for item in items:
            shared.setdefault((item.coordinates, item.carrier), []).append(item)
        for where, together in shared.items():
            original = originals[where]
            message = ResentMessage(tuple(together), original.key, original.headers, original.value)
            yield replace(
                message,
                headers=tuple(_headers(message)),
                value=original.value if self.value is None else self.value,
            )

    async def _publish(
        self, producer: RecordProducer, messages: Sequence[ResentMessage]
    ) -> list[Sent]:
        """Hand all over before waiting for any: one partition's keep their order."""
        futures = [await self._hand_over(producer, message) for message in messages]
        done = []
        for message, future in zip(messages, futures, strict=True):
            sent = future if isinstance(future, Sent) else await _await_place(message, future)
            done.append(sent)
            self._placed[message.coordinates, message.items[0].carrier] = sent
        return done

    async def _hand_over(self, producer: RecordProducer, message: ResentMessage) -> Any:
        at = message.coordinates
        known = self._placed.get((at, message.items[0].carrier))
        if known and known.to and known.message.items[0].service != message.items[0].service:
            return Sent(
                message, known.to
            )  # Another service rejected the record too, and reads it there.
        try:
            return await producer.send(
                self.settings.topic(at.topic),
                message.value,
                key=message.key,
                partition=at.partition,
                headers=list(message.headers),
            )
        except (KafkaError, AssertionError, ValueError) as error:
            return Sent(message, error=str(error) or repr(error))

    def _acts(self, sent: Sent) -> Iterator[Act]:
        if sent.to is None:
            return
        detail: dict[str, Any] = {"sent_to": str(sent.to)}
        if self.value is not None:
            detail["value_sha256"] = hashlib.sha256(self.value).hexdigest()
        for item in sent.message.items:
            at = item.coordinates
            yield Act(
                ACT,
                self.signature.actor,
                self.signature.reason,
                at.topic,
                at.partition,
                at.offset,
                item.index,
                detail,
            )


def _headers(message: ResentMessage) -> Iterator[tuple[str, bytes]]:
    """The original's headers; an id where it had none, and which of many items are meant.

    Without an id, where a record lies is its identity, and each sending would be another item.
    """
    first = message.items[0]
    yield from (header for header in message.headers if header[0] != ITEMS_HEADER)
    if first.ce_id is None:
        yield ID_HEADER, str(first.coordinates).encode()
    if first.of_many:
        yield items_header([item.index for item in message.items])


async def _await_place(message: ResentMessage, future: "asyncio.Future[Any]") -> Sent:
    try:
        placed = await future
    except KafkaError as error:
        return Sent(message, error=str(error) or repr(error))
    at = message.coordinates
    return Sent(message, Coordinates(at.topic, placed.partition, placed.offset))


def _chunks(items: Iterable[RejectedItem]) -> Iterator[list[RejectedItem]]:
    """In the order they first came, a partition after the other."""
    ordered = sorted(items, key=_where)
    for start in range(0, len(ordered), CHUNK_ITEMS):
        yield ordered[start : start + CHUNK_ITEMS]


def _where(item: RejectedItem) -> tuple[str, int, int, int]:
    at = item.coordinates
    return at.topic, at.partition, at.offset, item.index


def places(message: ResentMessage) -> str:
    """The items of a message, for a person: `topic/partition/offset#0,2`."""
    first = message.items[0]
    if not first.of_many:
        return str(first.coordinates)
    return f"{first.coordinates}#{items_header([i.index for i in message.items])[1].decode()}"
