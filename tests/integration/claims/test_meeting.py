"""Claims and orders in concurrent transactions find each other, whichever commits first."""

import asyncio

import pytest

from services.runtime.batch.batch import Batch
from tests.integration.batches import lock_watcher, patiently
from tests.integration.claims.conftest import NOW, a_change, an_event, an_opening
from tests.integration.claims.test_batches import claim_of


@pytest.fixture
async def is_blocked(database_url):
    """Whether any transaction of the test's database waits for a lock."""
    async with lock_watcher(database_url) as is_blocked:
        yield is_blocked


@pytest.fixture
def overlap(pool, claims, apply, is_blocked):
    """Applies the first batch and commits it once the second one waits for its locks."""

    async def run(first, second):
        async with pool.acquire() as one:
            transaction = one.transaction()
            await transaction.start()
            await claims.apply(one, Batch(tuple(first), NOW))
            other = asyncio.create_task(patiently(apply, *second))
            await blocked_or_done(other)
            await transaction.commit()
        await other

    async def blocked_or_done(task):
        async with asyncio.timeout(60):
            while not task.done() and not await is_blocked():
                await asyncio.sleep(0.01)

    return run


REFERENCES = [{}, {"id": "gid-1", "id_type": "external_id"}]


@pytest.mark.parametrize("claim_first", [True, False])
@pytest.mark.parametrize("reference", REFERENCES)
async def test_claim_and_its_order_in_concurrent_batches_find_each_other(
    overlap, published, rows, reference, claim_first
):
    sides = [[an_opening(**reference)], [an_event()]]

    await overlap(*(sides if claim_first else reversed(sides)))

    assert [body["event_name"] for _, body in await published()] == ["created"]
    assert await rows("waiting", "id") == []


@pytest.mark.parametrize("opening_first", [True, False])
async def test_claim_and_its_update_in_concurrent_batches_find_each_other(
    apply, overlap, published, rows, opening_first
):
    await apply(an_event())
    opening = an_opening(ce_id="c-1")
    sides = [[opening], [a_change(claim_of(opening), status="accepted")]]

    await overlap(*(sides if opening_first else reversed(sides)))

    events = [(body["sequence"], body["event_name"]) for _, body in await published()]
    assert events == [(1, "created"), (2, "updated")]
    assert await rows("waiting", "id") == []


async def test_claims_on_the_last_mugs_in_concurrent_batches_are_not_both_applied(
    apply, overlap, published
):
    await apply(an_event())
    wanted = [{"sku": "MUG-BLUE", "quantity": 2}]

    await overlap(
        [an_opening(ce_id="a", selected_items=wanted)],
        [an_opening(ce_id="b", reason="return", selected_items=wanted)],
    )

    assert len(await published()) == 1
    ((_, refused),) = await published("claims.rejected")
    assert refused["reason"] == "quantity_above_shipped"


async def test_concurrent_batches_lose_nothing(apply, published, rows):
    numbers = [str(number) for number in range(40)]
    sides = [
        [an_event(number) for number in numbers],
        [an_opening(number, ce_id=f"c-{number}") for number in reversed(numbers)],
        [
            a_change(claim_of(an_opening(number, ce_id=f"c-{number}"), number), status="accepted")
            for number in numbers
        ],
    ]

    await asyncio.gather(*(patiently(apply, *side) for side in sides))

    events = [(body["order_id"], body["sequence"]) for _, body in await published()]
    assert len(events) == 80
    assert len(set(events)) == 80
    assert await rows("waiting", "id") == []
