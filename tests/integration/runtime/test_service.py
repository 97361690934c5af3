"""The batched path on real servers: everything once, in order, whatever happens to it."""

import asyncio
import json
from contextlib import AsyncExitStack

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from services.runtime.background import every
from services.runtime.observability.metrics import Metrics
from services.runtime.service import Service
from tests.integration.runtime.conftest import READ, until, values


def by_key(found):
    """Numbers by key, in the order they were read."""
    read = [json.loads(value) for value in found]
    return {key: [v["n"] for v in read if v["key"] == key] for key in {v["key"] for v in read}}


async def test_service_publishes_what_it_reads_once_and_in_order_per_key(start, publish, read_all):
    await start()
    sent = values(500)

    await publish(sent)

    assert by_key(await read_all(500)) == by_key(sent)


async def test_service_measures_its_tables_before_it_is_ready(start, settings):
    service = await start()

    gauges = (service.metrics.parked_items, service.metrics.outbox_rows)
    assert [[sample.value for sample in gauge.collect()[0].samples] for gauge in gauges] == [
        [0],
        [0],
    ]


async def test_service_shows_who_holds_its_connections_and_who_waits(start, settings):
    service = await start()
    pool, size = service.running.pool, settings.database_pool_size - 1

    def shown(name, **labels):
        sample = f"orderflow_database_{name}"
        labels |= {"service": service.name, "pool": "shared"}
        return service.metrics.registry.get_sample_value(sample, labels)

    async def borrow():
        async with pool.acquire():
            pass

    async with AsyncExitStack() as borrowed:
        for _ in range(size):
            await borrowed.enter_async_context(pool.acquire())
        waiting = asyncio.create_task(borrow())
        await until(lambda: shown("waiting") >= 1, "a task waits")
        assert shown("connections", state="used") == shown("connections_max") == size
        assert shown("connections", state="idle") == 0
    await waiting

    await until(lambda: shown("waiting") == 0, "no task waits")
    await until(lambda: shown("connections", state="idle") > 0, "a connection is idle")


async def test_batches_go_on_while_all_other_work_waits_for_a_connection(
    start, publish, read_all, settings
):
    service = await start()
    sent = values(51)
    await publish(sent[:1])
    await read_all(1)
    async with AsyncExitStack() as borrowed:
        for _ in range(settings.database_pool_size - 1):
            await borrowed.enter_async_context(service.running.pool.acquire())
        await publish(sent[1:])

        assert by_key(await read_all(51)) == by_key(sent)


async def test_batches_keep_their_connection_while_others_borrow(
    start_with, echo, publish, read_all
):
    """On another one every statement would have to be prepared again."""
    sessions = set()

    async def apply(connection, batch):
        sessions.add(connection.get_server_pid())
        await echo.apply(connection, batch)

    service = await start_with(apply)
    for count in range(1, 5):
        async with service.running.pool.acquire():
            await publish(values(1))
            await read_all(count)

    assert len(sessions) == 1


async def test_replicas_share_the_work_and_lose_nothing_when_one_leaves(start, publish, read_all):
    first, _second = await start(), await start()
    sent = values(900)
    await publish(sent[:450])

    await first.stop()
    await publish(sent[450:])

    assert by_key(await read_all(900)) == by_key(sent)


async def test_transient_error_is_retried_in_order(start, publish, read_all, echo):
    failures = iter([True] * 3)

    def fail_thrice(_):
        if next(failures, False):
            raise ConnectionResetError("the server went away")

    echo.break_on = fail_thrice
    await start()
    sent = values(50)

    await publish(sent)

    assert by_key(await read_all(50)) == by_key(sent)


