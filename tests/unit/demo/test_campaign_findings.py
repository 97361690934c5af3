"""The comparison with the truth finds each kind of difference, and none where all is right."""

from collections import Counter
from dataclasses import asdict, replace
from uuid import NAMESPACE_URL, uuid5

import orjson
import pytest

from demo.audit import Audit
from demo.campaigns.findings import differing_campaigns
from demo.campaigns.shop import campaign_play
from demo.journal import Entry
from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_COMMANDS, ORDERS_EVENTS

TRUTH = campaign_play(7, orders=40).truth


def event(topic, key, number, type_, body):
    id_ = f"{key}/{number}/{type_}"
    return Entry(topic, 0, number, key, orjson.dumps(body), {"ce_id": id_, "ce_type": type_})


def version_of(shop, choice):
    return str(uuid5(NAMESPACE_URL, f"{shop}/{choice.campaign_id}/{choice.since}"))


def choice_of(order):
    choice = order.choice
    known = {name: value for name, value in asdict(choice).items() if value and name != "since"}
    version = {"campaign_version": version_of(order.facts.shop, choice)}
    return {**known, "at": choice.at.isoformat(), **(version if choice.campaign_id else {})}


def credit_of(order):
    if order.credit is None:
        return None
    texts = {name: str(value) for name, value in asdict(order.credit).items() if value is not None}
    return {**texts, "confidence": order.credit.confidence}


def events_of(number, order):
    shop, key = order.facts.shop, str(order.facts.uuid)
    body = {"shop_slug": shop, "event_data": {"campaign": choice_of(order)}}
    if order.choice.rule != "no_match":
        yield event(ORDERS_EVENTS, key, 2 * number, "order.campaign_selected", body)
    if order.credit:
        data = {"attribution_version": 1, "credit": credit_of(order)}
        body = {"shop_slug": shop, "event_data": data}
        yield event(ORDERS_EVENTS, key, 2 * number + 1, "order.attributed", body)


def versions_of(orders):
    numbers = Counter()
    chosen = [(order.facts.shop, order.choice) for order in orders if order.choice.campaign_id]
    since = {(shop, version_of(shop, choice)): choice.since for shop, choice in chosen}
    for (shop, version), at in since.items():
        numbers[shop] += 1
        body = {
            "shop_slug": shop,
            "sequence": numbers[shop],
            "version_id": version,
            "effective_at": at.isoformat(),
        }
        yield event(CAMPAIGNS_EVENTS, shop, numbers[shop], "campaign.updated", body)


def snapshot(number, order):
    """The state of an order as it must be."""
    named = {"shop_slug": order.facts.shop, "order_number": order.facts.number}
    state = {**named, "campaign": choice_of(order)}
    if order.credit:
        state["attribution"] = {"version": 1, "credit": credit_of(order)}
    body = {"context": {"order": state}}
    return event(ORDERS_EVENTS, str(order.facts.uuid), 10_000 + number, "order.snapshot", body)


@pytest.fixture
def journal():
    orders = list(TRUTH.orders.values())
    facts = [each for at, order in enumerate(orders) for each in events_of(at, order)]
    states = [snapshot(at, order) for at, order in enumerate(orders)]
    return {ORDERS_EVENTS: [*facts, *states], CAMPAIGNS_EVENTS: list(versions_of(orders))}


@pytest.fixture
def found():
    audit = Audit()
    audit.refusals.update(
        (ORDERS_COMMANDS, f"{id_}#0", reason) for id_, reason in TRUTH.refusals.items()
    )
    return audit


def change(journal, holds, how):
    """Change the state of the first order of which `holds` is true."""
    entries = journal[ORDERS_EVENTS]
    for at, entry in enumerate(entries):
        body = entry.body
        state = body.get("context", {}).get("order")
        if state and holds(state):
            how(state)
            entries[at] = replace(entry, value=orjson.dumps(body))
            return
    raise LookupError("no order is so")


def test_findings_are_none_where_all_is_right(journal, found):
    assert differing_campaigns(TRUTH, journal, found) == []


