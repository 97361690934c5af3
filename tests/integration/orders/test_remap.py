"""Code maps that grow: unknown codes are counted, and a remap names the scans that are stored."""

import pytest

import services.orders.handler
from schemas.topics import ORDERS_STATE, SHIPMENTS_EVENTS
from services.orders import unmapped
from services.orders.domain.tracking.naming import NO_MAPS
from services.orders.domain.value import replace
from services.orders.messages.carriers.code_maps import CODE_MAPS, ROWS, CodeRow, code_maps_of
from services.orders.operations.remap import Remapper, RemapProgress
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from tests.integration.orders.conftest import NOW, a_record, an_upsert

ACT = Act("carriers.remap", "ada", "a map has grown")
ROW = CodeRow("QQ9", "", "", "OUT_FOR_DELIVERY", "", "", "", "https://example.com/codes", "")
GROWN = code_maps_of({**ROWS, "ups": [*ROWS["ups"], ROW]})


def a_scan_with_code(number, code="QQ9", at="2026-03-01T10:00:00Z", **more):
    scan = {"code": code, "occurred_at": at, "text": "Zustellung morgen", **more}
    body = {"carrier_reference": "ups", "tracking_number": number, "scans": [scan]}
    return a_record("tracking.reported", body, topic="carrier.tracking")


@pytest.fixture
def remap(pool, settings):
    """A run of `orderflow carriers remap` under grown maps; returns its last progress."""

    async def run(maps=GROWN, **options):
        async with pool.acquire() as connection:
            remapper = Remapper(settings, connection, rate=10_000, now=lambda: NOW, maps=maps)
            seen = [progress async for progress in remapper.run(ACT, **options)]
            return seen[-1] if seen else RemapProgress()

    return run


async def unmapped_codes(pool):
    async with pool.acquire() as connection:
        found = await unmapped.find(connection, None, 100)
    return {(each.code_set, each.code): each for each in found}


async def phases(published):
    """Type, phase of the shipment and changed fields of each event, in order."""
    return [
        (body["event_name"], body["event_data"]["shipment_phase"], body["event_data"]["notify"])
        for topic, _, body, *_ in await published()
        if topic == "shipments.events"
    ]


async def test_unknown_code_is_counted_once_for_each_new_scan(apply, pool):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1"))
    await apply(a_scan_with_code("1Z1"))
    await apply(a_scan_with_code("1Z1", at="2026-03-01T11:00:00Z"))

    (found,) = (await unmapped_codes(pool)).values()

    assert (found.code_set, found.name, found.code, found.scans) == ("ups", "", "QQ9", 2)
    assert (found.first_seen, found.last_seen) == (NOW, NOW)
    assert (found.sample_number, found.sample_text) == ("1Z1", "Zustellung morgen")


async def test_known_code_and_a_name_of_the_catalogue_are_not_counted(apply, pool):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1", code="005"))
    await apply(a_scan_with_code("1Z1", code="QQ9", event_name="SORTED"))
    await apply(a_scan_with_code("1Z1", code="000", at="2026-03-01T11:00:00Z"))

    assert await unmapped_codes(pool) == {}


async def test_full_table_counts_known_codes_and_takes_no_new_one(apply, pool, monkeypatch):
    monkeypatch.setattr(services.orders.unmapped, "ROWS_MAX", 2)
    await apply(an_upsert("1", trackings=["1Z1"]))
    for hour, code in enumerate(("QQ1", "QQ2", "QQ3", "QQ2")):
        await apply(a_scan_with_code("1Z1", code=code, at=f"2026-03-01T0{hour}:00:00Z"))

    found = await unmapped_codes(pool)

    assert {code: each.scans for (_, code), each in found.items()} == {"QQ1": 1, "QQ2": 2}


async def test_remap_names_stored_scans_with_an_event_for_each_shipment(
    apply, pool, remap, published
):
    for order in ("1", "2"):
        await apply(an_upsert(order, trackings=[f"1Z{order}"]))
        await apply(a_scan_with_code(f"1Z{order}"))
    await apply(an_upsert("3", trackings=["1Z3"]))
    before = await phases(published)
    assert before[-1] == ("SHIPMENT_FULFILLED", "order_processed", True)

    progress = await remap()

    assert (progress.looked, progress.changed, progress.events) == (3, 2, 2)
    changed = (await phases(published))[len(before) :]
    assert changed == [("SHIPMENT_UPDATED", "in_delivery", False)] * 2
    async with pool.acquire() as connection:
        (recorded,) = await audit.read(connection, audit.ActFilter(acts=("carriers.remap",)))
    assert recorded.act.actor == "ada"


async def test_remap_writes_the_state_of_each_order_that_changed(apply, remap, published):
    for order in ("1", "2"):
        await apply(an_upsert(order, trackings=[f"1Z{order}"]))
    await apply(a_scan_with_code("1Z1"))
    before = len(await published(ORDERS_STATE))

    await remap()

    (state,) = [body for _, _, body in (await published(ORDERS_STATE))[before:]]
    *_, (_, _, event) = await published(SHIPMENTS_EVENTS)
    assert state["order_id"] == event["order_id"]
    assert state["order_version"] == event["order_version"]
    assert state["context"] == event["context"]
    assert state["event_data"]["last_sequences"]["shipments"] == event["sequence"]


async def test_remap_that_runs_again_changes_nothing(apply, remap, published):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1"))
    await remap()
    before = await published()

    progress = await remap()

    assert (progress.looked, progress.changed, progress.events) == (1, 0, 0)
    assert await published() == before


async def test_remap_back_to_fewer_maps_takes_the_names_away(apply, remap, published):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1"))
    await remap()
    await remap(replace(CODE_MAPS, sets=NO_MAPS.sets, checksum="none"))

    assert (await phases(published))[-1] == ("SHIPMENT_UPDATED", "order_processed", False)


async def test_scan_after_a_remap_continues_its_state(apply, remap, published):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1"))
    await remap()
    await apply(a_scan_with_code("1Z1", "005", "2026-03-01T11:00:00Z", event_name="SORTED"))

    assert (await phases(published))[-1][0] == "SORTED"


async def test_codes_that_maps_know_are_forgotten(apply, pool):
    await apply(an_upsert("1", trackings=["1Z1"]))
    await apply(a_scan_with_code("1Z1"))
    await apply(a_scan_with_code("1Z1", code="QQ8", at="2026-03-01T11:00:00Z"))

    async with pool.acquire() as connection:
        assert await unmapped.forget_known(connection, GROWN) == 1

    assert set(await unmapped_codes(pool)) == {("ups", "QQ8")}
