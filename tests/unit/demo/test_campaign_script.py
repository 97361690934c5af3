"""The script of shops with campaigns: the same for a seed, and rich enough to prove something."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from demo.campaigns.shop import LUMEN, PLAIN, UMBRA, campaign_play
from schemas.activity import PORTAL_ACTIVITY_TYPE, Activity
from schemas.campaigns import MODELS as CAMPAIGN_MODELS
from schemas.commands import MODELS as ORDER_MODELS

MODELS = {**ORDER_MODELS, **CAMPAIGN_MODELS, PORTAL_ACTIVITY_TYPE: Activity}
RULES = {
    *("ab_test", "hold_out", "only_match", "priority", "earliest_start", "id"),
    *("default", "no_match"),
}
SEEDS = (1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def made(request):
    return campaign_play(request.param)


def test_campaign_script_is_the_same_for_a_seed():
    assert campaign_play(3, orders=40) == campaign_play(3, orders=40)
    assert campaign_play(3, orders=40).script != campaign_play(4, orders=40).script


def test_campaign_script_keeps_the_contract(made):
    script = made.script
    for message in script.messages:
        body = json.loads(message.value)
        MODELS[dict(message.headers)["ce_type"].decode()].model_validate(body)


def test_campaign_script_is_in_the_order_of_time_with_ids_of_their_own(made):
    script = made.script
    ids = Counter(dict(message.headers)["ce_id"] for message in script.messages)

    assert max(ids.values()) == 1
    assert all(first.at <= second.at for first, second in pairwise(script.messages))


def test_campaign_truth_has_every_rule_method_and_arm(made):
    truth = made.truth
    own = [order for key, order in truth.orders.items() if key.startswith(f"{LUMEN}/")]

    assert {order.choice.rule for order in own} == RULES
    assert {order.credit.method for order in own if order.credit} == {"api", "discount", "referral"}
    assert {arm for _, arm in truth.shops[LUMEN].arms} == {"student-a", "student-b", None}
    assert sum(truth.shops[LUMEN].repurchases.values()) > 10
    assert len(set(truth.refusals.values())) == 6


def test_campaign_truth_differs_between_placement_and_fulfilment(made):
    truth = made.truth

    moved = [
        order
        for order in truth.orders.values()
        if order.choice.stage == "fulfilment"
        and order.choice.campaign_id != order.placement.campaign_id
    ]

    assert len(moved) > 20


def test_campaign_truth_keeps_shops_apart(made):
    truth = made.truth

    assert {campaign for campaign, _ in truth.shops[UMBRA].money} <= {None, "spring-news"}
    assert {campaign for campaign, _ in truth.shops[PLAIN].money} == {None}
    assert set(truth.shops[PLAIN].impressions) == {None}


def test_campaign_truth_sums_to_all_revenue(made):
    truth = made.truth
    for shop, found in truth.shops.items():
        revenue = Counter()
        for order in truth.orders.values():
            if order.facts.shop == shop and not order.facts.is_cancelled:
                revenue[order.facts.currency] += order.facts.total or 0
        summed = Counter()
        for (_, currency), money in found.money.items():
            summed[currency] += money.revenue
        assert summed == revenue


def test_campaign_play_repeats_all_that_was_accepted(made):
    script = made.script

    again = made.again(script).messages[len(script.messages) :]

    assert set(again) < set(script.messages)
    assert len(again) == len(script.messages) - len(made.truth.refusals)


def test_campaign_play_without_parcels_has_the_choices_of_placement(made):
    placed, parcels = made.parts()
    before = made.truth_before_parcels

    assert len(placed.messages) + len(parcels.messages) == len(made.script.messages)
    assert {order.choice.stage for order in before.orders.values()} == {"placement"}
    assert all(
        order.choice == made.truth.orders[key].placement for key, order in before.orders.items()
    )
    assert before.shops != made.truth.shops
