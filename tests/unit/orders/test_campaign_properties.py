"""Properties of choice and credit: independent of arrival, and sums that can be kept from events.

Commands of one shop are played in two orders. Campaigns that are refused for those before them are
left out of both: a refusal depends on the order in which a shop speaks, which Kafka keeps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.model.campaigns import Credit, Referral
from services.orders.domain.model.commands import ChangeCampaigns, Command
from services.orders.domain.model.decision import AttributionData, Event, Outcome
from services.orders.domain.model.order import Analytics, Discount, OrderStatus
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    attribute,
    cancel,
    fields,
    item,
    place,
    ref,
    upsert,
)
from tests.unit.orders.campaign_builders import ab_test, campaign, discount, say

HOURS = st.integers(0, 12)
CAMPAIGNS = st.sampled_from("abc")
SEGMENTS = st.sampled_from([None, "news", "vip"])
SAID_SEGMENTS = st.sampled_from([(), ("news",), ("vip", "news"), ("news", "vip")])
NUMBERS = ("1", "2", "3")
TEXTS = st.sampled_from(["a", "b", "SALE", "TEN", "unknown"])
PRICES = st.decimals(0, 100, places=2)


def _starts(at: datetime) -> st.SearchStrategy[datetime | None]:
    """Starts of what is said for a time; None: not said."""
    return st.none() | st.integers(-3, 3).map(lambda hours: at + hours * HOUR)


@st.composite
def _campaigns(draw: st.DrawFn) -> ChangeCampaigns:
    at = NOON + draw(HOURS) * HOUR
    kind = draw(st.sampled_from(["upsert", "upsert", "pause", "remove", "discount", "test"]))
    if kind == "discount":
        return discount(at=at, starts_at=draw(_starts(at)), enabled=draw(st.booleans()))
    if kind == "test":
        shares = draw(st.sampled_from([{"a": 50, "b": 50}, {"a": 40, "b": 30}, {"c": 60}]))
        return ab_test(
            at=at,
            shares=shares,
            segment=draw(SEGMENTS),
            enabled=draw(st.booleans()),
            start_date=draw(_starts(at)),
        )
    entry_id = draw(CAMPAIGNS)
    if kind != "upsert":
        return say("campaign", entry_id, kind, effective_at=at)
    end = draw(st.none() | st.integers(1, 8))
    return campaign(
        entry_id,
        at=at,
        name=draw(st.sampled_from(["sale", "other"])),
        segment=draw(SEGMENTS),
        enabled=draw(st.sampled_from([True, True, False])),
        priority=draw(st.integers(0, 1)),
        start_date=draw(_starts(at)),
        end_date=None if end is None else at + end * HOUR,
        discount_id=draw(st.sampled_from([None, "ten"])),
    )


_SAID = st.builds(
    lambda command, hours: replace(command, said_at=command.effective_at + hours * HOUR),
    _campaigns(),
    st.integers(0, 2),
)


@st.composite
def _orders(draw: st.DrawFn, number: str) -> list[Command]:
    """The commands of one order, each with a time of its own, so that they may come anyhow."""
    placed_at = NOON + draw(HOURS) * HOUR
    found: list[Command] = []
    for minute in range(draw(st.integers(1, 3))):
        said: dict[str, Any] = {
            "order_placed_at": placed_at,
            "segments": draw(SAID_SEGMENTS),
            "total_order_price": draw(PRICES),
            "discounts": draw(st.sampled_from([(), (Discount(code="Ten"),)])),
        }
        if draw(st.booleans()):
            clicked_at = placed_at + draw(st.integers(-2, 1)) * HOUR
            said["referral"] = Referral(campaign_id=draw(TEXTS), clicked_at=clicked_at)
        at = placed_at + draw(st.integers(0, 5)) * HOUR + minute * HOUR / 60
        found.append(upsert(ref(number), fields(number, **said), updated_at=at))
    for minute in range(draw(st.integers(0, 2))):
        contact = Analytics(campaign_id=draw(TEXTS), session_id=f"s{minute}")
        at = placed_at + minute * HOUR
        found.append(attribute(ref(number), order_analytics=contact, is_whole=True, updated_at=at))
    if draw(st.booleans()):
        handed_over = placed_at + draw(st.integers(1, 6)) * HOUR
        found.append(attach(f"N{number}", to=number, tracking_placed_at=handed_over))
    if draw(st.sampled_from([False, False, True])):
        found.append(cancel(ref(number)))
    return found


@st.composite
def plays(draw: st.DrawFn) -> tuple[list[Command], list[Command]]:
    """Commands as they are sent, and the same as they come: an order begins with an upsert."""
    said: list[Command] = draw(st.lists(_SAID, min_size=1, max_size=8))
    for number in NUMBERS:
        said += draw(_orders(number))
    return said, draw(st.permutations(said))


def played(commands: Sequence[Command], *, reviewed: bool = True) -> Desk:
    """The desk after all commands; those that name an order which is not there yet come again."""
    desk, waiting = Desk(now=NOON + DAY), list(commands)
    while waiting:
        left = [each for each in waiting if desk.send(each).outcome is Outcome.WAITING]
        assert len(left) < len(waiting)
        waiting = left
    if reviewed:
        desk.review()
    return desk


def accepted(commands: Sequence[Command]) -> set[str]:
    """The items that are not refused when the commands come in this order."""
    desk = Desk(now=NOON + DAY)
    return {
        each.item_id
        for each in commands
        if not isinstance(each, ChangeCampaigns) or desk.send(each).outcome is not Outcome.REJECTED
    }


def results(desk: Desk) -> dict[str, object]:
    """Choice and credit by order, without the counts of changes, which depend on the way."""
    return {
        order.order_number: (
            order.campaign,
            order.attribution.credit if order.attribution else None,
            order.attribution.touches if order.attribution else (),
        )
        for order in desk.orders.values()
    }


def only(commands: Sequence[Command], items: set[str]) -> list[Command]:
    return [each for each in commands if each.item_id in items]


def taken_in_both(sent: list[Command], come: list[Command]) -> set[str]:
    """Items that are refused in neither order, also once those that are refused are left out."""
    items = {each.item_id for each in sent}
    while True:
        fewer = accepted(only(sent, items)) & accepted(only(come, items)) & items
        if fewer == items:
            return items
        items = fewer


@settings(max_examples=150)
@given(plays=plays())
def test_choice_and_credit_do_not_depend_on_how_commands_come(plays):
    sent, come = plays
    items = taken_in_both(sent, come)

    one, two = played(only(sent, items)), played(only(come, items))

    assert one.entries == two.entries
    assert results(one) == results(two)


@settings(max_examples=60)
@given(plays=plays())
def test_choice_and_credit_are_the_same_when_all_comes_again(plays):
    sent, come = plays
    sent = only(sent, taken_in_both(sent, come))
    once, twice = played(sent), played(sent)
    events = len(twice.events)
    for command in sent:
        twice.send(command)
    twice.review()

    assert results(once) == results(twice)
    assert len(twice.events) == events


@settings(max_examples=100)
@given(plays=plays())
def test_sums_of_campaigns_and_the_rest_are_all_revenue(plays):
    _, come = plays
    desk = played(come)

    by_campaign = sums_of(desk.events)

    counted = {order.order_id: order for order in desk.orders.values() if _counts(order)}
    whole = sum((_revenue(order) for order in counted.values()), Decimal(0))
    rest = sum(
        (
            _revenue(order)
            for order in counted.values()
            if order.attribution is None or order.attribution.credit is None
        ),
        Decimal(0),
    )
    assert sum(by_campaign.values(), Decimal(0)) + rest == whole
    stored = Counter[str]()
    for order in counted.values():
        if order.attribution is not None and order.attribution.credit is not None:
            stored[order.attribution.credit.campaign_id] += 1
    assert set(stored) >= {name for name, amount in by_campaign.items() if amount}


def sums_of(events: Sequence[Event]) -> dict[str, Decimal]:
    """What a subscriber has by campaign who adds credits and subtracts the former ones."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    seen: Counter[str] = Counter()
    for event in events:
        if not isinstance(event.data, AttributionData):
            continue
        assert event.data.attribution_version == seen[event.order_id] + 1
        seen[event.order_id] += 1
        for credit, sign in ((event.data.former_credit, -1), (event.data.credit, 1)):
            if credit is not None:
                sums[credit.campaign_id] += sign * _amount(credit)
    return sums


