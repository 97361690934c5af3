"""The ceiling: the same bytes in and out of Kafka, the same rows in and out of Postgres, batched.

No decision, no validation, no decoding: what follows from each message is played from a tape
(`BENCH_TAPE`). It keeps what such a path cannot do without: one transaction a batch with its
position, rows locked before they are written, an outbox published in order and emptied.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from bench.recorded_effects import Consequence, Tape, load
from schemas.topics import CARRIER_TRACKING, ORDERS_COMMANDS

TOPICS = (ORDERS_COMMANDS, CARRIER_TRACKING)
BATCH_RECORDS = 1_000
RELAY_ROWS = 8
MEBIBYTE = 1024 * 1024

TABLES = """
CREATE TABLE IF NOT EXISTS state (id uuid PRIMARY KEY, document bytea NOT NULL)
  WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS position (
    topic text, partition integer, next_offset bigint NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topics text[] NOT NULL,
    keys bytea[] NOT NULL, "values" bytea[] NOT NULL, headers bytea[] NOT NULL);
ALTER TABLE outbox ALTER "values" SET STORAGE EXTERNAL;
"""
LOCK = "SELECT id, document FROM state WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
UPDATE = """
UPDATE state SET document = new.document
  FROM unnest($1::uuid[], $2::bytea[]) AS new(id, document) WHERE state.id = new.id
"""
MOVE = """
INSERT INTO position SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""
READ = 'SELECT id, topics, keys, "values", headers FROM outbox ORDER BY id LIMIT $1'
DELETE = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"


class Player:
    """Applies batches, and publishes what they left, side by side."""

    def __init__(self, tape: Tape, prefix: str, database_url: str, servers: str) -> None:
        self._tape = tape
        self._prefix = prefix
        self._database_url = database_url
        self._woken = asyncio.Event()
        self._consumer = AIOKafkaConsumer(
            *(prefix + topic for topic in TOPICS),
            bootstrap_servers=servers,
            group_id=f"{prefix}ceiling",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=16 * MEBIBYTE,
            max_partition_fetch_bytes=2 * MEBIBYTE,
        )
        self._producer = AIOKafkaProducer(
            bootstrap_servers=servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MEBIBYTE // 4,
            max_request_size=2 * MEBIBYTE,
        )

    async def run(self) -> None:
        """Until cancelled."""
        writer = await asyncpg.connect(self._database_url)
        await writer.execute(TABLES)
        reader = await asyncpg.connect(self._database_url)
        await self._consumer.start()
        await self._producer.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._apply_forever(writer))
            group.create_task(self._publish_forever(reader))

    async def _apply_forever(self, connection: asyncpg.Connection) -> None:
        while True:
            polled = await self._consumer.getmany(timeout_ms=100, max_records=BATCH_RECORDS)
            records = [record for part in polled.values() for record in part]
            if not records:
                continue
            consequences = [self._tape[_id_of(record)] for record in records]
            async with connection.transaction():
                await _write_state(connection, consequences)
                await _write_outbox(connection, consequences)
                ends = [
                    (at.topic, at.partition, part[-1].offset + 1) for at, part in polled.items()
                ]
                await connection.execute(MOVE, *map(list, zip(*ends, strict=True)))
            self._woken.set()
            await self._consumer.commit()

    async def _publish_forever(self, connection: asyncpg.Connection) -> None:
        while True:
            self._woken.clear()
            rows = await connection.fetch(READ, RELAY_ROWS)
            if not rows:
                await self._woken.wait()
                continue
            sent = [await self._send(row, number) for row in rows for number in _numbers(row)]
            await asyncio.gather(*sent)
            await connection.execute(DELETE, [row["id"] for row in rows])

    async def _send(self, row: asyncpg.Record, number: int) -> asyncio.Future[Any]:
        acknowledged: asyncio.Future[Any] = await self._producer.send(
            self._prefix + row["topics"][number],
            row["values"][number],
            row["keys"][number],
            headers=_unpack(row["headers"][number]),
        )
        return acknowledged


def _numbers(row: asyncpg.Record) -> range:
    return range(len(row["topics"]))


def _id_of(record: ConsumerRecord) -> bytes:
    found: bytes = next(value for name, value in record.headers if name == "ce_id")
    return found


async def _write_state(connection: asyncpg.Connection, consequences: Sequence[Consequence]) -> None:
    wanted = {id_ for each in consequences for id_ in each.reads}
    present = {row["id"] for row in await connection.fetch(LOCK, list(wanted))}
    rows = dict(write for each in consequences for write in each.writes)
    new = [(id_, document) for id_, document in rows.items() if id_ not in present]
    if new:
        await connection.copy_records_to_table("state", columns=["id", "document"], records=new)
    old = [id_ for id_ in rows if id_ in present]
    if old:
        await connection.execute(UPDATE, old, [rows[id_] for id_ in old])


async def _write_outbox(
    connection: asyncpg.Connection, consequences: Sequence[Consequence]
) -> None:
    """One wide row a batch."""
    records = [record for each in consequences for record in each.records]
    if not records:
        return
    topics, keys, values, headers = zip(*records, strict=True)
    row = (list(topics), list(keys), list(values), [_pack(each) for each in headers])
    columns = ["topics", "keys", "values", "headers"]
    await connection.copy_records_to_table("outbox", columns=columns, records=[row])


def _pack(headers: Sequence[tuple[str, bytes]]) -> bytes:
    return b"\n".join(part for name, value in headers for part in (name.encode(), value))


def _unpack(packed: bytes) -> list[tuple[str, bytes]]:
    parts = packed.split(b"\n")
    return [(parts[at].decode(), parts[at + 1]) for at in range(0, len(parts), 2)]


async def play(make_player: type[Player]) -> None:
    """Play the tape on the servers of the environment until SIGTERM."""
    player = make_player(
        load(Path(os.environ["BENCH_TAPE"])),
        os.environ["KAFKA_TOPIC_PREFIX"],
        os.environ["DATABASE_URL"],
        os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    )
    playing = asyncio.create_task(player.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    await asyncio.wait([playing])
    if not playing.cancelled():
        playing.result()


if __name__ == "__main__":
    uvloop.run(play(Player))