def test_findings_accept_no_choice_where_none_matches(journal, found):
    change(
        journal,
        lambda state: state["campaign"]["rule"] == "no_match",
        lambda state: state.pop("campaign"),
    )

    assert differing_campaigns(TRUTH, journal, found) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("campaign_id", "other"),
        ("rule", "default"),
        ("stage", "placement"),
        ("segment", "other"),
        ("discount_id", "other"),
        ("test_id", "other"),
        ("is_held_out", True),
        ("at", "2026-03-01T00:00:01Z"),
    ],
)
def test_findings_have_a_choice_that_differs(journal, found, member, value):
    change(
        journal,
        lambda state: (
            {"rule": "priority", "stage": "fulfilment"}.items() <= state["campaign"].items()
        ),
        lambda state: state["campaign"].update({member: value}),
    )

    (line,) = differing_campaigns(TRUTH, journal, found)
    assert "choice" in line


def test_findings_have_a_choice_of_another_version(journal, found):
    body = journal[CAMPAIGNS_EVENTS][0].body
    changed = orjson.dumps({**body, "effective_at": "2026-01-01T00:00:00Z"})
    at = journal[CAMPAIGNS_EVENTS][0]
    journal[CAMPAIGNS_EVENTS][0] = Entry(at.topic, 0, at.offset, at.key, changed, at.headers)

    assert any("version" in line for line in differing_campaigns(TRUTH, journal, found))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("revenue", "0.01"),
        ("discount", "0.01"),
        ("currency", "GBP"),
        ("method", "other"),
        ("confidence", "other"),
        ("session_id", "other"),
    ],
)
def test_findings_have_a_credit_that_differs(journal, found, member, value):
    change(
        journal,
        lambda state: "attribution" in state,
        lambda state: state["attribution"]["credit"].update({member: value}),
    )

    (line,) = differing_campaigns(TRUTH, journal, found)
    assert "credit" in line


def test_findings_have_a_credit_that_must_not_be(journal, found):
    credit = next(credit_of(order) for order in TRUTH.orders.values() if order.credit)
    change(
        journal,
        lambda state: "attribution" not in state,
        lambda state: state.update({"attribution": {"credit": credit}}),
    )

    assert len(differing_campaigns(TRUTH, journal, found)) == 1


def test_findings_have_a_credit_that_was_counted_by_no_event(journal, found):
    is_last = next(at for at, each in enumerate(journal[ORDERS_EVENTS]) if "attributed" in each.id)
    del journal[ORDERS_EVENTS][is_last]

    assert any("sum up" in line for line in differing_campaigns(TRUTH, journal, found))


def test_findings_have_a_credit_that_does_not_follow_the_former_one(journal, found):
    last = next(each for each in reversed(journal[ORDERS_EVENTS]) if "attributed" in each.id)
    body = last.body
    body["event_data"] |= {"attribution_version": 3, "former_credit": None}
    headers = {"ce_id": "again", "ce_type": "order.attributed"}
    journal[ORDERS_EVENTS].append(
        Entry(ORDERS_EVENTS, 0, 10_000, last.key, orjson.dumps(body), headers)
    )

    assert any("again is not after" in line for line in differing_campaigns(TRUTH, journal, found))


def test_findings_have_a_refusal_that_is_missing_or_too_many(journal, found):
    found.refusals.popitem()
    found.refusals[ORDERS_COMMANDS, "lumen/1001#1#0", "invalid_fields"] += 1

    lines = differing_campaigns(TRUTH, journal, found)

    assert [line.partition(" times")[0] for line in lines] in (
        ["refused 0", "refused 1"],
        ["refused 1", "refused 0"],
    )


def test_findings_have_a_gap_in_the_numbers_of_campaign_events(journal, found):
    journal[CAMPAIGNS_EVENTS] = [
        each
        for each in journal[CAMPAIGNS_EVENTS]
        if (each.key, each.body["sequence"]) != ("lumen", 1)
    ]

    assert any("numbered" in line for line in differing_campaigns(TRUTH, journal, found))


def test_findings_have_an_order_without_a_snapshot(journal, found):
    last = journal[ORDERS_EVENTS].pop().body["context"]["order"]

    name = f"{last['shop_slug']}/{last['order_number']}"
    assert f"{name} has no snapshot" in differing_campaigns(TRUTH, journal, found)
