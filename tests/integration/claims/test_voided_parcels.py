"""Claims on a parcel whose number is taken off the order: they stay, and goods are counted on."""

import pytest

from tests.integration.claims.conftest import a_change, a_parcel, an_event, an_opening
from tests.integration.claims.test_batches import claim_of


def a_draft(number="1", ordinal=1):
    """The parcel after `shipment.released`."""
    return a_parcel(number, ordinal, phase="order_created", draft=True, tracking_number=None)


def opened(count, ce_id):
    return an_opening(ce_id=ce_id, selected_items=[{"sku": "MUG-BLUE", "quantity": count}])


@pytest.fixture
def waiting(pool):
    async def read():
        return await pool.fetchval("SELECT count(*) FROM waiting")

    return read


async def test_claim_stays_and_can_be_decided_after_its_parcel_was_released(apply, published):
    opening = an_opening(ce_id="c-1")
    await apply(an_event(version=1), opening)
    await apply(an_event("1", 2, a_draft(), status="placed"))

    await apply(a_change(claim_of(opening), status="accepted", ce_id="c-2"))

    _, (_, changed) = await published()
    data = changed["event_data"]
    assert (data["status"], data["tracking_number"]) == ("accepted", "1Z1-1")
    assert data["shipment_phase_at_creation"] == "delivered"


async def test_draft_left_by_a_void_has_nothing_to_claim_until_it_has_a_number(
    apply, published, waiting
):
    await apply(an_event(version=1), opened(1, "c-1"))
    await apply(an_event("1", 2, a_draft(), status="placed"))
    shipment = a_draft()["shipment_id"]

    two = [{"sku": "MUG-BLUE", "quantity": 2}]
    draft = {"tracking_number": None, "shipment_id": shipment}
    await apply(an_opening(ce_id="c-2", selected_items=two, **draft))
    assert await waiting() == 1

    await apply(an_event("1", 3, a_parcel("1", tracking_number="1Z-NEW")))
    assert await waiting() == 0
    assert [body["event_data"]["tracking_number"] for _, body in await published()] == [
        "1Z1-1",
        "1Z-NEW",
    ]


@pytest.mark.parametrize(("count", "is_taken"), [(2, True), (3, False)])
async def test_goods_of_a_claim_on_a_voided_number_are_not_claimed_again(
    apply, published, count, is_taken
):
    await apply(an_event(version=1), opened(1, "c-1"))
    await apply(an_event("1", 2, a_draft(), status="placed"))
    await apply(an_event("1", 3, a_parcel("1")))

    await apply(opened(count, "c-2"))

    kinds = [headers["ce_type"] for headers, _ in await published()]
    assert kinds[1:] == ([b"claim.created"] if is_taken else [])
