"""Where the CPU goes: microseconds a message of each part of the orders service's path.

One process, one task at a time, so that CPU spent between two marks belongs to what ran between
them, whatever else the machine does. The parts are the service's own: it is put together as its
composition root does, and the marks stand where it times its stages. Run it on the loop that
services run on (uvloop).
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import TopicPartition

from bench.loading import load
from bench.meter import AROUND, MarkingDelivery, Meter, marked
from bench.traffic import Letter, Mix
from demo.installation import Installation
from deploy.stack import Addresses
from services.orders.app import build
from services.orders.outcomes import SERVICE
from services.runtime.background import Startup
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.consumer.chunking import by_partition
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.consumer.subscriber import subscribe
from services.runtime.kafka.clients import make_producer
from services.runtime.messages.records import ConsumedRecord
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.shard_publisher import ShardPublisher
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.postgres.connections import Connection, create_pool
from services.runtime.running import RunningService
from services.runtime.service import Service

DEADLINE_SECONDS = 120.0
BEFORE_BATCH = 500


@dataclass(frozen=True, slots=True)
class Part:
    """What one part costs; `spread` is the largest round less the smallest, against the median."""

    name: str
    process: str
    """`ours`, or the server that works for it."""
    us_per_message: float
    spread: float


async def measure_parts(
    addresses: Addresses,
    mix: Mix,
    *,
    batch: int = 500,
    rounds: int = 5,
    server_pids: Mapping[str, Sequence[int]] | None = None,
) -> list[Part]:
    """Ours in the order of the path, then each server's CPU while we consume, apply and relay.

    Every round has a database and topics of its own; one more goes before and is not counted.
    A message of `bulk` is a thousand items: ask for small batches of it.

    Raises:
        ValueError: fewer than two batches of letters: consuming is measured from poll to poll.
    """
    if len(mix.letters) < 2 * batch:
        raise ValueError(f"{len(mix.letters)} letters are no two batches: take {2 * batch} or more")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="orderflow-parts-") as folder:
        for number in range(rounds + 1):
            name = f"parts_{os.getpid()}_{number}"
            installation = Installation(addresses, Path(folder) / name, name)
            round_ = _Round(installation, batch, server_pids or {})
            for part, us in (await round_.run(mix)).items():
                if number:
                    found[part].append(us)
    return [_part(*key, found[key]) for key in found]


def _part(process: str, name: str, rounds: list[float]) -> Part:
    median = statistics.median(rounds)
    spread = (max(rounds) - min(rounds)) / median if median else 0.0
    return Part(name, process, median, spread)


class _Round:
    """One installation, from nothing to everything published."""

    def __init__(
        self, installation: Installation, batch: int, server_pids: Mapping[str, Sequence[int]]
    ) -> None:
        self._installation = installation
        self._batch = batch
        self._server_pids = server_pids

    async def run(self, mix: Mix) -> dict[tuple[str, str], float]:
        """Microseconds a message of the mix's letters, by process and part."""
        await self._installation.create()
        try:
            with _frozen_heap():
                if mix.before:
                    await self._apply(mix.before, BEFORE_BATCH)
                meter = await self._apply(mix.letters, self._batch)
        finally:
            await self._installation.drop()
        return meter.us_per_message(len(mix.letters))

    async def _apply(self, letters: Sequence[Letter], batch: int) -> Meter:
        """Consume, apply and relay these letters, one after the other."""
        await load(self._installation, letters)
        meter = Meter(self._server_pids)
        settings = self._settings(batch)
        service = build(settings)
        with marked(service.metrics, meter):
            pool = await create_pool(settings, service.name)
            try:
                parts = RunningService(service.definition, pool, pool, Startup(service.name))
                relay, consumer = parts.relay, parts.consumer
                records = await _Taking(service, consumer, meter).take(letters)
                gc.collect()
                gc.freeze()
                await _handle(consumer, records, batch, meter)
                await _publish(relay, settings, meter, len(letters))
                # Else the next process reads on carefully, record by record.
                await consumer.assignment.release_all()
            finally:
                pool.terminate()
        return meter

    def _settings(self, batch: int) -> Settings:
        return Settings(
            kafka_bootstrap_servers=self._installation.addresses.kafka_bootstrap_servers,
            kafka_topic_prefix=self._installation.prefix,
            database_url=self._installation.database_url,
            batch_max_records=batch,
            http_port=0,
            orders_state=False,
        )


