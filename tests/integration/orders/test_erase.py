"""Erasing an order: what goes, what stays, and that nothing brings it back."""

import json

import pytest

from schemas.identity import order_id
from schemas.topics import ORDERS_STATE
from services.orders.campaign_reviews import CampaignReviews
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.operations.erase import NotErased, erase
from services.runtime.messages.headers import read_headers
from services.runtime.observability.metrics import Metrics
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox
from services.runtime.outbox.rows import read_row
from tests.integration.orders.campaigns.messages import a_campaign, an_order
from tests.integration.orders.conftest import (
    NOW,
    a_cancel,
    a_poison,
    a_record,
    a_report,
    an_upsert,
)
from tests.integration.orders.test_republish import a_claim_event
from tests.integration.outgoing import ALL

ACT = Act("orders.erase", "ada", "request of the customer")
PERSON = {
    "email_id": "ada.secret@mail.example",
    "address": {"zip_code": "10115", "name": "Ada Secret", "street": "Secret street 1"},
    "external_id": "gid-secret-1",
    "order_name": "#secret-1",
}
ORDER = str(order_id("demo-shop", "1"))


@pytest.fixture
def erased(pool, settings):
    """Erases an order of demo-shop in a transaction."""

    async def run(number="1"):
        name = Reference("demo-shop", ReferenceKind.ORDER_NUMBER, number)
        async with pool.acquire() as connection, connection.transaction():
            return await erase(connection, Outbox(settings.outbox_shards), name, ACT, NOW)

    return run


@pytest.fixture
def stored(pool):
    """All rows of all tables of the service but the outbox, as text, bytes read as text."""

    async def read():
        tables = await pool.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'orders' "
            "AND tablename NOT LIKE 'outbox%'"
        )
        rows = []
        for (table,) in tables:
            for row in await pool.fetch(f"SELECT * FROM orders.{table}"):
                rows += [f"{table}: {as_text(each)}" for each in row.values()]
        return rows

    return read


def as_text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def with_text(rows, text):
    return sorted({row.partition(":")[0] for row in rows if text in row})


async def test_erased_order_leaves_nothing_of_the_person_in_any_table(apply, erased, stored):
    scan = {
        "event_name": "SUCCESSFULLY_DELIVERED",
        "occurred_at": "2026-03-01T10:00:00Z",
        "proof": {"signed_by": "Secret neighbour"},
    }
    report = {"carrier_reference": "ups", "tracking_number": "T0001", "scans": [scan]}
    await apply(
        an_upsert("1", trackings=["T0001"], **PERSON),
        a_record("tracking.reported", report, topic="carrier.tracking"),
        a_claim_event("1", 1),
    )
    await apply(an_upsert("1", expected_number_of_shipments=101, **PERSON))
    before = await stored()

    done = await erased()

    after = await stored()
    assert with_text(before, "ecret") == ["reference", "rejected", "stored_order", "stored_parcel"]
    assert with_text(after, "ecret") == []
    assert with_text(after, "T0001") == []
    assert (done.deleted_numbers, done.shared_numbers) == (1, 0)


async def test_erased_order_leaves_nothing_of_its_campaign_and_contacts(
    apply, erased, stored, pool, settings
):
    """Neither does a review that was asked for before bring anything back."""
    referral = {"campaign_id": "spring", "session_id": "session-secret"}
    await apply(a_campaign("spring"), an_order("1", referral=referral))
    before = await stored()

    await erased()
    reviews, left = CampaignReviews(settings, Metrics()), 1
    while left:
        async with pool.acquire() as connection, connection.transaction():
            left = await reviews.review(connection, NOW)

    assert "campaign_order" in with_text(before, ORDER)
    assert with_text(before, "session-secret") == ["stored_order"]
    after = await stored()
    assert with_text(after, "session-secret") == []
    assert "campaign_order" not in with_text(after, ORDER)


async def test_erasure_is_published_as_a_null_behind_the_events_of_the_order(apply, erased, pool):
    await apply(an_upsert("1"))

    await erased()

    rows = [read_row(row) for row in await pool.fetch(ALL)]
    records = [
        (topic, key, value, read_headers(headers))
        for row in rows
        for topic, key, headers, value in zip(
            row.topics, row.keys, row.headers, row.values, strict=True
        )
    ]
    assert records[-1] == (ORDERS_STATE, ORDER.encode(), None, [])
    assert [topic for topic, *_ in records[:-1]].count(ORDERS_STATE) == 1
    assert len({row.shard for row in rows if ORDERS_STATE in row.topics}) == 1


REFUSED = ("rejected", "order_erased")


