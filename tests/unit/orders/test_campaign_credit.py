"""Credit of an order: contacts, precedence, and events from which sums can be kept."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.orders.domain.campaigns.attribute import codes_of
from services.orders.domain.campaigns.book import VERSIONS_MAX
from services.orders.domain.model.campaigns import EntryName, Kind, Referral, Touch
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.model.decision import Decision, EventType, Outcome
from services.orders.domain.model.order import Analytics, Discount, Order
from services.orders.domain.model.warnings import WarningCode
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    attribute,
    cancel,
    event_types,
    fields,
    place,
    ref,
    upsert,
)
from tests.unit.orders.campaign_builders import campaign, discount, say

T = NOON + DAY
MICROSECOND = timedelta(microseconds=1)
DISCOUNT = EntryName(SHOP, Kind.DISCOUNT, "ten")
BOOK = (
    discount("ten"),
    campaign("a", name="Spring Sale", discount_id="ten"),
    campaign("b", segment="vip"),
)


def desk_with(*commands: ChangeCampaigns) -> Desk:
    desk = Desk(now=T)
    for command in commands:
        assert desk.send(command).outcome is Outcome.APPLIED
    return desk


def order_of(*commands: ChangeCampaigns, **placed: Any) -> Order:
    desk = desk_with(*commands)
    desk.send(place(**({"order_placed_at": T, "total_order_price": Decimal("29.90")} | placed)))
    return desk.order()


def used(code: str) -> dict[str, Any]:
    return {"discounts": (Discount(code=code),)}


def api(**said: Any) -> dict[str, Any]:
    return {"order_analytics": Analytics(**said)}


def link(**said: Any) -> dict[str, Any]:
    return {"referral": Referral(**said)}


def touches_of(order: Order) -> list[Touch]:
    assert order.attribution is not None
    return list(order.attribution.touches)


CREDITED: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "api, by id": (api(campaign_id="b"), "b", "api"),
    "api, by code of the campaign": (api(campaign_code="SPRING SALE"), "a", "api"),
    "api, by code of a discount": (api(campaign_code="ten"), "a", "api"),
    "api, by a further key": (api(extras={"utm_campaign": "spring sale"}), "a", "api"),
    "api, whose first name is unknown": (api(campaign_id="x", campaign_code="b"), "b", "api"),
    "discount": (used("TEN"), "a", "discount"),
    "discount in another case": (used("Ten"), "a", "discount"),
    "discount with spaces around it": (used(" ten "), "a", "discount"),
    "referral": (link(campaign_id="b"), "b", "referral"),
    "api before discount": (api(campaign_id="b") | used("TEN"), "b", "api"),
    "discount before referral": (used("TEN") | link(campaign_id="b"), "a", "discount"),
    "unknown api, then discount": (api(campaign_id="x") | used("TEN"), "a", "discount"),
    "unknown campaign": (api(campaign_id="x"), None, "api"),
    "link after the order": (link(campaign_id="a", clicked_at=T + HOUR), None, "referral"),
    "api after the order": (api(campaign_id="a", clicked_at=T + HOUR), "a", "api"),
}


@pytest.mark.parametrize("name", CREDITED)
def test_credit_of_an_order(name):
    placed, campaign_id, method = CREDITED[name]

    order = order_of(*BOOK, **placed)

    assert order.attribution is not None
    credit = order.attribution.credit
    assert (credit.campaign_id if credit else None) == campaign_id
    assert order.attribution.version == (1 if credit else 0)
    if credit:
        assert (credit.method, credit.revenue) == (method, Decimal("29.90"))
        assert touches_of(order)[0].outcome == "credited"


def test_credit_goes_to_the_newest_link_then_by_id():
    desk = desk_with(*BOOK)
    links = [("a", HOUR), ("b", 2 * HOUR), ("a", 2 * HOUR)]
    for campaign_id, before in links:
        said = Referral(campaign_id=campaign_id, clicked_at=T - before)
        desk.send(upsert(ref(), fields(order_placed_at=T, referral=said)))

    outcomes = [(each.campaign_id, each.outcome) for each in touches_of(desk.order())]

    assert outcomes == [("a", "credited"), ("a", "outranked"), ("b", "outranked")]
    assert desk.order().attribution.version == 1


def test_credit_goes_to_the_newest_link_to_the_microsecond():
    desk = desk_with(*BOOK)
    for campaign_id, later in (("a", 0), ("b", 1)):
        said = Referral(campaign_id=campaign_id, clicked_at=NOON + later * MICROSECOND)
        desk.send(upsert(ref(), fields(order_placed_at=T, referral=said)))

    assert desk.order().attribution.credit.campaign_id == "b"


def test_credit_of_links_of_one_time_goes_by_id():
    desk = desk_with(*BOOK)
    for campaign_id in "ba":
        said = Referral(campaign_id=campaign_id, clicked_at=T)
        desk.send(upsert(ref(), fields(order_placed_at=T, referral=said)))

    assert desk.order().attribution.credit.campaign_id == "a"


@pytest.mark.parametrize(
    ("said", "touched"),
    [
        ({"starts_at": T}, True),
        ({"starts_at": T + HOUR}, False),
        ({"ends_at": T}, False),
        ({"enabled": False}, False),
        ({"at": T + HOUR}, False),
    ],
)
def test_discount_counts_only_where_it_was_valid_when_the_order_was_placed(said, touched):
    order = order_of(campaign("a", discount_id="ten"), discount("ten", **said), **used("TEN"))

    assert (order.attribution is not None) is touched


@pytest.mark.parametrize(
    ("campaigns", "segments", "campaign_id"),
    [
        ((campaign("a"), campaign("b", segment="vip", priority=1)), ("news",), "a"),
        ((campaign("a"), campaign("b", segment="vip", priority=1)), (), "b"),
        ((campaign("a", at=NOON + HOUR), campaign("b", segment="vip")), (), "b"),
        ((campaign("b"), campaign("a", segment="vip")), (), "a"),
        ((campaign("b"), campaign("a", segment="vip", enabled=False)), (), "b"),
        ((campaign("b", enabled=False), campaign("a", at=T + DAY, segment="x")), (), "a"),
    ],
    ids=["chosen", "priority", "start", "id", "holds", "ever"],
)
def test_discount_belongs_to_the_campaign_of_the_order_or_the_strongest(
    campaigns, segments, campaign_id
):
    having = [
        say(
            "campaign",
            each.entry_id,
            effective_at=each.effective_at,
            content=type(each.content)(**_with_discount(each)),
        )
        for each in campaigns
    ]

    order = order_of(discount("ten"), *having, segments=segments, **used("TEN"))

    assert order.attribution.credit.campaign_id == campaign_id


def _with_discount(said: ChangeCampaigns) -> dict[str, Any]:
    names = said.content.__struct_fields__
    return {name: getattr(said.content, name) for name in names} | {"discount_id": "ten"}


def test_code_of_a_discount_that_was_not_valid_names_no_campaign():
    book = (campaign("a", discount_id="ten"), discount("ten", ends_at=T))

    (touch,) = touches_of(order_of(*book, **api(campaign_code="TEN")))

    assert touch.outcome == "unknown_campaign"


def test_discount_without_a_campaign_is_a_contact_without_credit():
    (touch,) = touches_of(order_of(discount("ten"), campaign("a"), **used("TEN")))

    assert (touch.outcome, touch.discount_id, touch.discount_code) == (
        "unknown_campaign",
        "ten",
        "TEN",
    )


def test_contact_keeps_what_was_said_of_it():
    said = {"source": "mail", "medium": "push", "content": "b", "term": "mug", "channel": "email"}
    more = {"product_sku": "MUG", "session_id": "s-1", "clicked_at": T - HOUR}

    (touch,) = touches_of(order_of(*BOOK, **link(campaign_code="spring sale", **said, **more)))

    assert (touch.campaign_id, touch.campaign, touch.at) == ("a", "spring sale", T - HOUR)
    assert {name: getattr(touch, name) for name in said} == said
    assert (touch.product_sku, touch.session_id, touch.confidence) == ("MUG", "s-1", "low")


def test_credit_carries_the_session_the_amounts_and_the_currency():
    order = order_of(
        *BOOK,
        **link(campaign_id="a", session_id="s-1"),
        currency="CHF",
        discount_price=Decimal(5),
    )

    credit = order.attribution.credit
    assert (credit.session_id, credit.currency, credit.discount) == ("s-1", "CHF", Decimal(5))


def credits_in(decision: Decision) -> list[tuple[str, int, str | None, str | None]]:
    """What the events of a decision say: type, version, and campaigns before and after."""
    return [
        (
            event.type.value,
            event.data.attribution_version,
            event.data.former_credit and event.data.former_credit.campaign_id,
            event.data.credit and event.data.credit.campaign_id,
        )
        for event in decision.events
        if event.type in (EventType.ORDER_ATTRIBUTED, EventType.ORDER_UNATTRIBUTED)
    ]


def test_credit_events_step_the_version_and_carry_the_former_credit():
    desk = desk_with(*BOOK)

    steps = [
        desk.send(place(order_placed_at=T, total_order_price=Decimal(30), **used("TEN"))),
        desk.send(attribute(order_analytics=Analytics(campaign_id="b"))),
        desk.send(upsert(ref(), fields(total_order_price=Decimal(20)))),
        desk.send(cancel()),
    ]

    assert [credits_in(each) for each in steps] == [
        [("order.attributed", 1, None, "a")],
        [("order.attributed", 2, "a", "b")],
        [("order.attributed", 3, "b", "b")],
        [("order.unattributed", 4, "b", None)],
    ]
    assert event_types(steps[2]) == ["order.updated", "order.attributed"]
    assert [each.outcome for each in touches_of(desk.order())] == ["order_cancelled"] * 2


def test_contact_without_a_new_credit_is_an_update_of_the_attribution():
    desk = desk_with(*BOOK)
    desk.send(place(order_placed_at=T, **used("TEN")))

    said = fields(order_placed_at=T, referral=Referral(campaign_id="b"))
    decision, again = desk.send(upsert(ref(), said)), desk.send(upsert(ref(), said))

    (event,) = decision.events
    assert (event.type, event.data.changed_fields) == (EventType.ORDER_UPDATED, ("attribution",))
    assert again.outcome is Outcome.NO_CHANGE


def test_credit_of_a_campaign_that_is_learnt_after_the_order():
    desk = desk_with(discount("ten"))
    desk.send(place("1", order_placed_at=T, **used("TEN")))
    desk.send(place("2", order_placed_at=NOON, **api(campaign_id="late")))
    desk.send(campaign("late", at=T + DAY, discount_id="ten"))

    desk.review()

    found = [desk.order(number).attribution.credit.campaign_id for number in "12"]
    assert found == ["late", "late"]


def test_credit_of_a_discount_that_is_learnt_after_the_order():
    desk = desk_with(campaign("a", discount_id="ten"))
    desk.send(place(order_placed_at=T, **used("TEN")))

    desk.send(discount("ten", at=NOON))
    desk.review()

    assert desk.order().attribution.credit.campaign_id == "a"


def test_credit_of_an_order_of_before_comes_with_the_first_campaign():
    desk = Desk(now=T)
    desk.send(place(order_placed_at=NOON, **api(campaign_id="a")))
    assert desk.order().attribution is None

    desk.send(campaign("a", at=T))
    desk.review()

    assert desk.order().attribution.credit.campaign_id == "a"
    assert desk.order().order_analytics == Analytics(campaign_id="a")


def test_credit_goes_when_the_discount_is_corrected_for_the_time_of_the_order():
    desk = desk_with(*BOOK)
    desk.send(place(order_placed_at=T, **used("TEN")))

    desk.send(discount("ten", at=NOON + HOUR, enabled=False))
    desk.review()

    assert desk.order().attribution.credit is None
    assert desk.order().attribution.version == 2
    assert desk.events[-1].type is EventType.ORDER_UNATTRIBUTED


def test_credit_and_choice_stay_when_the_versions_of_their_time_are_not_kept_any_more():
    desk = desk_with(*BOOK)
    desk.send(place(order_placed_at=T, segments=("news",), **used("TEN")))
    before = desk.order()
    for day in range(2, VERSIONS_MAX + 4):
        at = NOON + day * DAY
        desk.send(discount("ten", at=at, value=Decimal(day % 7 + 1)))
        desk.send(campaign("a", at=at, name=f"{day}", discount_id="ten"))

    desk.send(upsert(ref(), fields(order_placed_at=T, total_order_price=Decimal(7), **used("TEN"))))

    after = desk.order()
    assert desk.entries[DISCOUNT].known_since > T
    assert (before.campaign.campaign_id, after.campaign) == ("a", before.campaign)
    assert (after.attribution.credit.campaign_id, after.attribution.version) == ("a", 2)
    assert after.attribution.credit.revenue == Decimal(7)


@pytest.mark.parametrize(
    ("placed", "pointer"),
    [
        (link(campaign_id="a", clicked_at=T + HOUR), "/order/referral/clicked_at"),
        (api(campaign_id="a", clicked_at=T + HOUR), "/order/order_analytics/clicked_at"),
    ],
    ids=["referral", "api"],
)
def test_contact_after_the_order_is_kept_with_a_warning(placed, pointer):
    desk = desk_with(*BOOK)

    decision = desk.send(place(order_placed_at=T, **placed))

    assert decision.outcome is Outcome.APPLIED
    assert [(each.code, each.pointer) for each in decision.warnings] == [
        (WarningCode.TOUCH_AFTER_ORDER, pointer)
    ]
    assert len(touches_of(desk.order())) == 1


def test_contacts_sent_later_are_warned_of_too():
    desk = desk_with(*BOOK)
    desk.send(place(order_placed_at=T))
    said = Analytics(campaign_id="a", clicked_at=T + HOUR)

    decisions = [
        desk.send(attribute(order_analytics=said)),
        desk.send(upsert(ref(), order_analytics=said)),
        desk.send(upsert(ref(), fields(order_placed_at=T, order_analytics=said))),
    ]

    assert [each.warnings[0].pointer for each in decisions] == [
        *["/order_analytics/clicked_at"] * 2,
        "/order/order_analytics/clicked_at",
    ]


def test_links_are_kept_once_each_and_at_most_fifty():
    desk = desk_with(*BOOK)
    for n in (*range(60), *range(60)):
        said = Referral(campaign_id=f"{n}", clicked_at=T - n * HOUR)
        desk.send(upsert(ref(), fields(order_placed_at=T, referral=said)))

    assert [each.campaign_id for each in desk.order().referrals] == [
        f"{n}" for n in range(49, -1, -1)
    ]


def test_link_of_a_command_that_is_older_than_the_order_is_kept():
    desk = desk_with(*BOOK)
    desk.send(upsert(ref(), fields(order_placed_at=T), updated_at=T + HOUR))

    decision = desk.send(upsert(ref(), fields(referral=Referral(campaign_id="a")), updated_at=T))

    assert credits_in(decision) == [("order.attributed", 1, None, "a")]


def test_codes_to_look_for_are_all_texts_that_may_be_one():
    placed = place(**used("TEN"), **api(campaign_id="A", extras={"campaign": "X", "n": 1}))
    desk = Desk()
    desk.send(placed)
    desk.send(upsert(ref(), fields(referral=Referral(campaign_code="Y"))))

    assert codes_of(placed) == {"ten", "a", "x"}
    assert codes_of(desk.order()) == {"ten", "a", "x", "y"}
    assert codes_of(attribute(order_analytics=Analytics(campaign_code="Z"))) == {"z"}
    assert codes_of(upsert(ref(), order_analytics=Analytics(campaign_id="Q"))) == {"q"}
    assert codes_of(cancel()) == set()