async def _handle(
    consumer: BatchConsumer, records: Sequence[ConsumedRecord], batch: int, meter: Meter
) -> None:
    apply = consumer._apply

    async def apply_marked(connection: Connection, batch: Batch) -> None:
        meter.end(AROUND)
        await apply(connection, batch)

    consumer._apply = apply_marked
    meter.begin()
    for start in range(0, len(records), batch):
        await consumer.handle(records[start : start + batch])
    meter.end(AROUND)
    meter.end_phase("apply", len(records))
    next_offset = consumer.assignment.positions.next_offset
    for partition, each in by_partition(records).items():
        assert next_offset(partition) == each[-1].offset + 1, f"{partition} was not applied"


async def _publish(relay: Relay, settings: Settings, meter: Meter, messages: int) -> None:
    factory = publisher_factory(settings, SERVICE)
    connection = await factory.connect("relay.publisher")
    delivery = MarkingDelivery(meter, make_producer(settings), connection, settings.topic)
    publisher = ShardPublisher(
        range(settings.outbox_shards),
        connect=lambda: factory.connect("relay.publisher"),
        open_delivery=lambda _: delivery,
        metrics=relay._publication,
        poll_seconds=None,
    )
    try:
        await delivery.start()
        publisher.busy = publisher.shards
        meter.begin()
        while await publisher._publish_once(connection, delivery):
            pass
        meter.end("relay read")
        meter.end_phase("relay", messages)
    finally:
        await delivery.abort()
        connection.terminate()


class _Taking:
    """The service's subscriber, which only takes what it polls."""

    def __init__(self, service: Service, consumer: BatchConsumer, meter: Meter) -> None:
        self._service = service
        self._consumer = consumer
        self._meter = meter
        self._expected = 0
        self._taken: dict[tuple[str, int, int], ConsumedRecord] = {}
        self._polls = 0
        self._is_done = asyncio.Event()

    async def take(self, letters: Sequence[Letter]) -> list[ConsumedRecord]:
        """The records of these letters, in the order of the letters."""
        self._expected = len(letters)
        service, consumer = self._service, self._consumer
        consumer.handle = self._hear  # type: ignore[method-assign]
        broker, _ = subscribe(
            service.definition.settings, service.name, service.definition.topics, consumer
        )
        await broker.start()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._is_done.wait()
                while not consumer.assignment.is_positioned():
                    await asyncio.sleep(0.01)
        finally:
            await broker.stop()
        del consumer.handle
        places = {dict(letter.headers)["ce_id"]: at for at, letter in enumerate(letters)}
        return sorted(self._taken.values(), key=lambda each: places[dict(each.headers)["ce_id"]])

    async def _hear(self, records: Sequence[ConsumedRecord]) -> None:
        if not self._polls:
            self._meter.begin()
        else:
            self._meter.handed_over += len(records)
        self._polls += 1
        for record in await self._consumer.assignment.verify_log(records):
            # What was polled before its partition was placed comes again, as for the service.
            begins = self._consumer.assignment.positions.next_offset(_partition_of(record))
            if begins is not None and record.offset >= begins:
                self._taken[record.topic, record.partition, record.offset] = record
        if len(self._taken) == self._expected and not self._is_done.is_set():
            self._meter.end("consume")
            self._meter.end_phase("consume", self._meter.handed_over)
            self._is_done.set()


def _partition_of(record: ConsumedRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """Letters and records that wait for their turn here are nothing a service has: let the
    garbage collector not look at them again and again.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
