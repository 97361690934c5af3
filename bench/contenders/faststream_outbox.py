"""faststream-outbox in the role of the orders service for `order.upsert`, as its pages show it.

The handler writes the order and its outbox rows in one session (usage/publisher), and a subscriber
relays the rows to Kafka through a producer of its own (patterns/messaging-service): with one queue
that is faster than a stacked publisher and a queue for each topic (usage/relay). What the page on
throughput advises (concepts/performance) is followed as far as an order's events stay in order:
deletes in batches and its autovacuum settings, but one worker, as several publish in any order
(introduction/how-it-works). A row that failed is still overtaken by the ones behind it.
"""

from __future__ import annotations

import logging
import os
from typing import Any
from uuid import UUID

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, Topic
from faststream.kafka.annotations import KafkaMessage
from faststream_outbox import OutboxBroker, make_outbox_table, outbox_autovacuum_ddl
from faststream_outbox.annotations import OutboxMessage
from sqlalchemy import BigInteger, make_url, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.contenders.upserting import Delivery, Letter, Stored, decide, id_of
from schemas.commands import OrderUpsert
from schemas.context import Order
from schemas.envelope import read_headers
from schemas.topics import ORDERS_COMMANDS

# Rows deleted at once in what the page on throughput measures; as many are fetched at once.
BATCH_ROWS = 100
QUEUE = "orders"
# A row has a queue, a body and headers: where it goes on Kafka has to be one of the latter.
TOPIC, KEY = "topic", "key"


class Base(DeclarativeBase):
    """The tables of this program."""


class OrderRow(Base):
    """One order, as it stands."""

    __tablename__ = "orders"

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_slug: Mapped[str]
    order_number: Mapped[str]
    version: Mapped[int]
    source_version: Mapped[int | None] = mapped_column(BigInteger)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)


OUTBOX = make_outbox_table(Base.metadata)


def make_app(engine: AsyncEngine, servers: str, prefix: str) -> FastStream:
    """Commands from Kafka, and rows to Kafka."""
    kafka = KafkaBroker(servers, acks="all", enable_idempotence=True, log_level=logging.DEBUG)
    outbox = OutboxBroker(engine, outbox_table=OUTBOX, log_level=logging.DEBUG)
    add_relay(outbox, kafka, prefix)
    add_handler(outbox, kafka, async_sessionmaker(engine, expire_on_commit=False), prefix)
    # The outbox stops first: what it has begun to relay, Kafka still takes.
    return FastStream(outbox, kafka, on_startup=[kafka.connect], after_shutdown=[engine.dispose])


def add_relay(outbox: OutboxBroker, kafka: KafkaBroker, prefix: str) -> None:
    """Publish rows, in the order they were written."""

    @outbox.subscriber(QUEUE, fetch_batch_size=BATCH_ROWS, terminal_flush_batch_size=BATCH_ROWS)
    async def relay(body: dict[str, Any], message: OutboxMessage) -> None:
        headers = dict(message.headers)
        topic, key = prefix + headers.pop(TOPIC), headers.pop(KEY).encode()
        await kafka.publish(body, topic=topic, key=key, headers=headers)


def add_handler(
    outbox: OutboxBroker,
    kafka: KafkaBroker,
    sessions: async_sessionmaker[AsyncSession],
    prefix: str,
) -> None:
    """Apply commands, one in a transaction."""

    @kafka.subscriber(
        Topic(prefix + ORDERS_COMMANDS, declare=False),
        group_id=f"{prefix}faststream-outbox",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def on_upsert(command: OrderUpsert, message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        delivery = Delivery(raw.key, read_headers(raw.headers), raw.partition, raw.offset)
        async with sessions() as session, session.begin():
            row = await session.get(OrderRow, id_of(command), with_for_update=True)
            decision = decide(command, delivery, stored_of(row) if row else None)
            if decision.stored:
                save(session, row, decision.stored)
            for letter in decision.letters:
                await append(outbox, session, letter)


def stored_of(row: OrderRow) -> Stored:
    """The order of a row."""
    return Stored(Order.model_validate(row.document), row.version, row.source_version)


def save(session: AsyncSession, row: OrderRow | None, stored: Stored) -> None:
    """Make or change the row of an order."""
    order = stored.order
    if row is None:
        row = OrderRow(
            order_id=order.uuid, shop_slug=order.shop_slug, order_number=order.order_number
        )
        session.add(row)
    row.version = stored.version
    row.source_version = stored.source_version
    row.document = order.model_dump(mode="json")


async def append(outbox: OutboxBroker, session: AsyncSession, letter: Letter) -> None:
    """Write an outbox row beside the order."""
    headers = {**letter.headers, TOPIC: letter.topic, KEY: letter.key.decode()}
    await outbox.publish(letter.body, queue=QUEUE, session=session, headers=headers)


async def make_tables(engine: AsyncEngine) -> None:
    """The tables, with the settings the package advises for its own."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(outbox_autovacuum_ddl(OUTBOX.name)))


async def main() -> None:
    """Serve on the servers of the environment until SIGTERM."""
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url)
    await make_tables(engine)
    servers, prefix = os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["KAFKA_TOPIC_PREFIX"]
    await make_app(engine, servers, prefix).run()


if __name__ == "__main__":
    uvloop.run(main())
