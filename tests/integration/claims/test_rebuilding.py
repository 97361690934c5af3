"""Emptied tables are filled from snapshots; nothing is decided on an order before its snapshot."""

import json
from datetime import timedelta

import pytest

from services.claims.operations.rebuild import empty
from tests.integration.claims.conftest import (
    NOW,
    a_change,
    a_record,
    an_event,
    an_opening,
)
from tests.integration.claims.test_batches import claim_of

MUGS = [{"sku": "MUG-BLUE", "quantity": 1, "net_price": "10.88"}]
BEFORE = {"triggered_at": (NOW - timedelta(hours=1)).isoformat()}
AFTER = {"triggered_at": (NOW + timedelta(hours=1)).isoformat()}


@pytest.fixture
async def rebuild(pool):
    """Empties the tables as `orderflow rebuild` does, at NOW in business time."""

    async def run():
        async with pool.acquire() as connection, connection.transaction():
            await empty(connection, NOW)
            await connection.execute("DELETE FROM outbox")

    return run


@pytest.fixture
def tables(rows):
    """The rows that a rebuild must restore, without the times of their writing."""

    async def read():
        copies = await rows("readable_order_copy", "order_id")
        for copy in copies:
            del copy["updated_at"]
            copy["context"] = json.loads(copy["context"] or "null")
        claims = await rows("claim", "claim_id")
        for claim in claims:
            claim["details"] = json.loads(claim["details"])
        return {"order_copy": copies, "claim": claims, "anchor": await rows("anchor", "name")}

    return read


def a_snapshot(number, version, events, **members):
    """A snapshot of the order, with the data of each claim's last event."""
    body = json.loads(an_event(number, version).value)
    newest = {each["event_data"]["claim_id"]: each for _, each in events}
    claims = [
        {"claim_id": id_, "sequence": each["sequence"], "event_data": each["event_data"]}
        for id_, each in newest.items()
    ]
    named = {"event_name": "ORDER_SNAPSHOT", "source": "orders", **AFTER, **members}
    body |= named | {"context": body["context"] | {"claims": claims}}
    return a_record("orders.events", "order.snapshot", body)


async def lives(apply):
    """Claims in every state: pending, granted and closed, rejected, withdrawn, about no parcel."""
    openings = [an_opening("1", ce_id=f"o-{n}", selected_items=MUGS) for n in range(2)]
    openings[1] = an_opening("1", ce_id="o-1", reason="return", selected_items=MUGS)
    support = {"reason": "support", "selected_items": [], "tracking_number": None}
    openings.append(an_opening("1", ce_id="o-2", description="Where?", **support))
    openings.append(an_opening("1", ce_id="o-3", reason="investigation", selected_items=MUGS))
    await apply(an_event("1", 3), *openings)
    closed, withdrawn, rejected, _ = map(claim_of, openings)
    await apply(
        a_change(closed, ce_id="u-1", status="accepted", image_urls=["https://a.example/1"]),
        a_change(closed, ce_id="u-2", status="closed", reason_for_change="sent again"),
        a_change(rejected, ce_id="u-3", status="rejected"),
        a_change(withdrawn, "claim.withdraw", ce_id="u-4", reason="found it"),
    )
    return openings


async def test_rebuild_fills_tables_as_they_were(apply, published, rebuild, tables):
    await lives(apply)
    before, events = await tables(), await published()

    await rebuild()
    await apply(a_snapshot("1", 3, events))

    assert await tables() == before
    assert len(before["claim"]) == 4
    assert before["order_copy"][0]["claim_sequence"] == 8


async def test_rebuild_keeps_applied_commands_and_held_goods(apply, published, rebuild, tables):
    openings = await lives(apply)
    events = await published()
    await rebuild()
    await apply(a_snapshot("1", 3, events))
    before = await tables()

    again = a_change(claim_of(openings[0]), ce_id="u-2", status="closed")
    too_many = an_opening("1", ce_id="o-9", selected_items=[{"sku": "MUG-BLUE", "quantity": 2}])
    await apply(*openings, again, too_many)

    assert await tables() == before
    assert await published() == []
    ((_, refused),) = await published("claims.rejected")
    assert refused["reason"] == "quantity_above_shipped"


async def test_rebuild_keeps_items_that_snapshots_do_not_name(apply, published, rebuild, tables):
    """Those before the newest 64, and those that changed nothing after the claim's last event."""
    opening = an_opening("1", ce_id="o-1", selected_items=MUGS)
    claim = claim_of(opening)
    first = a_change(claim, ce_id="u-0", description="first")
    await apply(an_event("1", 3), opening, first)
    await apply(*[a_change(claim, ce_id=f"n-{at}", description=f"{at}") for at in range(70)])
    unchanged = a_change(claim, ce_id="u-1", description="69")
    await apply(unchanged)
    events = await published()
    await rebuild()
    await apply(a_snapshot("1", 3, events))
    await apply(a_change(claim, ce_id="u-2", description="last"))
    before = await tables()

    await apply(opening, first, unchanged)

    assert await tables() == before


