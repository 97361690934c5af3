"""Facts from one event."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

import schemas
from schemas.topics import EVENT_TOPICS
from services.analytics.domain.facts import ClaimEventFacts, OnTime, judge_on_time, value_of_items
from services.analytics.domain.zones import ZoneSource
from services.analytics.messages.decode import read_facts
from services.runtime.messages.records import Malformed
from tests.unit.analytics.builders import (
    a_claim_event,
    a_parcel,
    a_record,
    a_snapshot,
    an_order_event,
    delivered,
)

BRAZIL = {"zip_code": "01310", "country_code": "BR", "province_code": "SP"}


def facts_of(event):
    return read_facts(a_record(event))


@pytest.mark.parametrize(
    ("delivered_on", "promised_on", "verdict"),
    [
        ("2026-03-04", "2026-03-05", OnTime.EARLY),
        ("2026-03-05", "2026-03-05", OnTime.ON_TIME),
        ("2026-03-06", "2026-03-05", OnTime.LATE),
        ("2026-03-06", None, OnTime.UNKNOWN),
        (None, "2026-03-05", OnTime.UNKNOWN),
        (None, None, OnTime.UNKNOWN),
    ],
)
def test_on_time_compares_days(delivered_on, promised_on, verdict):
    days = [date.fromisoformat(day) if day else None for day in (delivered_on, promised_on)]

    assert judge_on_time(*days) is verdict


@pytest.mark.parametrize(
    ("delivered_at", "verdict"),
    [
        ("2018-03-05T02:59:59Z", OnTime.EARLY),  # 23:59:59 on the 4th in São Paulo
        ("2018-03-05T03:00:00Z", OnTime.ON_TIME),
        ("2018-03-06T02:59:59Z", OnTime.ON_TIME),  # the 6th in UTC, still the 5th there
        ("2018-03-06T03:00:00Z", OnTime.LATE),
    ],
)
def test_on_time_is_judged_by_the_calendar_of_the_destination(delivered_at, verdict):
    parcel = a_parcel(**delivered("2018-03-01T10:00:00Z", delivered_at))

    (fact,) = facts_of(
        an_order_event(parcels=[parcel], address=BRAZIL, promised_delivery_date="2018-03-05")
    ).parcels

    assert fact.on_time is verdict


@pytest.mark.parametrize(
    ("sub_total", "lines", "value"),
    [
        ("25.90", ((1, Decimal("1.00")),), "25.90"),
        (None, ((2, Decimal("12.95")), (1, Decimal("0.10"))), "26.00"),
        (None, ((2, Decimal("12.95")), (1, None)), None),
        (None, (), None),
        ("0", (), "0"),
    ],
)
def test_item_value_is_the_sub_total_or_the_sum_of_the_lines(sub_total, lines, value):
    found = value_of_items(Decimal(sub_total) if sub_total else None, lines)

    assert found == (Decimal(value) if value else None)


@pytest.mark.parametrize(
    ("prices", "value"),
    [
        (["12.95"], "12.9500"),
        (["5.504587"], "5.5046"),
        # Exactly between two: to the even one, and once for the sum, not for each line.
        (["0.00005"], "0.0000"),
        (["0.00015"], "0.0002"),
        (["0.00005", "0.00005"], "0.0001"),
    ],
)
def test_item_value_is_rounded_once_to_four_places_half_to_even(prices, value):
    lines = [{"sku": "MUG", "quantity": 1, "price": price} for price in prices]

    fact = facts_of(an_order_event(sub_total_price=None, products=lines)).order

    assert str(fact.item_value) == value


def test_order_fact_has_the_days_of_the_destination():
    order = facts_of(
        an_order_event(
            version=7,
            placed_at="2018-03-02T01:30:00Z",
            status="cancelled",
            cancelled_at="2018-03-03T02:00:00Z",
            address=BRAZIL,
            currency="BRL",
            sub_total_price=None,
            products=[{"sku": "A", "quantity": 3, "price": "0.10"}, {"sku": "B", "price": 2}],
            expected_number_of_shipments=2,
        )
    ).order

    assert (order.version, order.expected_parcels, order.status) == (7, 2, "cancelled")
    assert (order.placed_on, order.cancelled_on) == (date(2018, 3, 1), date(2018, 3, 2))
    assert (order.country, order.zone.name) == ("BR", "America/Sao_Paulo")
    assert (order.item_value, order.currency) == (Decimal("2.3000"), "BRL")


def test_parcel_facts_leave_out_drafts_and_count_no_label_as_hand_over():
    draft = a_parcel(ordinal=2, draft=True, tracking_number=None)

    (fact,) = facts_of(an_order_event(parcels=[a_parcel(), draft])).parcels

    assert (fact.handed_over_at, fact.on_time) == (None, OnTime.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "is_return"),
    [
        ({"direction": "customer_merchant"}, True),
        ({"direction": "customer_merchant", "leg": 2}, False),
        ({"direction": "customer_merchant", "delivered_at": "2026-03-04T10:00:00Z"}, False),
        ({"direction": None}, False),
    ],
)
def test_return_parcel_is_not_one_that_was_sent_and_came_back(changes, is_return):
    (fact,) = facts_of(an_order_event(parcels=[a_parcel(**changes)])).parcels

    assert fact.is_return is is_return


def test_parcel_cut_from_the_context_is_read_from_the_summary():
    event = an_order_event(parcels=[a_parcel(attempts=2)], truncated=True)
    event["context"]["shipments"] = []

    facts = facts_of(event)

    assert facts.is_complete
    assert [parcel.carrier for parcel in facts.parcels] == ["dhl"]


def test_event_whose_order_was_cut_has_no_facts():
    event = an_order_event(truncated=True)
    event["context"]["order"] = None

    assert facts_of(event) is None


def test_claim_fact_has_the_day_of_the_destination():
    event = a_claim_event(created_at="2018-03-02T01:30:00Z", event_name="CLAIM_WITHDRAWN")
    event["context"]["order"]["address"] = BRAZIL

    claim = facts_of(event).claim

    assert (claim.opened_on, claim.country, claim.is_withdrawn) == (date(2018, 3, 1), "BR", True)


def test_address_without_a_country_has_days_in_utc_and_no_zone_source():
    order = facts_of(an_order_event(address=None)).order

    assert (order.zone.name, order.zone.source, order.country) == ("UTC", ZoneSource.NONE, None)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"order_version": None}, "/order_version"),
        ({"order_version": 0}, "/order_version"),
        ({"order_version": 2**63}, "/order_version"),
        ({"triggered_at": "yesterday"}, "/triggered_at"),
        ({"order_id": 5}, "/order_id"),
        ({"context": {}}, "/context/order"),
    ],
)
def test_event_with_values_that_no_fact_can_hold_is_malformed(changes, pointer):
    with pytest.raises(Malformed) as caught:
        facts_of(an_order_event() | changes)

    assert [error.pointer for error in caught.value.errors] == [pointer]


@pytest.mark.parametrize(
    "changes",
    [
        {"placed_at": "0001-01-01T00:00:00Z"},
        {"cancelled_at": "9999-12-31T23:59:59Z"},
        {"sub_total_price": "1e400"},
        {"expected_number_of_shipments": -1},
        {"expected_number_of_shipments": 2**40},
    ],
)
def test_order_beyond_all_bounds_is_malformed(changes):
    with pytest.raises(Malformed):
        facts_of(an_order_event(**changes))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"sequence": None}, "/context/claims/0/sequence"),
        ({"sequence": 0}, "/context/claims/0/sequence"),
        ({"event_data": {"status": "x"}}, "/context/claims/0/event_data/claim_id"),
    ],
)
def test_snapshot_with_an_incomplete_claim_is_malformed(changes, pointer):
    snapshot = a_snapshot(an_order_event(), [a_claim_event()])
    snapshot["context"]["claims"][0] |= changes

    with pytest.raises(Malformed) as caught:
        facts_of(snapshot)

    assert caught.value.errors[0].pointer == pointer


def test_claim_summary_in_other_events_is_no_fact():
    event = a_snapshot(an_order_event(), [a_claim_event()])
    del event["context"]["claims"][0]["event_data"], event["context"]["claims"][0]["sequence"]

    assert facts_of(event).claims == ()


def test_enum_values_of_later_versions_are_kept_as_they_are():
    parcel = a_parcel(phase="teleported", flag="glowing", direction="sideways")
    event = an_order_event(parcels=[parcel], status="dreamt") | {"event_name": "ORDER_DREAMT"}

    facts = facts_of(event)

    assert (facts.order.status, facts.parcels[0].phase) == ("dreamt", "teleported")


def test_instants_keep_their_point_in_time():
    parcel = a_parcel(**delivered("2026-03-02T09:00:00+01:00", "2026-03-04T10:00:00Z"))

    (fact,) = facts_of(an_order_event(parcels=[parcel])).parcels

    assert fact.handed_over_at == datetime(2026, 3, 2, 8, tzinfo=UTC)


def examples():
    """Every example of an event in the contract."""
    folder = Path(schemas.__file__).parent / "examples"
    records = [orjson.loads(file.read_bytes()) for file in sorted(folder.rglob("*.json"))]
    return [record for record in records if record["topic"] in EVENT_TOPICS]


@pytest.mark.parametrize("example", examples(), ids=lambda e: e["headers"]["ce_type"])
def test_example_of_the_contract_has_facts(example):
    facts = read_facts(a_record(example["value"], example["topic"]))

    version = example["value"][
        "sequence" if example["topic"] == "claims.events" else "order_version"
    ]
    fact = facts.claim if isinstance(facts, ClaimEventFacts) else facts.order
    assert (fact.version, fact.order_id) == (version, example["value"]["order_id"])
