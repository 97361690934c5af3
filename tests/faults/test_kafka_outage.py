"""Kafka gone while thousands of rows are written: the outbox grows, the relay does not, and then
all is published in order, as fast as ever. Both ways of publishing.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.stack import LocalStack
from services.runtime.config.settings import Settings
from tests.faults.figures.ground import drain, outbox_of
from tests.integration.runtime.outbox.relaying import Feed, RelayProcess, read_topic, until

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(150)]

BATCHES = 600
SHARDS = 4
PADDING = "x" * 6_000
BACKLOG_BYTES = BATCHES * 12 * len(PADDING)
MEMORY_GROWTH_BYTES = BACKLOG_BYTES / 2
SLOWEST_SHARE = 0.3


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of this module's own, to be killed."""
    with LocalStack(tmp_path_factory.mktemp("outage-stack")) as stack:
        stack.start()
        yield stack


@pytest.fixture(params=["at_least_once", "exactly_once"])
async def settings(servers: LocalStack, request: pytest.FixtureRequest) -> Settings:
    """A database and topics of the test's own."""
    return await outbox_of(
        servers.addresses,
        f"outage_{request.param}",
        outbox_shards=SHARDS,
        publication=request.param,
    )


async def test_outbox_grows_in_a_kafka_outage_and_then_drains_at_full_speed(
    settings: Settings, servers: LocalStack, tmp_path: Path
) -> None:
    async with Feed(settings) as feed:
        await feed.write(BATCHES, padding=PADDING)
        relay = RelayProcess(settings, tmp_path / "relay.log")
        try:
            uninterrupted = await drain(feed)
            before = psutil.Process(relay.pid).memory_info().rss

            writing = asyncio.create_task(feed.write(BATCHES, padding=PADDING))
            await until(lambda: feed.written > BATCHES * 1.1)
            servers.kafka.kill()  # In the middle of publishing.
            await writing
            grown = psutil.Process(relay.pid).memory_info().rss - before
            assert await feed.rows() >= BATCHES * SHARDS * 0.5
            await asyncio.to_thread(servers.kafka.start)
            after_outage = await drain(feed)
            seen = await read_topic(settings)
        finally:
            relay.kill()

    assert seen.firsts == feed.expected
    assert settings.publication == "at_least_once" or not seen.repeats
    assert grown < MEMORY_GROWTH_BYTES
    assert after_outage.rows_per_second > SLOWEST_SHARE * uninterrupted.rows_per_second
