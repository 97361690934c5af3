"""The campaign that must be credited with an order, in small shops written by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from demo.campaigns.book import book_of
from demo.campaigns.performance import ArmTruth, Money, OrderTruth, shop_truth
from demo.campaigns.said import (
    AbTest,
    Campaign,
    Discount,
    OrderFacts,
    PageActivity,
    Referral,
    Saying,
)
from demo.campaigns.shop import truth_of

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


def upsert(id_, content, since=0):
    return Saying(id_, "upsert", day(since), content)


BOOK = (
    upsert("spring", Campaign("Spring Sale", "news", priority=5, discount_id="ten")),
    upsert("gold", Campaign("Gold", "vip", priority=3, discount_id="ten")),
    upsert("late", Campaign("Late", "x"), since=20),
    upsert("over", Campaign("Over", "x", end=day(2), discount_id="five")),
    upsert("ten", Discount("Zehn-Straße", start=day(1), end=day(15))),
    upsert("five", Discount("FIVE")),
    upsert("orphan", Discount("ORPHAN")),
)


def order(**facts):
    facts.setdefault("segments", [(day(10), ())])
    facts.setdefault("placed_at", day(10))
    facts.setdefault("total", Decimal("29.90"))
    return OrderFacts("shop", facts.pop("number", "1001"), **facts)


def credited(facts, sayings=BOOK):
    credit = truth_of(facts, book_of(sayings)).credit
    return credit and (credit.campaign_id, credit.method)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"analytics": {"source": "mail"}}, None),
        ({"analytics": {"campaign_id": "spring"}}, ("spring", "api")),
        ({"analytics": {"campaign_code": "sPRING sALE"}}, ("spring", "api")),
        ({"analytics": {"utm_campaign": "gold"}}, ("gold", "api")),
        ({"analytics": {"campaign_id": "unknown"}}, None),
        ({"analytics": {"campaign_id": "late"}}, ("late", "api")),
        ({"codes": ("ZEHN-STRASSE",)}, ("spring", "discount")),
        ({"codes": ("zehn-straße",), "segments": [(None, ("vip",))]}, ("gold", "discount")),
        ({"codes": ("five",)}, ("over", "discount")),
        ({"codes": ("orphan",)}, None),
        ({"codes": ("zehn-straße",), "placed_at": day(15)}, None),
        ({"referrals": [Referral("spring")]}, ("spring", "referral")),
        ({"referrals": [Referral("spring", clicked_at=day(11))]}, None),
        (
            {
                "referrals": [
                    Referral("spring", clicked_at=day(9)),
                    Referral("gold", clicked_at=day(8)),
                ]
            },
            ("spring", "referral"),
        ),
        (
            {"referrals": [Referral("spring"), Referral("gold", clicked_at=day(1))]},
            ("gold", "referral"),
        ),
        ({"referrals": [Referral("spring"), Referral("gold")]}, ("gold", "referral")),
        ({"referrals": [Referral("gold")], "codes": ("five",)}, ("over", "discount")),
        ({"codes": ("five",), "analytics": {"campaign_id": "gold"}}, ("gold", "api")),
        ({"analytics": {"campaign_id": "gold"}, "is_cancelled": True}, None),
    ],
    ids=[
        *("nothing", "names-none", "api-id", "api-name", "api-extra", "api-unknown", "api-later"),
        *("code-strongest", "code-shown", "code-ended", "code-alone", "code-over", "referral"),
        *("referral-after", "referral-newest", "referral-timed", "referral-id"),
        *("code-first", "api-first", "cancelled"),
    ],
)
def test_credit_goes_to_the_strongest_contact(facts, expected):
    assert credited(order(**facts)) == expected


def test_credit_has_the_amounts_of_the_order():
    facts = order(analytics={"campaign_id": "spring", "session_id": "visit-1"})
    facts.discount_price, facts.currency = Decimal("5.00"), "USD"

    credit = truth_of(facts, book_of(BOOK)).credit

    assert (credit.revenue, credit.discount, credit.currency) == (
        Decimal("29.90"),
        Decimal("5.00"),
        "USD",
    )
    assert (credit.session_id, credit.confidence) == ("visit-1", "high")
    facts.total = None
    assert truth_of(facts, book_of(BOOK)).credit.revenue == 0


def test_credit_does_not_depend_on_what_is_learnt_when():
    facts = order(codes=("zehn-straße",))

    assert credited(facts, BOOK[1:]) == ("gold", "discount")
    assert credited(facts, BOOK[::-1]) == credited(facts) == ("spring", "discount")


# Sums.


def page(identity, order_number, session="visit-1", **how):
    how = {"kind": "impression", "campaign_id": None, "consent": True, "is_bot": False, **how}
    return PageActivity(identity, "shop", order_number, session_id=session, **how)


def truths(*facts, sayings=BOOK):
    return [truth_of(each, book_of(sayings)) for each in facts]


def test_sums_have_each_order_once_by_campaign_and_currency():
    gold = order(analytics={"campaign_id": "gold"}, discount_price=Decimal(2))
    others = [replace(gold, number="2", currency="USD"), order(number="3")]
    cancelled = replace(gold, number="4", is_cancelled=True)

    found = shop_truth(truths(gold, *others, cancelled), [])

    assert found.money == {
        ("gold", "EUR"): Money(1, Decimal("29.90"), Decimal(2)),
        ("gold", "USD"): Money(1, Decimal("29.90"), Decimal(2)),
        (None, "EUR"): Money(1, Decimal("29.90"), Decimal(0)),
    }


def test_sums_have_each_activity_once_and_none_of_bots():
    seen = page("1", "1001", campaign_id="gold")
    pages = [
        seen,
        seen,
        page("2", "1001", campaign_id="gold", consent=False),
        page("3", "1001", campaign_id="gold", kind="click"),
        page("4", "1001", campaign_id="gold", is_bot=True),
        page("5", "1001"),
    ]

    found = shop_truth(truths(order()), pages)

    assert (found.impressions, found.clicks) == ({"gold": 2, None: 1}, {"gold": 1})


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([page("1", "1001")], {"gold": 1}),
        ([page("1", "1002")], {}),
        ([page("1", "1001", consent=False)], {}),
        ([page("1", "1001", is_bot=True)], {}),
        ([page("1", "1001", session="visit-2")], {}),
        ([page("1", "1001"), page("2", "1002")], {"gold": 1}),
    ],
    ids=["other-page", "own-page", "no-consent", "bot", "other-visit", "both-pages"],
)
def test_repurchase_is_an_order_from_a_visit_to_another_orders_page(pages, expected):
    second = order(number="1002", analytics={"campaign_id": "gold", "session_id": "visit-1"})

    assert shop_truth(truths(order(), second), pages).repurchases == expected


def test_arms_count_visits_to_their_orders_pages_and_those_that_bought():
    sayings = (*BOOK, upsert("t", AbTest("Test", "news", ())))
    held_out = order(segments=[(None, ("news",))])
    second = order(number="1002", analytics={"session_id": "visit-1"})
    shown = upsert("t", AbTest("Test", "news", (("spring", 100),)))

    pages = [page("1", "1001"), page("2", "1001"), page("3", "1001", session="visit-2")]

    treated = shop_truth(truths(held_out, second, sayings=(*BOOK, shown)), pages)
    assert treated.arms == {("t", "spring"): ArmTruth(sessions=2, bought=1)}
    without = shop_truth(truths(held_out, second, sayings=sayings), pages)
    assert without.arms == {}, "a test that has no campaign shows nothing and holds out none"


def test_repurchase_that_is_cancelled_is_none():
    second = order(number="1002", analytics={"session_id": "visit-1"})
    pages = [page("1", "1001")]

    assert shop_truth(truths(order(), second), pages).repurchases == {None: 1}
    cancelled = replace(second, is_cancelled=True)
    assert shop_truth(truths(order(), cancelled), pages).repurchases == {}


def test_difference_of_arms_is_that_of_newcombes_examples():
    """Newcombe 1998, table II, method 10: examples (a), (c) and (g)."""
    for (bought, sessions, other_bought, other_sessions), expected in {
        (56, 70, 48, 80): (0.0524, 0.3339),
        (6, 7, 2, 7): (0.0582, 0.8062),
        (10, 10, 0, 20): (0.6791, 1.0),
    }.items():
        found = ArmTruth(sessions, bought).difference(ArmTruth(other_sessions, other_bought))
        assert found == pytest.approx(expected, abs=0.00006)


def test_order_truth_has_both_choices():
    facts = order(segments=[(None, ("news",))], parcels=[day(12)])

    truth = truth_of(facts, book_of(BOOK))

    assert isinstance(truth, OrderTruth)
    assert (truth.placement.stage, truth.choice.stage) == ("placement", "fulfilment")