async def test_bug_stops_its_partition_loudly_and_no_other(start, publish, read_all, echo):
    def break_on_poison(value):
        if b"poison" in value:
            raise ZeroDivisionError("a bug in a decision")

    echo.break_on = break_on_poison
    service = await start()
    poison = json.dumps({"key": 1, "n": 0, "poison": True}).encode()
    await publish([poison], partition=0)
    await publish(values(60), partition=1)

    assert len(await read_all(60)) == 60
    stopped = TopicPartition(service.definition.settings.topic(READ), 0)
    await until(lambda: stopped in service.running.consumer.assignment.stops.reasons, "stopped")
    is_ready, detail = await service.readiness()["orders.partitions"]()
    assert not is_ready
    assert "ZeroDivisionError" in detail
    labels = ("orders", stopped.topic, "0")
    assert service.metrics.partition_stopped.labels(*labels)._value.get() == 1


async def test_committed_offset_of_kafka_is_never_a_start(
    start, publish, read_all, settings, database_url
):
    """A Postgres failover that lost a commit Kafka has seen: the lost batch is read again."""
    service = await start()
    await publish(values(40), partition=2)
    await read_all(40)
    await service.stop()
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE orders.position SET next_offset = 30 WHERE partition = 2")
    await connection.close()

    await start()

    again = [json.loads(value)["n"] for value in (await read_all(50))[40:]]
    assert sorted(again) == list(range(30, 40))


async def test_position_outside_its_topic_stops_the_partition_and_says_what_to_do(
    start, publish, read_all, settings, database_url
):
    service = await start()
    await publish(values(5), partition=3)
    await read_all(5)
    await service.stop()
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE orders.position SET next_offset = 99 WHERE partition = 3")
    await connection.close()

    service = await start()

    await until(lambda: service.running.consumer.assignment.stops.reasons, "stopped")
    (why,) = service.running.consumer.assignment.stops.reasons.values()
    assert "99 is outside the topic's offsets 0..5" in why


async def test_lag_of_a_replica_is_measured(start, publish, read_all):
    service = await start()
    await publish(values(20), partition=4)
    await read_all(20)

    def lag():
        service.running.consumer.assignment.measure_lag(0)
        samples = service.metrics.lag_messages.collect()[0].samples
        return {sample.labels["partition"]: sample.value for sample in samples}

    await until(lambda: lag().get("4") == 0, "caught up")


async def test_producers_choose_their_compression(start, settings, read_all):
    sent = values(40)
    for number, compression in enumerate(("gzip", "snappy", "lz4", "zstd")):
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, compression_type=compression
        )
        await producer.start()
        for value in sent[number * 10 :][:10]:
            await producer.send(settings.topic(READ), value, b"1", partition=0)
        await producer.stop()

    await start()

    assert sorted(await read_all(40)) == sorted(sent)


async def test_service_is_ready_when_all_it_needs_answers(start):
    service = await start()

    async with asyncio.timeout(60):
        while [name for name, check in service.readiness().items() if not (await check())[0]]:
            await asyncio.sleep(0.05)

    await service.running.broker.stop()
    assert await service.readiness()["orders.kafka"]() == (False, "no answer")


async def test_service_that_polls_no_more_is_not_alive(start):
    service = await start()
    is_alive = service.liveness()["orders.consuming"]
    assert await is_alive() == (True, "polls")

    await service.running.subscriber.stop()

    assert await is_alive() == (False, "the poll loop has ended")


async def test_service_runs_its_workers_until_it_stops(settings, echo):
    """A worker gets what it needs from the service: here a connection of the pool."""
    counted, has_ended = asyncio.Event(), asyncio.Event()

    async def count_positions(context):
        async def work():
            async with context.pool.acquire() as connection:
                assert await connection.fetchval("SELECT count(*) FROM position") == 0
            counted.set()

        try:
            await every(0.01, "count", work, service=context.service)
        finally:
            has_ended.set()

    service = Service(
        name="orders",
        settings=settings,
        topics=[READ],
        apply=echo.apply,
        workers={"count": count_positions},
        metrics=Metrics(),
    )
    await service.start()
    await asyncio.wait_for(counted.wait(), 40)
    await service.stop()

    assert has_ended.is_set()


