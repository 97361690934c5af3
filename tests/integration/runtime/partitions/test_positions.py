"""A batch is applied only where the stored position ends: a gap must be the log's own."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.runtime.clock import SystemClock
from services.runtime.consumer.chunking import BatchLimits, one_order
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from services.runtime.postgres.connections import create_pool
from tests.integration.runtime.conftest import READ, values


@pytest.fixture
async def kafka(settings):
    """A consumer whose polls the test makes itself."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
async def reader(settings, kafka, echo):
    """Applies what it is handed, five records a batch."""
    pool = await create_pool(settings, "orders")
    metrics = Metrics()
    reader = BatchConsumer(
        service="orders",
        assignment=Assignment(
            service="orders",
            group="a-group",
            pool=pool,
            metrics=metrics,
            breaker_limits=CircuitBreakerLimits(2_000, 0.01, 1_000, 0.05),
            guarded_records=5,
        ),
        topic_prefix=settings.kafka_topic_prefix,
        pool=pool,
        apply=echo.apply,
        weigh=one_order,
        limits=BatchLimits(bytes_max=1_000_000, orders_max=5),
        clock=SystemClock(),
        metrics=metrics,
        committed=(),
    )
    reader.assignment.bind(lambda: kafka)
    yield reader
    pool.terminate()


async def read_until(kafka, reader, echo, count):
    """Poll and apply until `count` values are applied; the values, in order."""
    for _ in range(20):
        if sum(map(len, echo.batches)) >= count:
            break
        for records in (await kafka.getmany(timeout_ms=1000)).values():
            await reader.handle(records)
    return [value for batch in echo.batches for value in batch]


async def test_position_is_sought_again_after_a_poll_from_beyond_it(
    settings, kafka, reader, echo, publish
):
    partition = TopicPartition(settings.topic(READ), 0)
    sent = values(30)
    await publish(sent, partition=0)
    kafka.assign([partition])
    reader.assignment.states.assign([partition])
    kafka.seek(partition, 10)

    assert await read_until(kafka, reader, echo, 30) == sent


async def test_position_is_sought_again_after_a_poll_whose_records_were_dropped(
    settings, kafka, reader, echo, publish
):
    """As when a poll raises for one partition after it had taken the records of another."""
    partition = TopicPartition(settings.topic(READ), 0)
    sent = values(30)
    await publish(sent, partition=0)
    kafka.assign([partition])
    reader.assignment.states.assign([partition])
    await reader.handle((await kafka.getmany(timeout_ms=5000, max_records=1))[partition])
    await kafka.getmany(timeout_ms=5000, max_records=7)

    assert await read_until(kafka, reader, echo, 30) == sent


async def test_retry_of_a_batch_fetches_what_has_come(
    settings, kafka, reader, echo, publish, monkeypatch
):
    """Else lag, which is known from fetches, would stand still as long as Postgres is away."""
    partition, steps, sent = TopicPartition(settings.topic(READ), 0), [], values(2)
    await publish(sent[:1], partition=0)
    kafka.assign([partition])
    reader.assignment.states.assign([partition])
    await read_until(kafka, reader, echo, 1)

    async def fail_once(connection, batch):
        steps.append("applied")
        if steps == ["applied"]:
            raise ConnectionResetError("Postgres went away")
        await echo.apply(connection, batch)

    monkeypatch.setattr(reader, "_apply", fail_once)
    reader.poll_monitor.bind(lambda: steps.append("fetches"))
    await publish(sent[1:], partition=0)

    assert await read_until(kafka, reader, echo, 2) == sent
    assert steps == ["applied", "fetches", "applied", "fetches"]


async def test_position_passes_gaps_that_transactions_leave(settings, kafka, reader, echo):
    partition = TopicPartition(settings.topic(READ), 0)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=settings.kafka_topic_prefix,
    )
    await producer.start()
    sent = values(9)
    for start in (0, 3, 6):
        async with producer.transaction():
            for value in sent[start : start + 3]:
                await producer.send(partition.topic, value, b"1", partition=0)
    await producer.stop()
    kafka.assign([partition])
    reader.assignment.states.assign([partition])
    kafka.seek(partition, 2)

    assert await read_until(kafka, reader, echo, 9) == sent
