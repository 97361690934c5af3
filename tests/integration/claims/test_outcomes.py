"""Every claim command has one outcome that its sender can read, once it is final."""

import pytest

from schemas.identity import order_id
from schemas.outcomes import OutcomeRecord
from tests.integration.claims.conftest import (
    SHOP,
    a_change,
    a_record,
    an_event,
    an_opening,
)
from tests.integration.claims.test_batches import LATE, claim_of

ORDER = str(order_id(SHOP, "1"))


@pytest.fixture
def outcomes(published):
    """Command id, outcome and reason of each outcome record, oldest first."""

    async def read():
        return [
            (body["command_id"], body["outcome"], body["reason"])
            for _, body in await published("claims.outcomes")
        ]

    return read


async def test_outcome_of_an_applied_claim_names_claim_and_order(apply, published):
    opening = an_opening(ce_id="o-1")
    await apply(an_event(), opening)

    ((headers, body),) = await published("claims.outcomes")
    found = OutcomeRecord.model_validate(body)
    assert (found.command_id, found.command_type, found.outcome) == ("o-1", "claim.open", "applied")
    assert (str(found.claim_id), str(found.order_id)) == (str(claim_of(opening)), ORDER)
    assert (found.order_number, found.order_version, found.shop_slug) == ("1", 1, SHOP)
    assert (found.topic, found.offset) == ("claims.commands", opening.coordinates.offset)
    assert (found.warnings, "warnings" in body) == ([], False)
    assert headers["ce_type"] == b"command.decided"
    assert headers["ce_source"] == b"orderflow/claims"
    assert headers["ce_causationid"] == b"o-1"


@pytest.mark.parametrize(
    ("command", "outcome", "reason"),
    [
        (lambda claim: an_opening(ce_id="o-1"), "no_change", "duplicate"),
        (lambda claim: an_opening(ce_id="o-2"), "no_change", "duplicate"),
        (lambda claim: a_change(claim, ce_id="u-1", status="accepted"), "applied", None),
        (
            lambda claim: a_change(claim, ce_id="u-1", status="pending"),
            "no_change",
            "no_difference",
        ),
        (lambda claim: a_change(claim, "claim.withdraw", ce_id="w-1"), "applied", None),
    ],
    ids=["sent again", "same problem", "changed", "no difference", "withdrawn"],
)
async def test_outcome_of_a_later_command_names_the_claim(
    apply, published, command, outcome, reason
):
    opening = an_opening(ce_id="o-1")
    await apply(an_event(), opening)

    await apply(command(claim_of(opening)))

    body = (await published("claims.outcomes"))[-1][1]
    assert (body["outcome"], body["reason"]) == (outcome, reason)
    assert (body["claim_id"], body["order_id"]) == (str(claim_of(opening)), ORDER)


async def test_outcome_of_each_rejected_command_is_beside_its_rejection(apply, published):
    await apply(
        an_event(),
        a_record("claims.commands", "claim.open", b"not json"),
        an_opening(selected_items=[{"sku": "MUG-BLUE", "quantity": 9}]),
    )

    refused = {body["offset"]: body["reason"] for _, body in await published("claims.rejected")}
    decided = {body["offset"]: body["reason"] for _, body in await published("claims.outcomes")}
    assert sorted(refused.values()) == ["not_json", "quantity_above_shipped"]
    assert decided == refused


async def test_outcome_of_a_waiting_command_comes_when_it_is_decided(apply, outcomes):
    await apply(an_opening(ce_id="o-1"))
    assert await outcomes() == []

    await apply(an_event())

    assert await outcomes() == [("o-1", "applied", None)]


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_outcome_of_a_command_sent_again_while_it_waits_is_duplicate(
    apply, sweep, outcomes, is_one_batch
):
    commands = [an_opening(ce_id="o-1") for _ in range(3)]
    for batch in [commands] if is_one_batch else [[each] for each in commands]:
        await apply(*batch)
    assert await outcomes() == [("o-1", "no_change", "duplicate")] * 2

    assert await sweep(LATE) == 1

    assert (await outcomes())[2:] == [("o-1", "rejected", "order_not_found")]


async def test_outcome_does_not_name_the_order_of_another_shop(apply, published):
    opening = an_opening(ce_id="o-1")
    await apply(an_event(), opening)

    await apply(a_change(claim_of(opening), ce_id="u-1", shop_slug="other", status="accepted"))

    body = (await published("claims.outcomes"))[-1][1]
    assert (body["outcome"], body["reason"]) == ("rejected", "claim_not_found")
    assert (body["order_id"], body["order_number"], body["order_version"]) == (None, None, None)


async def test_events_of_orders_have_no_outcome(apply, outcomes):
    await apply(an_event(), a_record("shipments.events", "shipment.scanned", {"order_id": "x"}))

    assert await outcomes() == []