async def test_service_whose_worker_ended_is_not_alive(settings, echo):
    async def ends_at_once(_):
        raise ZeroDivisionError("a bug in a worker")

    service = Service(
        name="orders",
        settings=settings,
        topics=[READ],
        apply=echo.apply,
        workers={"short": ends_at_once},
        metrics=Metrics(),
    )
    await service.start()

    await until(service.running.workers.ended, "ended")
    is_alive, detail = await service.liveness()["orders.consuming"]()
    await service.stop()

    assert (is_alive, "ended: short" in detail) == (False, True)


async def test_stop_terminates_the_pools_also_when_leaving_raises(
    start, publish, read_all, database_url
):
    service = await start()
    await publish(values(1))
    await read_all(1)
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE orders.position RENAME TO renamed")
    await connection.close()

    with pytest.raises(asyncpg.UndefinedTableError):
        await service.stop()

    for pool in (service.running.batches_pool, service.running.pool):
        with pytest.raises(asyncpg.InterfaceError, match="pool is clos"):
            await pool.acquire()
    await service.running.workers.stop()
    await service.running.stall_monitor.close()


class NotUtf8(str):
    """A header name of bytes that no text has."""

    __slots__ = ()

    def encode(self, *_):
        return b"\xff\xfe"


@pytest.mark.parametrize("codec", [0, 1], ids=["plain", "gzip"])
async def test_header_name_that_is_not_utf8_stops_nothing(start, settings, read_all, codec):
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await producer.start()
    batch = producer.create_batch()
    # Only the slow writer takes such a name; another client's producer would send it as well.
    batch._builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 100_000)
    sent = values(3)
    for value, headers in zip(sent, ([], [(NotUtf8(), b"x"), ("a", None)], []), strict=True):
        batch.append(key=b"1", value=value, timestamp=1_772_000_000_000, headers=headers)
    await (await producer.send_batch(batch, settings.topic(READ), partition=0))
    await producer.stop()

    await start()

    assert await read_all(3) == sent


async def test_committed_offset_is_right_although_a_commit_was_lost(
    start, publish, read_all, settings
):
    """As when a rebalance falls between the commit to Postgres and the one to Kafka."""
    service = await start()
    await publish(values(10), partition=5)
    await read_all(10)
    here = TopicPartition(settings.topic(READ), 5)
    monitor = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.consumer_group("orders"),
        enable_auto_commit=False,
    )
    await monitor.start()
    monitor.assign([here])

    await service.running.subscriber.consumer.commit({here: 3})
    service.running.consumer.assignment.states[here].committed_offset = None

    async with asyncio.timeout(60):
        while await monitor.committed(here) != 10:
            await asyncio.sleep(0.02)
    await monitor.stop()


async def test_committed_offset_is_right_after_a_stop(start, publish, read_all, settings):
    """Offsets are committed once a second, not after each batch."""
    service = await start()
    for count in range(1, 6):
        await publish(values(1), partition=5)
        await read_all(count)

    await service.stop()

    assert await committed(settings, TopicPartition(settings.topic(READ), 5)) == 5


async def committed(settings, partition):
    """What Kafka has for the group."""
    monitor = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.consumer_group("orders"),
        enable_auto_commit=False,
    )
    await monitor.start()
    monitor.assign([partition])
    found = await monitor.committed(partition)
    await monitor.stop()
    return found


async def test_committed_offset_includes_the_batch_in_hand_at_the_stop(
    start_with, echo, publish, settings
):
    began, may_end = asyncio.Event(), asyncio.Event()

    async def apply(connection, batch):
        began.set()
        await may_end.wait()
        await echo.apply(connection, batch)

    service = await start_with(apply)
    await publish(values(1), partition=5)
    await asyncio.wait_for(began.wait(), 40)
    stopping = asyncio.create_task(service.stop())
    await until(lambda: service.running.consumer.assignment.is_stopping, "stopping")
    may_end.set()
    await stopping

    assert await committed(settings, TopicPartition(settings.topic(READ), 5)) == 1