async def test_rebuild_knows_items_of_commands_that_wait_for_the_snapshot(
    apply, published, rebuild, tables
):
    """All commands are read again, as after the loss of the database, before the snapshot."""
    opening = an_opening("1", ce_id="o-1", selected_items=MUGS)
    claim = claim_of(opening)
    changes = [a_change(claim, ce_id=f"n-{at}", description=f"{at}") for at in range(70)]
    await apply(an_event("1", 3), opening, *changes)
    events = await published()
    before = await tables()
    await rebuild()

    await apply(opening, *changes)
    assert await published() == []
    await apply(a_snapshot("1", 3, events))

    assert await published() == []
    assert without_applied(await tables()) == without_applied(before)


def without_applied(tables):
    for claim in tables["claim"]:
        del claim["details"]["applied"]
    return tables


async def test_rebuild_continues_the_sequence_of_events(apply, published, rebuild):
    openings = await lives(apply)
    events = await published()
    await rebuild()

    # The change is there first: it waits for the claim, that a snapshot brings.
    await apply(a_change(claim_of(openings[3]), status="accepted"))
    assert await published() == []
    await apply(a_snapshot("1", 3, events))

    ((_, event),) = await published()
    assert (event["sequence"], event["event_data"]["status"]) == (9, "accepted")


@pytest.mark.parametrize("first", ["claim", "event"])
async def test_rebuild_decides_nothing_on_an_order_whose_claims_are_missing(
    apply, sweep, published, rebuild, first
):
    await lives(apply)
    events = await published()
    await rebuild()
    opening = an_opening("1", ce_id="o-9", reason="partial_damage", selected_items=MUGS)
    tail = [opening, an_event("1", 4)] if first == "claim" else [an_event("1", 4), opening]

    for record in tail:
        await apply(record)
    # A snapshot from before the rebuild may lack claims; one that was cut may lack them all.
    await apply(a_snapshot("1", 4, events[:1], **BEFORE))
    await sweep(NOW + timedelta(hours=2))
    assert await published() == []

    await apply(a_snapshot("1", 3, events))

    ((_, event),) = await published()
    assert (event["sequence"], event["order_version"]) == (9, 4)


async def test_rebuild_changes_no_claim_as_an_old_snapshot_has_it(
    apply, published, rebuild, tables
):
    """The snapshot may be from before the claim's last change."""
    await lives(apply)
    events = await published()
    (claim, *_) = [body["event_data"]["claim_id"] for _, body in events]
    before = await tables()
    await rebuild()

    await apply(a_snapshot("1", 3, events[:1], **BEFORE))
    await apply(a_change("claim.withdraw", claim, ce_id="w-9"))
    assert await published() == []
    assert (await tables())["claim"] == []

    await apply(a_snapshot("1", 3, events))
    after = await tables()
    assert [c for c in after["claim"] if str(c["claim_id"]) != claim] == [
        c for c in before["claim"] if str(c["claim_id"]) != claim
    ]


async def test_rebuild_leaves_an_order_incomplete_if_claims_were_cut_from_its_snapshot(
    apply, published, rebuild
):
    await rebuild()
    cut = json.loads(a_snapshot("1", 3, [], context_truncated=True).value)
    cut["context"]["shipments"] = []

    await apply(a_record("orders.events", "order.snapshot", cut), an_opening("1", reason="return"))
    assert await published() == []

    await apply(a_snapshot("1", 4, [], context_truncated=True))
    assert len(await published()) == 1


async def test_rebuild_needs_no_snapshot_of_an_order_placed_since(apply, published, rebuild):
    await rebuild()
    old, new = (
        a_record(
            "orders.events",
            "order.placed",
            json.loads(an_event(number, 1).value) | {"source": "orders", "sequence": 1} | when,
        )
        for number, when in (("1", BEFORE), ("2", AFTER))
    )

    await apply(old, new, an_opening("1"), an_opening("2", ce_id="o-2"))

    ((headers, _),) = await published()
    assert headers["ce_causationid"] == b"o-2"


async def test_snapshot_changes_no_known_claim(apply, published, tables):
    """Also an old one, whose claims have gone on since."""
    await lives(apply)
    before, events = await tables(), await published()

    await apply(a_snapshot("1", 3, events), a_snapshot("1", 2, events[:2], **BEFORE))

    assert await tables() == before


async def test_snapshot_restores_claim_events_that_the_service_lost(apply, published, pool, tables):
    """Its database was restored to an earlier time, and nothing was emptied."""
    await lives(apply)
    before, events = await tables(), await published()
    await pool.execute("DELETE FROM claim WHERE status = 'closed'")
    await pool.execute("UPDATE order_copy SET claim_sequence = 4")

    await apply(a_snapshot("1", 3, events))

    assert await tables() == before


async def test_snapshot_of_an_older_version_holds_the_selected_goods(apply, published, rebuild):
    await lives(apply)
    events = await published()
    for _, body in events:
        for name in ("held_items", "is_granted", "applied_commands"):
            del body["event_data"][name]
    await rebuild()

    await apply(a_snapshot("1", 3, events))
    await apply(an_opening("1", reason="partial_damage", selected_items=MUGS))
    await apply(an_opening("1", reason="return", selected_items=MUGS))

    # One of three mugs was granted, one is claimed as not received, and one was left.
    ((_, event),) = await published()
    assert (event["event_data"]["reason"], event["sequence"]) == ("partial_damage", 9)
    assert len(await published("claims.rejected")) == 1
