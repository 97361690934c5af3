"""A write that fails is searched to its item; the rest of the batch is applied."""

from dataclasses import dataclass

import asyncpg
import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from services.orders.messages import encode
from services.orders.messages.carriers.standard import parser as standard
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE
from services.runtime.clock import SystemClock
from services.runtime.consumer.chunking import BatchLimits, one_order
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.observability.metrics import Metrics
from services.runtime.parking import operations
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from services.runtime.retry import NotTried
from services.runtime.waiting.expiry import ExpiryLoop
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert

OFF = CircuitBreakerLimits(2_000, 0, 0, 0)


@dataclass(frozen=True)
class Polled:
    """A record as aiokafka hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple


@pytest.fixture
async def handle(pool, orders, database_url):
    """Hands polls to a consumer that stands where each begins; one partition per topic."""
    owner = await asyncpg.connect(database_url)
    consumer = BatchConsumer(
        service="orders",
        assignment=Assignment(
            service="orders",
            group="a-group",
            pool=pool,
            metrics=Metrics(),
            breaker_limits=OFF,
            guarded_records=5,
        ),
        topic_prefix="",
        pool=pool,
        apply=orders.apply,
        weigh=one_order,
        limits=BatchLimits(bytes_max=10_000_000, orders_max=10_000),
        clock=SystemClock(),
        metrics=Metrics(),
        committed=(),
    )

    async def run(*records):
        offsets: dict[TopicPartition, int] = {}
        polled = []
        for record in records:
            partition = TopicPartition(record.coordinates.topic, 0)
            offset = offsets.get(partition, 0)
            offsets[partition] = offset + 1
            milliseconds = int(NOW.timestamp() * 1000)
            polled.append(
                Polled(
                    partition.topic,
                    0,
                    offset,
                    milliseconds,
                    record.key,
                    record.value,
                    record.headers,
                )
            )
        consumer.assignment.states.assign(offsets)
        for partition in offsets:
            consumer.assignment.states[partition].advance(0)
            await owner.execute(
                "INSERT INTO orders.position (consumer_group, topic, partition, next_offset)"
                " VALUES ('a-group', $1, 0, 0)",
                partition.topic,
            )
        await consumer.handle(polled)
        stored = await owner.fetch("SELECT topic, next_offset FROM orders.position")
        assert {row["topic"]: row["next_offset"] for row in stored} == {
            partition.topic: end for partition, end in offsets.items()
        }
        assert consumer.assignment.stops.reasons == {}

    run.consumer = consumer
    yield run
    await owner.close()


@pytest.fixture
def parked(pool):
    """The queue: kind, topic, offset and index of each row, in its order."""

    async def read():
        rows = await pool.fetch('SELECT kind, topic, "offset", index FROM parked ORDER BY id, nth')
        return [tuple(row) for row in rows]

    return read


async def placed(pool):
    """Numbers of the orders there are."""
    rows = await pool.fetch(
        "SELECT order_number FROM shop_order WHERE document IS NOT NULL ORDER BY order_number"
    )
    return [row["order_number"] for row in rows]


async def test_bisect_finds_the_record_of_a_failing_write(handle, refuse, parked, pool):
    await refuse("stored_order", "order_number = '0007'")
    numbers = [f"{n:04}" for n in range(40)]

    await handle(*(an_upsert(number) for number in numbers), a_cancel("0007"), a_report("1Z001"))

    assert await parked() == [
        ("write", "orders.commands", 7, 0),
        ("behind", "orders.commands", 40, 0),
    ]
    assert await placed(pool) == [number for number in numbers if number != "0007"]
    assert "unforeseen" in await pool.fetchval("SELECT error FROM parked ORDER BY id LIMIT 1")
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1


async def test_bisect_parks_only_the_failing_items_of_a_bulk_command(handle, refuse, parked, pool):
    await refuse("stored_order", "order_number IN ('300', '301', '900')")
    items = [
        {"id": f"{n}", "order": {"order_number": f"{n}", "address": {"zip_code": "1"}}}
        for n in range(1000)
    ]
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items})

    await handle(an_upsert("before"), bulk, an_upsert("after"))

    assert await parked() == [("write", "orders.commands", 1, n) for n in (300, 301, 900)]
    assert len(await placed(pool)) == 999


async def test_bisect_parks_the_rest_of_a_record_with_many_failing_items(
    handle, refuse, parked, pool
):
    await refuse("stored_order", "order_number LIKE 'bad%'")
    numbers = [f"good-{n}" for n in range(5)] + [f"bad-{n}" for n in range(20)] + ["last"]
    items = [{"id": n, "order": {"order_number": n, "address": {"zip_code": "1"}}} for n in numbers]
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items})

    await handle(bulk, an_upsert("after"))

    assert [index for *_, index in await parked()] == list(range(5, 26))
    assert len(await placed(pool)) == 6


async def test_bisect_needs_no_search_for_an_event_that_cannot_be_encoded(
    handle, parked, pool, monkeypatch
):
    def break_on_poison(event, snapshot, traceparent):
        if b"POISON" in snapshot.json:
            raise TypeError("cannot be encoded")
        return sound(event, snapshot, traceparent)

    sound = encode.event_record
    monkeypatch.setattr(encode, "event_record", break_on_poison)

    await handle(an_upsert("1"), an_upsert("2", email_id="POISON@mail.example"), a_cancel("2"))

    assert await parked() == [
        ("encoding", "orders.commands", 1, 0),
        ("behind", "orders.commands", 2, 0),
    ]
    assert await placed(pool) == ["1"]


async def test_bisect_parks_an_unreadable_record_whole_under_its_key(
    handle, parked, pool, orders, monkeypatch
):
    def break_on_poison(number):
        if number == "1ZPOISON":
            raise KeyError("an unforeseen body")
        return sound(number)

    sound = standard.normalise_number
    monkeypatch.setattr(standard, "normalise_number", break_on_poison)
    poison = replace(a_report("1ZPOISON"), key=b"ups/1Z-POISON")

    await handle(an_upsert("1"), poison, a_report("1Z002"))
    names = await pool.fetch("SELECT name FROM parked_name ORDER BY name")

    assert await parked() == [("reading", "carrier.tracking", 0, WHOLE)]
    assert [row["name"] for row in names] == ["number/1ZPOISON"]

    monkeypatch.setattr(standard, "normalise_number", sound)
    async with pool.acquire() as connection, connection.transaction():
        result = await operations.retry(
            connection, orders.apply, operations.ParkedSelection(), now=NOW
        )
    assert [each.became for each in result.items] == ["waiting"]
    assert await parked() == []


async def test_bisect_parks_the_waiting_item_that_fails_not_the_one_that_woke_it(
    handle, refuse, parked, pool, apply
):
    await apply(a_cancel("1"))
    cancelled = "convert_from(document, 'UTF8')::jsonb ->> 'status' = 'cancelled'"
    await refuse("stored_order", f"order_number = '1' AND {cancelled}")

    await handle(an_upsert("1"), an_upsert("2"))

    assert [kind for kind, *_ in await parked()] == ["write"]
    assert await placed(pool) == ["1", "2"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    assert await pool.fetchval("SELECT type FROM parked") == "order.cancel"


async def test_waiting_item_that_cannot_be_read_any_more_is_refused(handle, parked, pool, apply):
    await apply(a_cancel("1"))
    await pool.execute("UPDATE waiting SET value = '{'")

    await handle(an_upsert("1"))

    assert await parked() == []
    assert await placed(pool) == ["1"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    assert await pool.fetchval("SELECT reason FROM rejected") == "not_json"


async def test_sweep_parks_an_item_that_cannot_be_refused_and_goes_on(
    apply, orders, pool, refuse, parked
):
    await apply(*(a_cancel(f"{n}") for n in range(7)))
    await refuse("rejected", "detail LIKE '%order_number ''3''%'")

    class Late(SystemClock):
        def now(self):
            return NOW.replace(year=2030)

    sweeps = ExpiryLoop(
        service="orders",
        pool=pool,
        sweep=orders.sweep,
        clock=Late(),
        interval_seconds=1,
        committed=lambda: None,
    )
    assert await sweeps.sweep_once() == 14  # Each item, and the placeholder of its order.

    assert [kind for kind, *_ in await parked()] == ["write"]
    assert await pool.fetchval("SELECT count(*) FROM rejected") == 6
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_trial_that_did_not_reach_its_record_proves_nothing(handle, pool):
    """A rebalance under way: an item would be found guilty that another one's trial had cleared."""
    record = a_record("order.cancel", {"shop_slug": "demo-shop", "ref": "1"})
    polled = Polled("orders.commands", 0, 7, 0, record.key, record.value, record.headers)

    with pytest.raises(NotTried):
        await handle.consumer._apply_once([polled], Batch((), NOW, is_trial=True, stop_after=1))
