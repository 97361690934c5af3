"""A stop stands until an operator ends it; a running process notices, and goes on."""

import asyncio
import json

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.runtime.operations.audit import ActFilter, read
from services.runtime.operations.partition_admin import (
    LogRange,
    Move,
    PartitionAdmin,
    PartitionRefused,
    Signature,
)
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import READ, until, values

WHO = Signature("mira", "the cause is corrected")
COUNT_STOPS = """
CREATE TABLE public.stored (at timestamptz);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN INSERT INTO public.stored VALUES (now()); RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON orders.position FOR EACH ROW
WHEN (NEW.stopped_kind IS NOT NULL) EXECUTE FUNCTION public.note();
"""


@pytest.fixture
async def database(database_url):
    """The database as its owner sees it."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def acts(settings):
    """What an operator can do to the partitions of the orders service."""
    connection = await connect(settings, "orders")
    group = settings.consumer_group("orders")
    acts = PartitionAdmin(connection, group, settings.kafka_topic_prefix)
    acts.written = lambda: read(connection, ActFilter())
    yield acts
    await connection.close()


def stopped(service):
    """The partitions this replica reads no more of, and why."""
    return service.running.consumer.assignment.stops.reasons


def is_shown_as_stopped(service, partition):
    labels = ("orders", partition.topic, str(partition.partition))
    return service.metrics.partition_stopped.labels(*labels)._value.get() == 1


async def stop_by_hand(database, number, kind="fuse"):
    """As a replica stores it."""
    await database.execute(
        "UPDATE orders.position SET stopped_kind = $2, stopped_detail = 'too much', "
        "stopped_at = now() WHERE partition = $1",
        number,
        kind,
    )


async def stored_detail(database, number, kind):
    """Why the row says that it is stopped, waited for."""
    async with asyncio.timeout(60):
        while True:
            row = await database.fetchrow(
                "SELECT stopped_kind, stopped_detail FROM orders.position WHERE partition = $1",
                number,
            )
            if row and row["stopped_kind"] == kind:
                return row["stopped_detail"]
            await asyncio.sleep(0.02)


def numbers(found):
    return sorted(json.loads(value)["n"] for value in found)


@pytest.mark.parametrize("kind", ["fuse", "position"])
async def test_stop_outlives_its_process_and_ends_by_an_audited_resume(
    start, publish, read_all, settings, database, acts, kind
):
    service = await start()
    await publish(values(10), partition=1)
    await read_all(10)
    await service.stop()
    await stop_by_hand(database, 1, kind)
    here = TopicPartition(settings.topic(READ), 1)

    again = await start()
    await publish(values(20)[10:], partition=1)
    await publish(values(25)[20:], partition=2)
    await until(lambda: here in stopped(again), "stopped")

    assert numbers(await read_all(15)) == [*range(10), *range(20, 25)]
    assert stopped(again) == {here: "too much"}
    assert is_shown_as_stopped(again, here)
    assert not (await again.readiness()["orders.partitions"]())[0]

    assert await acts.resume(here, WHO) == "too much"

    assert numbers(await read_all(25)) == list(range(25))
    assert stopped(again) == {}
    assert not is_shown_as_stopped(again, here)
    (done,) = await acts.written()
    assert (done.act.act, done.act.actor, done.act.reason) == (
        "partitions.resume",
        "mira",
        "the cause is corrected",
    )
    assert (done.act.topic, done.act.partition, done.act.offset) == (READ, 1, 10)


async def test_stop_holds_for_another_replica(start, publish, read_all, settings, database):
    first = await start()
    await publish(values(10), partition=1)
    await read_all(10)
    await stop_by_hand(database, 1)
    await publish(values(12)[10:], partition=1)

    second = await start()

    here = TopicPartition(settings.topic(READ), 1)
    await until(lambda: here in {**stopped(first), **stopped(second)}, "stopped")
    rows = await database.fetch("SELECT next_offset FROM orders.position WHERE partition = 1")
    assert [row["next_offset"] for row in rows] == [10]


async def test_stop_by_a_bug_ends_with_the_next_process_or_a_resume(
    start, publish, read_all, settings, database, acts, echo
):
    here = TopicPartition(settings.topic(READ), 1)

    def break_always(_):
        raise ZeroDivisionError("a bug in a decision")

    echo.break_on = break_always
    service = await start()
    await publish(values(5), partition=1)
    await until(lambda: here in stopped(service), "stopped")
    assert "ZeroDivisionError" in await stored_detail(database, 1, "bug")

    echo.break_on = lambda _: None
    await acts.resume(here, WHO)

    assert numbers(await read_all(5)) == list(range(5))


async def test_partition_that_is_not_stopped_cannot_be_resumed_nor_moved(
    start, publish, read_all, settings, acts
):
    await start()
    await publish(values(5), partition=1)
    await read_all(5)
    here = TopicPartition(settings.topic(READ), 1)

    with pytest.raises(PartitionRefused, match="is not stopped"):
        await acts.resume(here, WHO)
    with pytest.raises(PartitionRefused, match="read without trouble at 5"):
        await acts.move(here, "latest", LogRange(0, 9), WHO)
    with pytest.raises(PartitionRefused, match="has never been read"):
        await acts.resume(TopicPartition(here.topic, 77), WHO)
    assert await acts.written() == []


async def test_partition_that_is_read_can_be_moved_by_force(
    start, publish, read_all, settings, acts
):
    await start()
    await publish(values(5), partition=1)
    await read_all(5)
    here = TopicPartition(settings.topic(READ), 1)

    moved = await acts.move(here, 3, LogRange(0, 5), WHO, is_forced=True)
    await publish(values(6)[5:], partition=1)

    assert moved == Move(was=5, to=3, gone=0, skipped=0, again=2)
    assert sorted(numbers(await read_all(8))) == [0, 1, 2, 3, 3, 4, 4, 5]


async def test_position_out_of_range_is_left_by_a_move(
    start, publish, read_all, settings, database, acts
):
    service = await start()
    await publish(values(5), partition=3)
    await read_all(5)
    await service.stop()
    await database.execute("UPDATE orders.position SET next_offset = 99 WHERE partition = 3")
    here = TopicPartition(settings.topic(READ), 3)
    service = await start()
    await until(lambda: stopped(service), "stopped")
    (why,) = stopped(service).values()
    assert "99 is outside the topic's offsets 0..5" in why
    assert f"orderflow partitions move {here.topic} 3 --service orders" in why
    with pytest.raises(PartitionRefused, match=r"has offsets 0\.\.5: 7 is none of them"):
        await acts.move(here, 7, LogRange(0, 5), WHO)

    moved = await acts.move(here, 2, LogRange(0, 5), WHO)

    assert moved == Move(was=99, to=2, gone=0, skipped=2, again=0)
    assert numbers((await read_all(8))[5:]) == [2, 3, 4]
    assert stopped(service) == {}
    (done,) = await acts.written()
    assert (done.act.act, done.act.offset, done.act.detail["to"]) == ("partitions.move", 99, 2)


async def test_stop_is_stored_once(start, publish, read_all, settings, database):
    """Stored again, it would undo the resume of an operator who was quick."""
    service = await start()
    await publish(values(1), partition=1)
    await read_all(1)
    await database.execute(COUNT_STOPS)
    stops = service.running.consumer.assignment.stops

    await asyncio.gather(
        stops.stop(TopicPartition(settings.topic(READ), 1), RuntimeError("a bug")),
        *(stops.end_resumed() for _ in range(3)),
    )

    assert await database.fetchval("SELECT count(*) FROM public.stored") == 1


async def test_stop_keeps_its_first_reason(start, publish, read_all, settings, database):
    service = await start()
    await publish(values(1), partition=1)
    await read_all(1)
    here = TopicPartition(settings.topic(READ), 1)
    stops = service.running.consumer.assignment.stops

    await stops.stop(here, RuntimeError("the first bug"))
    await stops.stop(here, RuntimeError("the second bug"))

    assert stopped(service) == {here: "RuntimeError('the first bug')"}
    assert await stored_detail(database, 1, "bug") == "RuntimeError('the first bug')"