@pytest.mark.parametrize(
    ("late", "end"),
    [
        (an_upsert("1", ce_id="first", **PERSON), REFUSED),
        (an_upsert("1", ce_id="another"), REFUSED),
        (a_cancel("1"), REFUSED),
        (a_cancel(ORDER, "uuid"), REFUSED),
        (a_cancel("gid-secret-1", "external_id"), "waits"),
        (a_claim_event("1", 2), None),
        (a_report("T0001"), "waits"),
    ],
    ids=["repeat", "upsert", "cancel", "by-uuid", "by-other-name", "claim-event", "tracking"],
)
async def test_erased_order_is_not_brought_back(apply, erased, pool, published, late, end):
    await apply(an_upsert("1", ce_id="first", trackings=["T0001"], **PERSON), a_report("T0001"))
    await erased()
    before = len(await published("orders.outcomes"))

    await apply(late)

    ends = [(body["outcome"], body["reason"]) for _, _, body in await published("orders.outcomes")]
    assert ends[before:] == ([REFUSED] if end == REFUSED else [])
    assert await pool.fetchval("SELECT count(*) FROM waiting") == (end == "waits")
    assert await pool.fetchval("SELECT count(*) FROM rejected") == (end == REFUSED)
    assert await pool.fetchval("SELECT count(*) FROM stored_order WHERE document IS NOT NULL") == 0


async def test_order_erased_is_not_said_to_another_shop(apply, erased, pool):
    await apply(an_upsert("1"))
    await erased()

    await apply(a_record("order.cancel", {"shop_slug": "other", "id": ORDER, "id_type": "uuid"}))

    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1


async def test_number_of_an_erased_order_is_free_for_another_order(apply, erased, published):
    await apply(an_upsert("1", trackings=["T0001"], **PERSON), a_report("T0001"))
    await erased()

    await apply(an_upsert("2", trackings=["T0001"]), a_report("T0001", "SUCCESSFULLY_DELIVERED"))

    states = [body for _, _, body in await published(ORDERS_STATE)]
    assert states[-1]["context"]["order"]["delivery_state"] == "delivered"


async def test_other_order_on_the_number_keeps_its_scans(apply, erased, pool, published):
    await apply(an_upsert("1", trackings=["T0001"], **PERSON), an_upsert("2", trackings=["T0001"]))
    await apply(a_report("T0001"))

    done = await erased()
    await apply(a_report("T0001", "SUCCESSFULLY_DELIVERED", "2026-03-01T11:00:00Z"))

    assert (done.deleted_numbers, done.shared_numbers) == (0, 1)
    (parcel,) = await pool.fetch("SELECT document, owners FROM stored_parcel")
    assert [str(each) for each in parcel["owners"]] == [str(order_id("demo-shop", "2"))]
    assert len(json.loads(parcel["document"])["scans"]) == 2


async def test_name_that_another_order_has_too_stays_its_name(apply, erased, pool, published):
    await apply(an_upsert("1", order_name="#7"), an_upsert("2", order_name="#7"))

    await erased()
    await apply(a_cancel("#7", "order_name"))

    *_, (_, _, outcome) = await published("orders.outcomes")
    assert (outcome["outcome"], outcome["order_number"]) == ("applied", "2")
    (row,) = await pool.fetch("SELECT order_id, others FROM reference WHERE value = '#7'")
    assert (str(row["order_id"]), row["others"]) == (str(order_id("demo-shop", "2")), None)


async def test_erasure_is_refused_while_items_of_the_order_are_parked(apply, bug, erased, pool):
    await apply(an_upsert("1"))
    await apply(a_poison("1"))

    with pytest.raises(NotErased, match="parked"):
        await erased()

    assert await pool.fetchval("SELECT count(*) FROM stored_order WHERE document IS NOT NULL") == 1


async def test_erasure_of_an_unknown_or_erased_order_is_refused(apply, erased):
    await apply(an_upsert("1"))
    await erased()

    for number in ("1", "2"):
        with pytest.raises(NotErased, match="no such order"):
            await erased(number)


async def test_erasure_is_in_the_audit_with_the_id_and_without_the_number(apply, erased, pool):
    await apply(an_upsert("secret-number"))

    await erased("secret-number")

    async with pool.acquire() as connection:
        (found,) = await audit.read(connection, audit.ActFilter())
    assert (found.act.act, found.act.actor, found.act.reason) == (
        ACT.act,
        ACT.actor,
        ACT.reason,
    )
    assert "secret-number" not in str(found.act)
    assert found.act.detail["order_id"] == str(order_id("demo-shop", "secret-number"))
