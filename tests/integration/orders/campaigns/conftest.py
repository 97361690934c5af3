"""What the tests of campaigns share: reviews beside the batches, and what was published."""

import asyncio

import pytest

from services.orders.campaign_reviews import CampaignReviews
from services.runtime.observability.metrics import Metrics
from tests.integration.orders.conftest import NOW


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
