"""Bugs of the gateway: between a request and Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from aiokafka.structs import RecordMetadata, TopicPartition
from msgspec.structs import replace

from chaos.patching import patch
from schemas.envelope import CE_ID

UNKNOWN_OFFSET = -1


def answer_before_acknowledged() -> None:
    """A request is answered when the producer has its records in memory."""

    async def send(self: Any, producer: Any, records: Sequence[Any]) -> list[RecordMetadata]:
        return [await _begin(producer, self._settings.topic(each.topic), each) for each in records]

    patch("services.gateway.publisher:Publisher._send", lambda _: send)


async def _begin(producer: Any, topic: str, record: Any) -> RecordMetadata:
    """Give a record to the producer; what the gateway says of one of which Kafka says no offset."""
    key, value = record.key, record.value
    await producer.partitions_for(topic)  # Waits for them.
    partition = producer._partition(topic, None, key, value, key, value)
    headers = list(record.headers)
    sent = await producer.send(topic, value, key=key, headers=headers, partition=partition)
    sent.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    at = TopicPartition(topic, partition)
    return RecordMetadata(topic, partition, at, UNKNOWN_OFFSET, None, 0, None)


def command_ids_made() -> None:
    """A command gets an id of the gateway, so its repeat is another command."""

    def make(found: Any) -> Any:
        def record(self: Any, event: Any) -> Any:
            read, id_ = found(self, event), str(uuid4())
            others = [header for header in read.headers if header[0] != CE_ID]
            return replace(read, id=id_, headers=(*others, (CE_ID, id_.encode())))

        return record

    patch("services.gateway.messages.commands:CommandReader._record", make)
