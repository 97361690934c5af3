"""Rows that the release before stored, beside this one and after `orderflow migrate`.

`release_before/make_rows.py` wrote them with the code of that release. A number had one owner at a
time in it, and entries of owners had no time of hand-over and attachment.
"""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.windows import shares_of
from services.orders.domain.tracking.replay import replay
from services.orders.domain.value import replace
from services.orders.operations import complete_owners
from services.orders.operations.after_migration import change_rows
from services.runtime.batch.batch import Batch
from services.runtime.operations.change_run import ChangeRun
from services.runtime.outbox.leases import ShardLeases
from services.runtime.postgres.queries import load
from services.runtime.retry import is_transient
from tests.integration.batches import a_record_at
from tests.integration.outgoing import waiting_records

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOLDER = Path(__file__).parent / "release_before"
BEFORE = load(FOLDER / "statements.sql")
LINES = [json.loads(line) for line in (FOLDER / "rows.jsonl").read_text("utf-8").splitlines()]
ROWS = [(line["table"], line["row"]) for line in LINES if "table" in line]
BATCHES = [(line["day"], line["messages"]) for line in LINES if "messages" in line]
NUMBERS = sorted(row["number"] for table, row in ROWS if table == "stored_parcel")
SHARED = ["REUSED2", "REUSED3", "TWO1"]
LATER = BEGIN + timedelta(days=62.5)
PUBLISHED = {id_ for line in LINES for id_ in line.get("published", ())}
MOVING, ARRIVED = "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"
INSERT = """
INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, $1)"""
VERSIONS = """
SELECT order_id::text, ctid::text FROM stored_order
 UNION ALL SELECT number, ctid::text FROM stored_parcel
 UNION ALL SELECT 'waiting ' || id, ctid::text FROM waiting"""


@pytest.fixture
async def stored(pool):
    """The rows of the release before, in a database of this one."""
    for table, row in ROWS:
        text = row.get("document")
        document = {"document": f"\\x{text.encode().hex()}"} if text is not None else {}
        await pool.execute(INSERT.format(table), json.dumps(row | document))
        if table == "waiting":
            await pool.execute("SELECT nextval('waiting_id_seq')")


@pytest.fixture
def migrate(stored, pool, orders):
    """What `orderflow migrate` does with stored rows; returns its lines."""

    async def run(**more):
        async with pool.acquire() as connection:
            asked = ChangeRun(orders.apply, LATER, lambda line: None, **more)
            return await change_rows(connection, asked)

    return run


@pytest.fixture
async def parcels(pool):
    async def read():
        async with pool.acquire() as connection:
            return await store.read_parcels(connection, NUMBERS)

    return read


def a_message(topic, type_, key, body, ce_id=None, at=LATER):
    return a_record_at(at, topic, type_, body, ce_id=ce_id, key=key.encode())


def id_of(record):
    return dict(record.headers)["ce_id"].decode()


def an_upsert(name, number=None, placed=LATER, carrier="ups"):
    shop, order = name.split("/")
    body = {"shop_slug": shop, "id": order}
    if number:
        tracking = {"tracking_number": number, "carrier_reference": carrier}
        body["trackings"] = [tracking | {"tracking_placed_at": placed.isoformat()}]
    body["order"] = {"order_number": order, "address": {"zip_code": "10"}}
    return a_message("orders.commands", "order.upsert", name, body)


def a_void(name, number):
    shop, order = name.split("/")
    body = {"shop_slug": shop, "id": order, "tracking_number": number, "force": True, "reason": "x"}
    return a_message("orders.commands", "shipment.void", name, body)


def a_report(number, event_name, at=LATER, carrier="ups"):
    body = {
        "carrier_reference": carrier,
        "tracking_number": number,
        "scans": [{"event_name": event_name, "occurred_at": at.isoformat()}],
    }
    return a_message("carrier.tracking", "tracking.reported", f"{carrier}/{number}", body)


