"""The textbook build: the role of the orders service for `order.upsert`, as tutorials show it.

One message, one transaction, one offset commit; what is to be published stands in an outbox table
that the same process polls. FastStream hands over one typed body at a time, asyncpg stores it.
Nothing in it is slow on purpose, and nothing is tuned. A command that is no `order.upsert` is
retried for ever, as tutorials leave it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Annotated, Any, TypeAlias

import asyncpg
import uvloop
from asyncpg.pool import PoolConnectionProxy
from faststream import AckPolicy, Context, FastStream
from faststream.kafka import KafkaBroker, Topic
from faststream.kafka.annotations import KafkaMessage

from bench.contenders.upserting import Decision, Delivery, Stored, decide, id_of
from schemas.commands import OrderUpsert
from schemas.context import Order
from schemas.envelope import read_headers
from schemas.topics import ORDERS_COMMANDS

# Published examples poll every 1 to 5 s; this is kinder to the build's latency. Its throughput does
# not depend on it: a full batch is followed by the next one at once.
POLL_SECONDS = 0.1
BATCH_ROWS = 100

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    order_id uuid PRIMARY KEY, shop_slug text NOT NULL, order_number text NOT NULL,
    version integer NOT NULL, source_version bigint, document jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, key bytea NOT NULL,
    headers jsonb NOT NULL, value bytea NOT NULL);
"""
LOCK = "SELECT document, version, source_version FROM orders WHERE order_id = $1 FOR UPDATE"
INSERT = """
INSERT INTO orders (order_id, shop_slug, order_number, version, source_version, document)
VALUES ($1, $2, $3, $4, $5, $6)
"""
UPDATE = "UPDATE orders SET version = $2, source_version = $3, document = $4 WHERE order_id = $1"
APPEND = "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, $2, $3, $4)"
UNPUBLISHED = "SELECT id, topic, key, headers, value FROM outbox ORDER BY id LIMIT $1 FOR UPDATE"
DELETE = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"

Pool = Annotated[asyncpg.Pool, Context("pool")]

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy


def make_broker(servers: str, prefix: str) -> KafkaBroker:
    """The consumer of commands, and the producer."""
    broker = KafkaBroker(servers, acks="all", enable_idempotence=True, log_level=logging.DEBUG)

    @broker.subscriber(
        Topic(prefix + ORDERS_COMMANDS, declare=False),
        group_id=f"{prefix}textbook",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def on_upsert(command: OrderUpsert, message: KafkaMessage, pool: Pool) -> None:
        raw: Any = message.raw_message
        delivery = Delivery(raw.key, read_headers(raw.headers), raw.partition, raw.offset)
        async with pool.acquire() as connection, connection.transaction():
            before = await lock_order(connection, command)
            decision = decide(command, delivery, before)
            await save(connection, decision, is_new=before is None)

    return broker


async def lock_order(connection: Connection, command: OrderUpsert) -> Stored | None:
    """The order of a command, locked until the transaction ends."""
    row = await connection.fetchrow(LOCK, id_of(command))
    if row is None:
        return None
    order = Order.model_validate_json(row["document"])
    return Stored(order, row["version"], row["source_version"])


async def save(connection: Connection, decision: Decision, *, is_new: bool) -> None:
    """Write the order, and beside it what is to be published."""
    if (stored := decision.stored) is not None:
        order, document = stored.order, stored.order.model_dump_json()
        versions = (stored.version, stored.source_version)
        if is_new:
            named = (order.uuid, order.shop_slug, order.order_number)
            await connection.execute(INSERT, *named, *versions, document)
        else:
            await connection.execute(UPDATE, order.uuid, *versions, document)
    for letter in decision.letters:
        headers, value = json.dumps(letter.headers), letter.body.model_dump_json().encode()
        await connection.execute(APPEND, letter.topic, letter.key, headers, value)


async def publish_forever(pool: asyncpg.Pool, broker: KafkaBroker, prefix: str) -> None:
    """Poll the outbox until cancelled."""
    while True:
        if await publish_batch(pool, broker, prefix) < BATCH_ROWS:
            await asyncio.sleep(POLL_SECONDS)


async def publish_batch(pool: asyncpg.Pool, broker: KafkaBroker, prefix: str) -> int:
    """Publish the oldest rows one after the other, and delete them; returns how many."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(UNPUBLISHED, BATCH_ROWS)
        for row in rows:
            await broker.publish(
                row["value"],
                topic=prefix + row["topic"],
                key=row["key"],
                headers=json.loads(row["headers"]),
            )
        await connection.execute(DELETE, [row["id"] for row in rows])
    return len(rows)


async def main() -> None:
    """Serve on the servers of the environment until SIGTERM."""
    prefix = os.environ["KAFKA_TOPIC_PREFIX"]
    broker = make_broker(os.environ["KAFKA_BOOTSTRAP_SERVERS"], prefix)
    async with asyncpg.create_pool(os.environ["DATABASE_URL"]) as pool:
        await pool.execute(TABLES)
        app = FastStream(broker)
        app.context.set_global("pool", pool)
        await broker.connect()
        publishing = asyncio.create_task(publish_forever(pool, broker, prefix))
        publishing.add_done_callback(lambda _: app.exit())

        @app.on_shutdown
        async def stop_publishing() -> None:
            publishing.cancel()
            await asyncio.wait([publishing])

        await app.run()
        if not publishing.cancelled():
            publishing.result()


if __name__ == "__main__":
    uvloop.run(main())
