"""Choice of an order's campaign: who matches, who wins, and why; as of the order's own times."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.orders.domain.campaigns.choose import bucket_of
from services.orders.domain.model.campaigns import CampaignChoice
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.model.decision import Decision, EventType, Outcome
from services.orders.domain.model.reasons import Reason
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    event_types,
    fields,
    place,
    ref,
    report,
    scan,
    upsert,
)
from tests.unit.orders.campaign_builders import ab_test, campaign, say

T = NOON + DAY
"""When the orders of these tests are placed."""
IN_A, IN_B, HELD_OUT = "customer-3", "customer-1", "customer-5"
"""Customers by what a test `split` with 45 % of `a` and 45 % of `b` assigns to them."""


def choice_of(*commands: ChangeCampaigns, **placed: Any) -> CampaignChoice | None:
    """The choice of an order placed at T by a customer with the segment `news`."""
    desk = Desk(now=T)
    for command in commands:
        assert desk.send(command).outcome is Outcome.APPLIED
    desk.send(place(**({"order_placed_at": T, "segments": ("news",)} | placed)))
    return desk.order().campaign


def considered_by(choice: CampaignChoice | None) -> dict[str, str]:
    assert choice is not None
    return {each.campaign_id: each.outcome for each in choice.considered}


VIP = {"segments": ("vip", "news")}
SPLIT = ab_test(shares={"a": 45, "b": 45})
OFF = {"enabled": False}
A_OFF, B_OFF = (campaign(each, enabled=False) for each in "ab")
CASES: dict[str, tuple[tuple[ChangeCampaigns, ...], dict[str, Any], str, str | None]] = {
    "no segment matches": ((campaign("a"),), {"segments": ()}, "no_match", None),
    "one matches": ((campaign("a"), campaign("b", segment="vip")), {}, "only_match", "a"),
    "priority": ((campaign("a"), campaign("b", segment="vip", priority=1)), VIP, "priority", "b"),
    "earliest start": (
        (campaign("a", at=NOON + HOUR), campaign("b", segment="vip")),
        VIP,
        "earliest_start",
        "b",
    ),
    "id": ((campaign("b"), campaign("a", segment="vip")), VIP, "id", "a"),
    "default": ((campaign("a", segment=None), campaign("b", segment="vip")), {}, "default", "a"),
    "a match goes before the default": (
        (campaign("a", segment=None, priority=9), campaign("b")),
        {},
        "only_match",
        "b",
    ),
    "scheduled": ((campaign("a", start_date=T + HOUR),), {}, "no_match", None),
    "starts now": ((campaign("a", start_date=T),), {}, "only_match", "a"),
    "ends now": ((campaign("a", end_date=T),), {}, "no_match", None),
    "disabled": ((A_OFF,), {}, "no_match", None),
    "paused": (
        (campaign("a"), say("campaign", "a", "pause", effective_at=T)),
        {},
        "no_match",
        None,
    ),
    "paused later": (
        (campaign("a"), say("campaign", "a", "pause", effective_at=T + HOUR)),
        {},
        "only_match",
        "a",
    ),
    "removed": (
        (campaign("a"), say("campaign", "a", "remove", effective_at=T)),
        {},
        "no_match",
        None,
    ),
    "test": (
        (A_OFF, B_OFF, SPLIT),
        {"external_customer_id": IN_B},
        "ab_test",
        "b",
    ),
    "test holds out": (
        (A_OFF, B_OFF, SPLIT),
        {"external_customer_id": HELD_OUT},
        "hold_out",
        None,
    ),
    "test replaces the campaign of its segment": (
        (A_OFF, B_OFF, campaign("c", priority=9), SPLIT),
        {"external_customer_id": IN_A},
        "ab_test",
        "a",
    ),
    "test beside a stronger segment": (
        (
            A_OFF,
            B_OFF,
            campaign("c", segment="vip", priority=9),
            SPLIT,
        ),
        {"external_customer_id": IN_A, **VIP},
        "priority",
        "c",
    ),
    "hold-out beside a stronger segment": (
        (
            A_OFF,
            B_OFF,
            campaign("c", segment="vip", priority=9),
            SPLIT,
        ),
        {"external_customer_id": HELD_OUT, **VIP},
        "priority",
        "c",
    ),
    "hold-out beside a weaker segment": (
        (
            campaign("a", priority=5, **OFF),
            B_OFF,
            campaign("c", segment="vip", priority=4),
            SPLIT,
        ),
        {"external_customer_id": HELD_OUT, **VIP},
        "hold_out",
        None,
    ),
    "test whose campaign is paused": (
        (
            A_OFF,
            B_OFF,
            SPLIT,
            say("campaign", "a", "pause", effective_at=NOON + HOUR),
        ),
        {"external_customer_id": IN_A},
        "no_match",
        None,
    ),
    "hold-out of a test that can show nothing": (
        (A_OFF, SPLIT, say("campaign", "a", "pause", effective_at=NOON + HOUR)),
        {"external_customer_id": HELD_OUT},
        "no_match",
        None,
    ),
    "default test": (
        (
            A_OFF,
            B_OFF,
            ab_test(segment=None, shares={"a": 45, "b": 45}),
        ),
        {"external_customer_id": IN_A},
        "ab_test",
        "a",
    ),
    "test that is over": (
        (A_OFF, campaign("b"), ab_test(end_date=T)),
        {},
        "only_match",
        "b",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_choice_of_a_campaign(name):
    commands, placed, rule, campaign_id = CASES[name]

    choice = choice_of(*commands, **placed)

    assert choice is not None
    assert (choice.rule, choice.campaign_id) == (rule, campaign_id)
    assert (choice.stage, choice.at) == ("placement", T)
    assert choice.is_held_out == (rule == "hold_out")
    assert (choice.test_id is not None) == (rule in {"ab_test", "hold_out"})
    assert (choice.campaign_version is not None) == (campaign_id is not None)


@pytest.mark.parametrize("name", CASES)
def test_choice_does_not_depend_on_the_order_of_what_was_said(name):
    commands, placed, *_ = CASES[name]
    chosen = set()
    for shuffled in permutations(commands):
        desk = Desk(now=T)
        outcomes = [desk.send(command).outcome for command in shuffled]
        if Outcome.REJECTED in outcomes:
            continue
        desk.send(place(**({"order_placed_at": T, "segments": ("news",)} | placed)))
        chosen.add(desk.order().campaign)

    assert len(chosen) == 1


def test_choice_table_has_every_rule():
    assert {rule for *_, rule, _ in CASES.values()} == {
        *("ab_test", "hold_out", "only_match", "priority", "earliest_start", "id"),
        *("default", "no_match"),
    }


def test_choice_has_the_version_the_discount_and_the_segment_of_its_campaign():
    desk = Desk(now=T)
    desk.send(campaign("a", discount_id="ten"))
    desk.send(place(order_placed_at=T, segments=("news",)))

    choice = desk.order().campaign

    (event,) = desk.campaign_events
    assert choice.campaign_version == event.version.version_id
    assert (choice.discount_id, choice.segment) == ("ten", "news")


def test_choice_says_which_matched_too_and_why_they_lost():
    choice = choice_of(
        campaign("win", segment="s1", priority=5),
        campaign("less", segment="s2", priority=1),
        campaign("late", segment="s3", priority=5, at=NOON + HOUR),
        campaign("xtra", segment="s4", priority=5),
        campaign("off", segment="s5", enabled=False),
        campaign("soon", segment="s6", start_date=T + HOUR),
        campaign("over", segment="s7", end_date=T),
        campaign("held", segment="s8"),
        say("campaign", "held", "pause", effective_at=NOON + HOUR),
        campaign("gone", segment="s9"),
        say("campaign", "gone", "remove", effective_at=NOON + HOUR),
        campaign("else", segment="s0"),
        campaign("all", segment=None),
        segments=tuple(f"s{n}" for n in range(1, 10)),
    )

    assert choice is not None
    assert (choice.campaign_id, choice.rule) == ("win", "id")
    assert considered_by(choice) == {
        "less": "lower_priority",
        "late": "later_start",
        "xtra": "greater_id",
        "held": "paused",
        "off": "disabled",
        "soon": "not_started",
        "over": "ended",
        "gone": "removed",
    }
    assert choice.considered[0].outcome == "lower_priority"


def test_choice_of_a_test_says_which_campaigns_are_in_it():
    said = (campaign("a", enabled=False), campaign("b", enabled=False), campaign("c"), SPLIT)

    treated = choice_of(*said, external_customer_id=IN_A)
    held_out = choice_of(*said, external_customer_id=HELD_OUT)

    assert considered_by(treated) == {"b": "in_test", "c": "in_test"}
    assert considered_by(held_out) == {"a": "in_test", "b": "in_test", "c": "in_test"}


def test_choice_of_two_tests_on_a_segment_is_the_one_that_started_first():
    said = (campaign("a", enabled=False), ab_test("x", at=NOON + HOUR), ab_test("y", at=NOON))

    choice = choice_of(*said, ab_test("z", at=NOON))

    assert choice is not None
    assert choice.test_id in {"y", None}
    assert considered_by(choice)["x"] == "later_start"
    assert considered_by(choice)["z"] == "greater_id"


def test_choice_considers_at_most_twenty():
    said = [campaign(f"c{n}", segment=f"{n}", enabled=False) for n in range(25)]

    choice = choice_of(*said, segments=tuple(f"{n}" for n in range(25)))

    assert len(choice.considered) == 20


def test_choice_is_none_before_the_first_campaign_of_the_shop():
    assert choice_of(campaign("a", at=T + HOUR)) is None
    assert choice_of() is None


def test_choice_of_a_test_divides_customers_by_their_shares():
    found = [bucket_of("shop", "split", f"customer-{n}") for n in range(10_000)]
    shares = [sum(low <= n < low + 2_500 for n in found) for low in range(0, 10_000, 2_500)]

    assert all(abs(share - 2_500) < 150 for share in shares)
    assert found == [bucket_of("shop", "split", f"customer-{n}") for n in range(10_000)]


def test_choice_of_a_guest_is_divided_by_the_order():
    desk = Desk(now=T)
    for command in (campaign("a", enabled=False), campaign("b", enabled=False), SPLIT):
        desk.send(command)
    for n in range(60):
        desk.send(place(f"{n}", order_placed_at=T, segments=("news",)))

    rules = [order.campaign.campaign_id for order in desk.orders.values()]

    assert {"a", "b", None} == set(rules)


# The life of an order.


def selected(decision: Decision) -> list[tuple[str | None, str | None]]:
    """What the events of a decision say of the choice: before and after it."""
    return [
        (
            event.data.previous_campaign and event.data.previous_campaign.campaign_id,
            event.data.campaign.campaign_id,
        )
        for event in decision.events
        if event.type is EventType.ORDER_CAMPAIGN_SELECTED
    ]


def test_choice_is_made_again_and_finally_when_the_first_parcel_is_handed_over():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(campaign("b", segment="vip"))
    first = desk.send(place(order_placed_at=T, segments=("news",)))

    said = fields(order_placed_at=T, segments=("vip",))
    desk.send(upsert(ref(), said, updated_at=T + HOUR))
    second = desk.send(attach("N1", tracking_placed_at=T + 2 * HOUR))
    third = desk.send(upsert(ref(), fields(segments=("news",)), updated_at=T + 3 * HOUR))

    assert selected(first) == [(None, "a")]
    assert selected(second) == [("a", "b")]
    assert selected(third) == []
    choice = desk.order().campaign
    assert (choice.stage, choice.at, choice.campaign_id) == ("fulfilment", T + 2 * HOUR, "b")


def test_choice_at_placement_is_of_the_segments_of_that_time():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(place(order_placed_at=T, segments=("news",)))

    decision = desk.send(upsert(ref(), fields(segments=("vip",)), updated_at=T + HOUR))

    assert selected(decision) == []
    assert desk.order().campaign.campaign_id == "a"


def test_choice_of_segments_without_a_time_is_of_the_last_until_the_parcel_is_handed_over():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(campaign("b", segment="vip"))
    desk.send(place(order_placed_at=T, segments=("news",)))

    before = desk.send(upsert(ref(), fields(segments=("vip",))))
    desk.send(attach("N1", tracking_placed_at=T + HOUR))
    after = desk.send(upsert(ref(), fields(segments=("news",))))

    assert selected(before) == [("a", "b")]
    assert selected(after) == []
    assert desk.order().campaign.campaign_id == "b"
    assert desk.order().placement.segments == ("news",)


def test_choice_of_an_order_without_segments_is_not_of_those_said_for_a_later_time():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(place("1", order_placed_at=T, segments=()))
    desk.send(place("2", order_placed_at=T))

    for number in "12":
        said = fields(number, order_placed_at=T, segments=("news",))
        desk.send(upsert(ref(number), said, updated_at=T + HOUR))

    assert desk.order("1").campaign.rule == "no_match"
    assert desk.order("2").campaign.campaign_id == "a"


def test_choice_counts_segments_of_a_command_that_is_older_than_the_order():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(campaign("b", segment="vip"))
    late = fields(order_placed_at=T, segments=("vip",))
    desk.send(upsert(ref(), late, updated_at=T + 2 * HOUR))
    assert desk.order().campaign.campaign_id == "b"

    old = upsert(ref(), fields(order_placed_at=T, segments=("news",)), updated_at=T)
    decision = desk.send(old)
    again = desk.send(old)

    assert selected(decision) == [("b", "a")]
    assert desk.order().placement.segments == ("vip",)
    assert again.reason is Reason.DUPLICATE


def test_choice_keeps_segments_of_a_stale_command_that_changes_nothing():
    desk = Desk(now=T)
    desk.send(upsert(ref(), fields(segments=("vip",)), updated_at=T + HOUR))

    decision = desk.send(upsert(ref(), fields(segments=("news",)), updated_at=T))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.STALE)
    assert [each.segments for each in desk.order().said_segments] == [("news",), ("vip",)]


def test_choice_of_a_cancelled_order_stays():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(place(order_placed_at=T, segments=("news",)))

    decision = desk.send(cancel())

    assert event_types(decision) == ["order.cancelled"]
    assert desk.order().campaign.campaign_id == "a"


def test_choice_without_a_match_has_no_event_until_it_changes():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    first = desk.send(place(order_placed_at=T))
    second = desk.send(attach("N1", tracking_placed_at=T + HOUR))

    assert selected(first) == []
    assert selected(second) == [(None, None)]
    assert desk.order().campaign.stage == "fulfilment"


def test_choice_is_reviewed_when_a_campaign_comes_after_its_orders():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    for number, at in (("1", NOON), ("2", T)):
        desk.send(place(number, order_placed_at=at, segments=("news",)))
    desk.send(say("campaign", "a", "pause", effective_at=T))

    desk.review()

    assert desk.order("1").campaign.campaign_id == "a"
    assert desk.order("2").campaign.campaign_id is None
    event = desk.events[-1]
    assert event.type is EventType.ORDER_CAMPAIGN_SELECTED
    assert event.data.changed_fields == ("campaign",)


def test_choice_stays_when_a_campaign_changes_for_later_orders():
    desk = Desk(now=T)
    desk.send(campaign("a"))
    desk.send(place(order_placed_at=T, segments=("news",)))
    count = len(desk.events)

    desk.send(say("campaign", "a", "remove", effective_at=T + HOUR))
    desk.review()

    assert desk.order().campaign.campaign_id == "a"
    assert len(desk.events) == count


def test_choice_events_have_other_ids_when_it_goes_back_and_forth():
    desk = Desk(now=T + DAY)
    desk.send(campaign("a"))
    desk.send(place(order_placed_at=T, segments=("news",)))
    desk.send(say("campaign", "a", "pause", effective_at=NOON + HOUR))
    desk.review()
    desk.send(campaign("a", at=NOON + 2 * HOUR, start_date=NOON))
    desk.review()
    desk.send(say("campaign", "a", "pause", effective_at=NOON + 3 * HOUR))
    desk.review()

    chosen = [e for e in desk.events if e.type is EventType.ORDER_CAMPAIGN_SELECTED]

    assert [each.data.campaign.campaign_id for each in chosen] == ["a", None, "a", None]
    assert desk.order().campaign_changes == 4


def test_order_of_a_shop_without_campaigns_keeps_nothing_of_them():
    desk = Desk(now=T)
    desk.send(place(order_placed_at=T, segments=("news",)))
    desk.send(attach("N1"))
    desk.send(report(scan("SORTED")))

    order = desk.order()

    assert (order.campaign, order.attribution, order.said_segments) == (None, None, ())
    assert not desk.books