def repeated(prefix=""):
    """All that was sent to the release before; with a prefix under other ids."""
    return [
        a_message(m["topic"], m["type"], m["key"], m["body"], prefix + m["id"], LATER)
        for _, messages in BATCHES
        for m in messages
    ]


async def events_in(connection):
    """The events that wait for publication, as texts `SHOP/ORDER EVENT`, in ascending order."""
    found = await waiting_records(connection)
    bodies = [json.loads(value) for topic, _, value in found if topic.endswith(".events")]
    return sorted(
        f"{body['shop_slug']}/{body['context']['order']['order_number']} {body['event_name']}"
        for body in bodies
    )


async def versions_in(connection):
    """The version of each row that a batch decides on: it changes with each write."""
    return dict(await connection.fetch(VERSIONS))


@pytest.fixture
def events(pool):
    async def read():
        async with pool.acquire() as connection:
            return await events_in(connection)

    return read


@pytest.fixture
def versions(pool):
    return lambda: versions_in(pool)


def changed(before, after):
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def of_rows(keys):
    """Without items that wait: these are stored again when they come again."""
    return [key for key in keys if not key.startswith("waiting")]


async def test_migration_completes_numbers_of_several_orders_and_nothing_else(
    migrate, parcels, versions, events
):
    before, former = await versions(), await parcels()

    lines = await migrate()

    assert lines == ["3 tracking numbers of several orders completed"]
    assert changed(before, await versions()) == SHARED
    assert await events() == []
    for number in SHARED:
        owners = [
            replace(owner, placed_at=None, carrier=was.carrier)
            for owner, was in zip(
                (await parcels())[number].owners, former[number].owners, strict=True
            )
        ]
        assert owners == list(former[number].owners)
        assert all(owner.placed_at for owner in (await parcels())[number].owners)
    assert [owner.carrier for owner in (await parcels())["TWO1"].owners] == ["ups", "dhl"]


async def test_shipments_have_the_state_that_their_scans_give_after_the_migration(
    migrate, parcels, pool
):
    """So no later decision finds a difference to publish."""
    await migrate()

    async with pool.acquire() as connection:
        for parcel in (await parcels()).values():
            for owner in parcel.owners:
                order = await store.read_order(connection, owner.order_id)
                (held,) = (s for s in order.shipments if s.shipment_id == owner.shipment_id)
                share = shares_of(parcel)[owner.shipment_id]
                assert replay(share, LATER, fold=owner.fold).state == held.tracking


async def test_second_run_of_the_migration_changes_nothing(migrate, versions):
    await migrate()
    before = await versions()

    assert await migrate() == []
    assert await versions() == before


class Killed(BaseException):
    """A process that ends between two batches."""


async def test_migration_that_was_killed_between_batches_goes_on_with_those_that_are_left(
    migrate, versions, monkeypatch
):
    monkeypatch.setattr(complete_owners, "NUMBERS_A_BATCH", 1)
    before = await versions()

    async def end(run, rows):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ChangeRun, "pace", end)
        with pytest.raises(Killed):
            await migrate()
    between = await versions()
    lines = await migrate()

    assert changed(before, between) == ["REUSED2"]
    assert changed(between, await versions()) == ["REUSED3", "TWO1"]
    assert lines == ["2 tracking numbers of several orders completed"]


async def test_migration_that_is_killed_inside_a_batch_leaves_nothing_half_done(
    migrate, versions, pool, until_it_waits_for_a_lock
):
    before = await versions()
    second = order_id_of("qb", "second")
    async with pool.acquire() as connection, connection.transaction():
        await store.lock_orders(connection, [second])
        running = asyncio.create_task(migrate())
        await until_it_waits_for_a_lock()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert await versions() == before
    assert await migrate() == ["3 tracking numbers of several orders completed"]


