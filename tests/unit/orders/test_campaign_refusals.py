"""Commands of campaigns, discounts and tests that are refused, taken all the same, or warned of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.orders.domain.model.campaigns import Variant
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules import campaign_checks
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON
from tests.unit.orders.campaign_builders import ab_test, campaign, desk_of, discount, say

LATER = NOON + DAY
TEN = Decimal(10)
REFUSED: dict[str, tuple[tuple[ChangeCampaigns, ...], ChangeCampaigns, Reason, str]] = {
    "campaign that ends when it starts": (
        (),
        campaign(end_date=NOON),
        Reason.ENDS_BEFORE_START,
        "/end_date",
    ),
    "discount that ends before it starts": (
        (),
        discount(ends_at=NOON - DAY),
        Reason.ENDS_BEFORE_START,
        "/ends_at",
    ),
    "test that ends before it starts": (
        (),
        ab_test(end_date=NOON - DAY),
        Reason.ENDS_BEFORE_START,
        "/end_date",
    ),
    "second campaign of a segment": (
        (campaign("a", end_date=LATER),),
        campaign("b", start_date=LATER - HOUR),
        Reason.CAMPAIGN_OVERLAPS,
        "/segment",
    ),
    "second default campaign": (
        (campaign("a", segment=None),),
        campaign("b", segment=None),
        Reason.CAMPAIGN_OVERLAPS,
        "/segment",
    ),
    "overlap until the other is disabled": (
        (campaign("a"), campaign("a", at=LATER, enabled=False)),
        campaign("b", at=NOON + HOUR),
        Reason.CAMPAIGN_OVERLAPS,
        "/segment",
    ),
    "pause of nothing": (
        (),
        say("campaign", "spring", "pause"),
        Reason.CAMPAIGN_NOT_FOUND,
        "/campaign_id",
    ),
    "removal of nothing": (
        (),
        say("campaign", "spring", "remove"),
        Reason.CAMPAIGN_NOT_FOUND,
        "/campaign_id",
    ),
    "shares below 100": (
        (),
        ab_test(shares={"a": 50}, has_holdout=True, holdout_percentage=40),
        Reason.ALLOCATIONS_DO_NOT_SUM,
        "/campaigns",
    ),
    "shares above 100": (
        (),
        ab_test(shares={"a": 60, "b": 50}),
        Reason.ALLOCATIONS_DO_NOT_SUM,
        "/campaigns",
    ),
    "hold-out that is switched off": (
        (),
        ab_test(shares={"a": 90}, has_holdout=False),
        Reason.ALLOCATIONS_DO_NOT_SUM,
        "/holdout_percentage",
    ),
    "campaign twice": (
        (),
        ab_test(
            variants=(
                Variant(campaign_id="a", allocation=50),
                Variant(campaign_id="a", allocation=50),
            )
        ),
        Reason.ALLOCATIONS_DO_NOT_SUM,
        "/campaigns",
    ),
    "other shares of a running test": (
        (ab_test(),),
        ab_test(at=LATER, start_date=NOON, shares={"a": 40, "b": 60}),
        Reason.AB_TEST_RUNNING,
        "/campaigns",
    ),
    "hold-out of a running test": (
        (ab_test(shares={"a": 90}),),
        ab_test(at=LATER, start_date=NOON, shares={"a": 90}, holdout_percentage=10, segment="x"),
        Reason.AB_TEST_RUNNING,
        "/segment",
    ),
    "start of a running test": (
        (ab_test(),),
        ab_test(at=LATER, start_date=LATER + HOUR),
        Reason.AB_TEST_RUNNING,
        "/start_date",
    ),
    "start of a running test that is said as the time of the command": (
        (ab_test(),),
        ab_test(at=LATER, start_date=LATER),
        Reason.AB_TEST_RUNNING,
        "/start_date",
    ),
    "end before the start that is not said again": (
        (campaign(),),
        campaign(at=LATER, end_date=NOON),
        Reason.ENDS_BEFORE_START,
        "/end_date",
    ),
    "earlier start of a running test": (
        (ab_test(),),
        ab_test(at=LATER, start_date=NOON - HOUR),
        Reason.AB_TEST_RUNNING,
        "/start_date",
    ),
    "discount of nothing": (
        (),
        discount(value=Decimal(0)),
        Reason.DISCOUNT_ON_NOTHING,
        "/value",
    ),
    "discount without a code": (
        (),
        discount(code=" \t"),
        Reason.DISCOUNT_ON_NOTHING,
        "/code",
    ),
    "discount above 100 per cent": (
        (),
        discount(value=Decimal(101)),
        Reason.DISCOUNT_ON_NOTHING,
        "/value",
    ),
    "fixed amount without a currency": (
        (),
        discount(value_type="fixed_amount"),
        Reason.DISCOUNT_ON_NOTHING,
        "/currency",
    ),
    "discount on no group": (
        (),
        discount(target_selection="group"),
        Reason.DISCOUNT_ON_NOTHING,
        "/targets",
    ),
    "discount on no product": (
        (),
        discount(target_selection="specific", targets=("", " ")),
        Reason.DISCOUNT_ON_NOTHING,
        "/targets",
    ),
    "discount with another code": (
        (discount(code="TEN"),),
        discount(at=LATER, code="ELEVEN"),
        Reason.DISCOUNT_CODE_FIXED,
        "/code",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_campaign_command_that_is_refused_says_why_and_changes_nothing(name):
    before, command, reason, pointer = REFUSED[name]
    desk = desk_of(*before)
    was = desk.copy()

    decision = desk.send(command)

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.pointer == pointer
    assert decision.detail.endswith(SENTENCES[reason].partition("; ")[2])
    assert (desk.books, desk.entries, desk.reviews) == (was.books, was.entries, was.reviews)


def test_campaign_refusals_are_all_in_the_tables():
    reasons = {reason for _, _, reason, _ in REFUSED.values()}

    assert reasons | {Reason.TOO_MANY_CAMPAIGNS} == {
        *(Reason.CAMPAIGN_OVERLAPS, Reason.CAMPAIGN_NOT_FOUND, Reason.TOO_MANY_CAMPAIGNS),
        *(Reason.ENDS_BEFORE_START, Reason.ALLOCATIONS_DO_NOT_SUM, Reason.AB_TEST_RUNNING),
        *(Reason.DISCOUNT_ON_NOTHING, Reason.DISCOUNT_CODE_FIXED),
    }


TAKEN: dict[str, tuple[ChangeCampaigns, ...]] = {
    "campaign after the end of another": (campaign("a", end_date=LATER), campaign("b", at=LATER)),
    "campaign until another is enabled": (
        campaign("a", enabled=False),
        campaign("a", at=LATER, start_date=NOON),
        campaign("b", end_date=LATER),
    ),
    "campaign of another segment": (campaign("a"), campaign("b", segment="vip")),
    "campaign beside one that is paused": (
        campaign("a"),
        say("campaign", "a", "pause", effective_at=NOON + HOUR),
        campaign("b", at=NOON + HOUR),
    ),
    "campaign beside one that is removed": (
        campaign("a"),
        say("campaign", "a", "remove", effective_at=NOON + HOUR),
        campaign("b", at=NOON + HOUR),
    ),
    "campaign beside one that is disabled": (campaign("a", enabled=False), campaign("b")),
    "campaigns of a test": (ab_test(), campaign("a"), campaign("b")),
    "end that has passed, after the start that is not said again": (
        campaign(),
        campaign(at=LATER, end_date=NOON + HOUR),
    ),
    "end of a running test": (ab_test(), ab_test(at=LATER, start_date=NOON, end_date=LATER + DAY)),
    "running test whose start is not said again": (
        ab_test(),
        ab_test(at=LATER, end_date=LATER + DAY),
    ),
    "running test that says that it may have a hold-out": (
        ab_test(),
        ab_test(at=LATER, start_date=NOON, has_holdout=True, end_date=LATER + DAY),
    ),
    "running test that is disabled": (ab_test(), ab_test(at=LATER, start_date=NOON, enabled=False)),
    "test that is over, with other shares": (
        ab_test(end_date=LATER),
        ab_test(at=LATER, shares={"a": 10, "b": 90}),
    ),
    "test before it starts, with other shares": (
        ab_test(start_date=LATER),
        ab_test(at=NOON + HOUR, start_date=LATER, shares={"a": 10, "b": 90}),
    ),
    "code in another case": (discount(code="TEN"), discount(at=LATER, code=" Ten ")),
}


@pytest.mark.parametrize("name", TAKEN)
def test_campaign_commands_that_are_taken(name):
    desk_of(*TAKEN[name])


@pytest.mark.parametrize(
    ("said", "more"),
    [
        (lambda n: campaign(f"{n}", segment=f"{n}"), say("campaign", "1", "remove")),
        (lambda n: ab_test(f"{n}"), ab_test("1", at=NOON + HOUR, start_date=NOON, enabled=False)),
    ],
    ids=["campaigns", "tests"],
)
def test_campaigns_are_at_most_as_many_as_a_book_holds(monkeypatch, said, more):
    monkeypatch.setattr(campaign_checks, "CAMPAIGNS_MAX", 3)
    monkeypatch.setattr(campaign_checks, "TESTS_MAX", 3)
    desk = desk_of(*(said(n) for n in range(3)))

    refused = desk.send(said(3))
    changed = desk.send(replace(more, effective_at=NOON + HOUR))
    taken = desk.send(said(3))

    assert (refused.reason, changed.outcome) == (Reason.TOO_MANY_CAMPAIGNS, Outcome.APPLIED)
    assert refused.detail.endswith("remove or end some first.")
    assert taken.outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("before", "command", "code", "pointer"),
    [
        ((), campaign(discount_id="ten"), WarningCode.REFERENCE_UNKNOWN, "/discount_id"),
        (
            (campaign("a"),),
            ab_test(),
            WarningCode.REFERENCE_UNKNOWN,
            "/campaigns/1/campaign_id",
        ),
        (
            (campaign(),),
            say("campaign", "spring", "remove", effective_at=LATER),
            WarningCode.CAMPAIGN_WAS_ACTIVE,
            "/campaign_id",
        ),
    ],
    ids=["discount", "campaign", "active"],
)
def test_campaign_command_that_is_doubtful_is_taken_with_a_warning(before, command, code, pointer):
    decision = desk_of(*before).send(command)

    assert decision.outcome is Outcome.APPLIED
    assert [(each.code, each.pointer) for each in decision.warnings] == [(code, pointer)]


def test_campaign_command_without_doubt_has_no_warning():
    desk = desk_of(discount(), campaign("a"), campaign("b", segment="vip"))

    decisions = [
        desk.send(campaign("a", at=LATER, discount_id="ten")),
        desk.send(ab_test()),
        desk.send(say("campaign", "b", "pause", effective_at=LATER)),
        desk.send(say("campaign", "b", "remove", effective_at=LATER + HOUR)),
    ]

    assert [each.warnings for each in decisions] == [()] * 4
