"""The strengthened ceiling: the ceiling with what the service's own relay does, so as to be faster.

The same tape, rows and records as the ceiling (`ceiling.py`, which stays as it is so that years
compare). Three things are different: records go to Kafka in packets by partition, no offset is
committed to Kafka after a batch, and the outbox is one zstd-compressed value a batch.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import asyncpg
import cramjam
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.partitioner import murmur2

from bench.contenders import ceiling
from bench.contenders.ceiling import _id_of, _pack, _unpack, _write_state
from bench.recorded_effects import Consequence, Record

PACKED = """
CREATE TABLE IF NOT EXISTS packed (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, records bytea NOT NULL);
ALTER TABLE packed ALTER records SET STORAGE EXTERNAL;
"""
POSITIONS = "SELECT topic, partition, next_offset FROM position"
APPEND = "INSERT INTO packed (records) VALUES ($1)"
READ = "SELECT id, records FROM packed ORDER BY id LIMIT $1"
DELETE = "DELETE FROM packed WHERE id = ANY ($1::bigint[])"
ZSTD_LEVEL = 1
# Lengths of topic, key, headers and value.
LENGTHS = struct.Struct(">BHHI")

_hash_of = lru_cache(maxsize=16_384)(murmur2)


class StrengthenedPlayer(ceiling.Player):
    """Applies batches and publishes what they left, with the cheaper ways of the service."""

    async def run(self) -> None:
        """Until cancelled."""
        writer = await asyncpg.connect(self._database_url)
        await writer.execute(ceiling.TABLES)
        await writer.execute(PACKED)
        reader = await asyncpg.connect(self._database_url)
        topics = [self._prefix + topic for topic in ceiling.TOPICS]
        self._places: dict[TopicPartition, int] = {}
        listener = _Assigned(self._consumer, self._database_url, self._places)
        self._consumer.subscribe(topics, listener=listener)
        await self._consumer.start()
        await self._producer.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._apply_forever(writer))
            group.create_task(self._publish_forever(reader))

    async def _apply_forever(self, connection: asyncpg.Connection) -> None:
        while True:
            polled = await self._consumer.getmany(timeout_ms=100, max_records=ceiling.BATCH_RECORDS)
            polled = {at: part for at, part in polled.items() if self._is_next(at, part)}
            records = [record for part in polled.values() for record in part]
            if not records:
                continue
            consequences = [self._tape[_id_of(record)] for record in records]
            async with connection.transaction():
                await _write_state(connection, consequences)
                if packed := pack(consequences):
                    await connection.execute(APPEND, packed)
                ends = [
                    (at.topic, at.partition, part[-1].offset + 1) for at, part in polled.items()
                ]
                await connection.execute(ceiling.MOVE, *map(list, zip(*ends, strict=True)))
            self._places |= {at: part[-1].offset + 1 for at, part in polled.items()}
            self._woken.set()

    def _is_next(self, at: TopicPartition, part: Sequence[ConsumerRecord]) -> bool:
        """Records fetched before their partition was placed are not: they come again."""
        return at in self._places and part[0].offset >= self._places[at]

    async def _publish_forever(self, connection: asyncpg.Connection) -> None:
        while True:
            self._woken.clear()
            rows = await connection.fetch(READ, ceiling.RELAY_ROWS)
            if not rows:
                await self._woken.wait()
                continue
            packets = _Packets(self._producer)
            for row in rows:
                for topic, key, value, headers in unpack(row["records"]):
                    await packets.add(self._prefix + topic, key, value, headers)
            await packets.finish()
            await connection.execute(DELETE, [row["id"] for row in rows])


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]
    """Seeks to the positions in Postgres: no offset is committed to Kafka."""

    def __init__(
        self, consumer: AIOKafkaConsumer, database_url: str, places: dict[TopicPartition, int]
    ) -> None:
        self._consumer = consumer
        self._database_url = database_url
        self._places = places

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Forget where they stood."""
        for partition in revoked:
            self._places.pop(partition, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Go on after the last batch that was committed."""
        connection = await asyncpg.connect(self._database_url)
        try:
            rows = await connection.fetch(POSITIONS)
        finally:
            await connection.close()
        stored = {
            TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows
        }
        for partition in assigned:
            self._places[partition] = stored.get(partition, 0)
            self._consumer.seek(partition, self._places[partition])


class _Packets:
    """Records packed by partition, each in its turn: a future a packet, not one a record."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._sent: list[asyncio.Future[Any]] = []
        self._partitions: dict[str, int] = {}

    async def add(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """Pack a record; a packet that it does not fit into any more is sent."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        at = topic, (_hash_of(key) & 0x7FFFFFFF) % self._partitions[topic]
        while True:
            packet = self._open.get(at)
            if packet is None:
                packet = self._open[at] = self._producer.create_batch()
            if packet.append(timestamp=None, key=key, value=value, headers=headers) is not None:
                return
            await self._send(at)

    async def finish(self) -> None:
        """Send what is packed, and wait until all is acknowledged."""
        for at in list(self._open):
            await self._send(at)
        await asyncio.gather(*self._sent)

    async def _send(self, at: tuple[str, int]) -> None:
        packet = self._open.pop(at)
        packet.close()
        topic, partition = at
        self._sent.append(await self._producer.send_batch(packet, topic, partition=partition))


def pack(consequences: Sequence[Consequence]) -> bytes:
    """All records of a batch as one compressed value; empty where there are none."""
    parts = []
    for each in consequences:
        for topic, key, value, headers in each.records:
            name, packed = topic.encode(), _pack(headers)
            lengths = LENGTHS.pack(len(name), len(key), len(packed), len(value))
            parts += [lengths, name, key, packed, value]
    return bytes(cramjam.zstd.compress(b"".join(parts), ZSTD_LEVEL)) if parts else b""


def unpack(packed: bytes) -> Iterator[Record]:
    """The records that `pack` was given, in their order."""
    whole = bytes(cramjam.zstd.decompress(packed))
    at = 0
    while at < len(whole):
        lengths = LENGTHS.unpack_from(whole, at)
        at += LENGTHS.size
        parts = []
        for length in lengths:
            parts.append(whole[at : at + length])
            at += length
        name, key, headers, value = parts
        yield name.decode(), key, value, _unpack(headers)


if __name__ == "__main__":
    uvloop.run(ceiling.play(StrengthenedPlayer))