async def test_migration_waits_for_a_batch_and_keeps_what_it_wrote(
    migrate, parcels, pool, orders, until_it_waits_for_a_lock
):
    scanned = a_report("REUSED2", "OUT_FOR_DELIVERY")
    async with pool.acquire() as connection, connection.transaction():
        await orders.apply(connection, Batch((scanned,), LATER))
        running = asyncio.create_task(migrate())
        await until_it_waits_for_a_lock()

    assert await running == ["3 tracking numbers of several orders completed"]
    parcel = (await parcels())["REUSED2"]
    assert max(scan.occurred_at for scan in parcel.scans) == LATER
    assert all(owner.placed_at for owner in parcel.owners)


async def test_migration_is_no_faster_than_its_rate(migrate, monkeypatch):
    monkeypatch.setattr(complete_owners, "NUMBERS_A_BATCH", 1)
    began = time.monotonic()

    await migrate(rate=10)

    assert time.monotonic() - began >= 3 / 10


@pytest.mark.parametrize("is_migrated", [True, False], ids=["migrated", "as stored"])
async def test_everything_that_was_sent_before_changes_nothing_when_it_comes_again(
    apply, migrate, versions, events, is_migrated
):
    """Except what was refused then, which is decided anew; and with new ids the scans alone."""
    if is_migrated:
        await migrate()
    before = await versions()
    scans = [each for each in repeated("again-") if each.coordinates.topic == "carrier.tracking"]

    await apply(*(each for each in repeated() if id_of(each) not in {"m19", "m34"}), now=LATER)
    await apply(*scans, now=LATER)

    assert await events() == []
    assert not of_rows(changed(before, await versions()))