def _amount(credit: Credit) -> Decimal:
    return credit.revenue


def _counts(order: Any) -> bool:
    return bool(order.status is not OrderStatus.CANCELLED)


def _revenue(order: Any) -> Decimal:
    return order.placement.total_order_price or Decimal(0)


def test_shares_of_a_test_are_kept_over_ten_thousand_orders_and_by_further_orders():
    desk = Desk(now=NOON)
    for command in (campaign("a", enabled=False), campaign("b", enabled=False)):
        desk.send(command)
    desk.send(ab_test(shares={"a": 45, "b": 45}))
    chosen: Counter[str | None] = Counter()
    before: dict[str, str | None] = {}
    for n in range(10_000):
        sent = item(item_id=f"{n:08x}-0000-5000-8000-000000000000")
        desk.orders.clear()
        desk.send(place(f"{n}", sent=sent, segments=("news",), external_customer_id=f"c{n}"))
        (order,) = desk.orders.values()
        chosen[order.campaign.campaign_id] += 1
        before[order.order_number] = order.campaign.campaign_id
        desk.events.clear()
        desk.references.clear()

    assert all(abs(chosen[name] - 4_500) < 200 for name in "ab")
    assert abs(chosen[None] - 1_000) < 120

    desk.send(place("x", segments=("news",)))
    for n in range(100):
        desk.send(place(f"{n}", segments=("news",), external_customer_id=f"c{n}"))
        assert desk.order(f"{n}").campaign.campaign_id == before[f"{n}"]


@settings(max_examples=40)
@given(plays=plays())
def test_shop_without_campaigns_is_as_it_was(plays):
    sent, _ = plays
    orders = [each for each in sent if not isinstance(each, ChangeCampaigns)]

    desk = played(orders)

    assert {(each.campaign, each.attribution) for each in desk.orders.values()} <= {(None, None)}
    assert not any(event.type.value.startswith("order.attr") for event in desk.events)
