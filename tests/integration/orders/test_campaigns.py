"""Campaigns of shops on a real database: commands in, events out; choices and credits of orders."""

import asyncio

import pytest

from services.orders.campaign_reviews import CampaignReviews
from services.runtime.observability.metrics import Metrics
from tests.integration.orders.conftest import NOW, a_record, an_upsert

SHOP = "demo-shop"
SINCE = "2026-02-01T00:00:00Z"
PLACED = "2026-02-20T10:00:00Z"


def a_command(type_, ce_id=None, *, shop=SHOP, **said):
    """A command of campaigns; they have the shop as their key."""
    body = {"shop_slug": shop, "effective_at": SINCE, **said}
    return a_record(type_, body, ce_id=ce_id, key=shop.encode())


def a_campaign(campaign, ce_id=None, **said):
    """A `campaign.upsert` of an enabled campaign for the segment `vip`."""
    known = {
        "name": campaign.title(),
        "segment": "vip",
        "enabled": True,
        "promotion_type": "basic",
        "promotion_properties": {"title": f"All of {campaign}"},
    }
    return a_command("campaign.upsert", ce_id, campaign_id=campaign, **{**known, **said})


def a_discount(discount, code, **said):
    known = {"code": code, "type": "order", "value_type": "percentage", "value": "10"}
    return a_command("discount.upsert", discount_id=discount, **{**known, **said})


def a_test(test, shares, **said):
    campaigns = [{"campaign_id": each, "allocation": share} for each, share in shares.items()]
    known = {"name": test.title(), "segment": "vip", "campaigns": campaigns}
    return a_command("ab_test.upsert", test_id=test, **{**known, **said})


def an_order(number, *, segments=("vip",), **said):
    return an_upsert(number, segments=list(segments), order_placed_at=PLACED, **said)


@pytest.fixture
def reviews(settings):
    """What reviews orders beside the batches."""
    return CampaignReviews(settings, Metrics())


@pytest.fixture
def review(pool, reviews):
    """Reviews until nothing is left; returns how many transactions that took."""

    async def run(now=NOW):
        pages = 0
        async with asyncio.timeout(20):
            while True:
                async with pool.acquire() as connection, connection.transaction():
                    if not await reviews.review(connection, now):
                        return pages
                pages += 1

    return run


@pytest.fixture
def advance(pool, reviews):
    """Publishes what begins or ends until a time."""

    async def run(now):
        async with pool.acquire() as connection, connection.transaction():
            return await reviews.advance(connection, now)

    return run


@pytest.fixture
def happened(published):
    """Types of the events on a topic, in order."""

    async def read(topic):
        return [headers["ce_type"].decode() for _, headers, _ in await published(topic)]

    return read


@pytest.fixture
def outcomes(published):
    """Outcome, reason and campaign of each command, in order."""

    async def read():
        return [
            (body["outcome"], body["reason"], body.get("campaign_id"))
            for _, _, body in await published("orders.outcomes")
        ]

    return read


async def test_campaign_command_becomes_event_and_outcome(apply, published, outcomes):
    await apply(a_campaign("spring", "c1", priority=7))

    ((_, headers, body),) = await published("campaigns.events")
    assert headers["ce_type"] == b"campaign.updated"
    assert headers["ce_sequence"] == b"1"
    assert headers["ce_causationid"] == b"c1"
    assert (body["shop_slug"], body["campaign_id"], body["state"]) == (SHOP, "spring", "active")
    assert body["campaign"]["priority"] == 7
    assert body["campaign"]["promotion_properties"] == {"title": "All of spring"}
    assert await outcomes() == [("applied", None, "spring")]