AGAIN = BEGIN + timedelta(days=62.6)
LONG_AFTER = BEGIN + timedelta(days=400)
ATTACHED = ["ORDER_PLACED", "SHIPMENT_FULFILLED"]
# What is sent to the stored rows, when, and all events that come of it: by order.
PLAYED = {
    "a second order of the shop": (
        [an_upsert("qa/other", "MOVED1", carrier="dhl")],
        LATER,
        {"qa/other": [*ATTACHED, "OUT_FOR_DELIVERY"]},
    ),
    "an order after 60 days of silence": (
        [an_upsert("qa/other", "SOLE1"), a_report("SOLE1", ARRIVED, AGAIN)],
        AGAIN,
        {"qa/other": [*ATTACHED, ARRIVED, "ORDER_DELIVERED"]},
    ),
    "an order of another shop": (
        [an_upsert("qb/other", "MOVED1", carrier="dhl"), a_report("MOVED1", ARRIVED, AGAIN, "dhl")],
        AGAIN,
        {
            "qb/other": [*ATTACHED, "OUT_FOR_DELIVERY", ARRIVED, "ORDER_DELIVERED"],
            "qa/took": [ARRIVED, "ORDER_DELIVERED"],
        },
    ),
    "the order that lost its number": (
        [an_upsert("qa/lost", "MOVED1", carrier="dhl")],
        LATER,
        {
            "qa/lost": [
                "ORDER_EXPECTED_SHIPMENTS_CHANGED",
                "SHIPMENT_FULFILLED",
                "OUT_FOR_DELIVERY",
            ]
        },
    ),
    "a number used a third time": (
        [an_upsert("qa/third", "REUSED2", LONG_AFTER), a_report("REUSED2", MOVING, LONG_AFTER)],
        LONG_AFTER,
        {"qa/third": [*ATTACHED, MOVING]},
    ),
    "a number used a fourth time": (
        [an_upsert("qb/fourth", "REUSED3", LONG_AFTER), a_report("REUSED3", MOVING, LONG_AFTER)],
        LONG_AFTER,
        {"qb/fourth": [*ATTACHED, MOVING]},
    ),
    "scans of a number used again": (
        [a_report("REUSED2", ARRIVED, AGAIN), a_report("REUSED3", ARRIVED, AGAIN)],
        AGAIN,
        {"qb/second": [ARRIVED, "ORDER_DELIVERED"], "qb/newest": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "a late scan of the first use": (
        [a_report("REUSED2", "OUT_FOR_DELIVERY", BEGIN + timedelta(days=1.8))],
        LATER,
        {"qa/first": ["OUT_FOR_DELIVERY"]},
    ),
    "a void of the second use": (
        [a_void("qb/second", "REUSED2")],
        LATER,
        {"qb/second": ["ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
    "a void of the first use": (
        [a_void("qa/first", "REUSED2")],
        LATER,
        {"qa/first": ["ORDER_UPDATED", "ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
    "a void and the number again": (
        [a_void("qa/sole", "SOLE1"), an_upsert("qa/sole", "SOLE1")],
        LATER,
        {
            "qa/sole": [
                "ORDER_UPDATED",
                "SHIPMENT_RELEASED",
                "ORDER_FULFILLED",
                "SHIPMENT_FULFILLED",
                "PICKED_UP_BY_CARRIER",
            ]
        },
    ),
    "a scan beside folded ones": (
        [a_report("FOLDED1", ARRIVED)],
        LATER,
        {"qa/folded": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "a second order on folded scans": (
        [an_upsert("qa/other", "FOLDED1"), a_report("FOLDED1", ARRIVED, AGAIN)],
        AGAIN,
        {
            "qa/folded": [ARRIVED, "ORDER_DELIVERED"],
            "qa/other": [*ATTACHED, ARRIVED, "ORDER_DELIVERED", *["SORTED"] * 450],
        },
    ),
    "scans of a corrected carrier": (
        [a_report("CARRIER1", ARRIVED), a_report("CARRIER1", ARRIVED, AGAIN, "dhl")],
        LATER,
        {"qa/corrected": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "an order for scans that nobody had": (
        [an_upsert("qb/other", "UNOWNED1")],
        LATER,
        {"qb/other": [*ATTACHED, "PICKED_UP_BY_CARRIER"]},
    ),
    "a placeholder for one more order": ([an_upsert("qa/none4", "none")], LATER, {}),
    "a void of a placeholder": (
        [a_void("qa/none2", "none")],
        LATER,
        {"qa/none2": ["ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
}


@pytest.fixture
def played(pool, orders):
    """Sends messages twice in a transaction that is undone; returns the events and changed rows.

    The events are those of the first time, and the rows those that the second time changed, with
    its events.
    """

    async def run(messages, now):
        async with pool.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            try:
                await orders.apply(connection, Batch(tuple(messages), now))
                made, before = await events_in(connection), await versions_in(connection)
                await orders.apply(connection, Batch(tuple(messages), now))
                again = of_rows(changed(before, await versions_in(connection)))
                return made, [*again, *(await events_in(connection))[len(made) :]]
            finally:
                await undone.rollback()

    return run


@pytest.mark.parametrize("is_migrated", [True, False], ids=["migrated", "as stored"])
async def test_what_comes_next_makes_its_events_and_no_others_and_none_twice(
    migrate, played, is_migrated
):
    if is_migrated:
        await migrate()

    found = {name: await played(messages, now) for name, (messages, now, _) in PLAYED.items()}

    assert found == {
        name: (sorted(f"{order} {each}" for order, made in expected.items() for each in made), [])
        for name, (_, _, expected) in PLAYED.items()
    }


@pytest.mark.parametrize(
    ("carrier", "order"), [("ups", "qa/unnamed"), ("dhl", "qb/named")], ids=["ups", "dhl"]
)
async def test_number_of_two_carriers_stays_two_parcels_where_a_shop_named_no_carrier(
    apply, migrate, events, carrier, order
):
    await migrate()

    await apply(a_report("TWO1", "SORTED", AGAIN, carrier), now=AGAIN)

    assert await events() == [f"{order} SORTED"]


async def test_events_of_the_release_before_keep_their_ids(apply, migrate, published):
    """A repeat of an event carries its id: none of those that come later has one of these."""
    await migrate()
    messages = [message for played, _, _ in PLAYED.values() for message in played]

    await apply(*messages, now=LONG_AFTER)

    later = [headers["ce_id"].decode() for _, headers, _ in await published()]
    assert not {*later} & PUBLISHED
    assert len(later) == len({*later})


@pytest.fixture
def written_by_the_release_before(pool):
    """Writes a number again as a replica of it does: without the members that it does not know."""

    async def write(number):
        async with pool.acquire() as connection:
            (parcel,) = (await store.read_parcels(connection, [number])).values()
            known = [replace(each, placed_at=None, came_at=None) for each in parcel.owners]
            parcel = replace(parcel, private=())
            owners = f"{{{','.join(owner.order_id for owner in known)}}}"
            document = msgspec.json.encode(replace(parcel, owners=tuple(known)))
            columns = [[False], [number], [document], [owners], *([[]] * 12)]
            await connection.execute(BEFORE["save_rows"], *columns)

    return write


@pytest.fixture
async def present_relay(database_url):
    """The locks of a running process of this release; closed when the process ends."""
    connection = await asyncpg.connect(database_url)
    await ShardLeases(connection, "orders", 16).join()
    yield connection
    await connection.close()


async def owners_of(pool, number):
    async with pool.acquire() as connection:
        (parcel,) = (await store.read_parcels(connection, [number])).values()
    return parcel.owners


async def test_replica_of_the_release_before_writes_numbers_of_one_shipment(
    apply, pool, events, written_by_the_release_before, present_relay
):
    """What it left out comes back when another shipment comes to the number."""
    await apply(an_upsert("qa/1", "SHARED1"), a_report("SHARED1", MOVING), now=LATER)
    await written_by_the_release_before("SHARED1")
    assert [owner.placed_at for owner in await owners_of(pool, "SHARED1")] == [None]

    await apply(an_upsert("qa/2", "SHARED1"), now=LATER)
    await apply(a_report("SHARED1", ARRIVED, AGAIN), now=AGAIN)

    assert [owner.placed_at for owner in await owners_of(pool, "SHARED1")] == [LATER, LATER]
    made = [*ATTACHED, MOVING, ARRIVED, "ORDER_DELIVERED"]
    assert await events() == sorted(f"qa/{order} {each}" for order in "12" for each in made)


async def test_replica_of_the_release_before_cannot_write_a_number_of_several_shipments(
    apply, pool, written_by_the_release_before, present_relay
):
    """It would lose whose parcel the number is: which shop sees places and signers."""
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    before = await owners_of(pool, "SHARED1")

    with pytest.raises(asyncpg.ObjectInUseError, match="is or was on several") as refused:
        await written_by_the_release_before("SHARED1")

    assert is_transient(refused.value)
    assert "SHARED1" not in str(refused.value)
    assert await owners_of(pool, "SHARED1") == before


async def test_replica_of_the_release_before_cannot_write_a_number_that_a_shop_has_left(
    apply, pool, written_by_the_release_before, present_relay
):
    """It would lose the span of time of which that shop alone sees the places."""
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    await apply(a_report("SHARED1", MOVING, AGAIN), now=AGAIN)
    await apply(a_void("qb/2", "SHARED1"), now=AGAIN)

    with pytest.raises(asyncpg.ObjectInUseError):
        await written_by_the_release_before("SHARED1")


async def test_replica_of_the_release_before_writes_what_that_release_stored(
    stored, pool, written_by_the_release_before, present_relay
):
    before = await owners_of(pool, "REUSED3")

    await written_by_the_release_before("REUSED3")

    assert await owners_of(pool, "REUSED3") == before


async def test_release_before_writes_every_number_when_it_has_taken_over_again(
    apply, pool, written_by_the_release_before, present_relay
):
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    await present_relay.close()

    await written_by_the_release_before("SHARED1")

    assert [owner.came_at for owner in await owners_of(pool, "SHARED1")] == [None, None]
