"""A consumer process stays under the size that is promised, whatever lies before it (design 5)."""

import dataclasses
from urllib.parse import urlsplit

import pytest

from bench import lap
from bench.contenders import OURS
from bench.race import Track
from bench.traffic import mix
from chaos.proxy import LOOPBACK, proxied

RSS_MAX_MB = 150
LARGEST_BYTES = 900_000
"""With its headers and the answer's envelope it is just what brokers take as they are set up."""
DELAY_SECONDS = 0.02
PAIR = dataclasses.replace(OURS, arguments=(*OURS.arguments, "--processes", "2"), processes=2)
"""Two processes under one command."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def track(stack, tmp_path):
    return Track(stack, {}, tmp_path, print)


async def rss_of(track, asked, contender=OURS):
    async with track.ground() as ground:
        return (await lap.run(contender, ground, asked)).rss_mb


async def test_memory_is_bounded_for_a_backlog_of_the_largest_messages(track):
    assert await rss_of(track, mix("upserts", 150, value_bytes=LARGEST_BYTES)) < RSS_MAX_MB


async def test_memory_is_bounded_for_a_backlog_of_many_small_messages(track):
    few = await rss_of(track, mix("upserts", 15_000))  # Caches are full by then.
    many = await rss_of(track, mix("upserts", 60_000))

    assert many < RSS_MAX_MB
    assert many < 1.1 * few


async def test_memory_is_bounded_for_a_backlog_of_large_messages(track):
    assert await rss_of(track, mix("upserts", 3_000, value_bytes=20_000)) < RSS_MAX_MB


async def test_memory_is_bounded_for_bulks_of_a_thousand_items(track):
    assert await rss_of(track, mix("bulk", 10_000)) < RSS_MAX_MB


@pytest.mark.parametrize(
    ("count", "value_bytes"), [(60_000, 700), (12_000, 5_000), (6_000, 20_000)]
)
async def test_memory_is_bounded_for_each_of_two_processes_under_one_command(
    track, count, value_bytes
):
    asked = mix("upserts", count, value_bytes=value_bytes)

    assert await rss_of(track, asked, PAIR) < RSS_MAX_MB


@pytest.mark.parametrize("name", ["bulk", "scans_new"])
async def test_memory_is_bounded_for_each_of_two_processes_with_other_mixes(track, name):
    assert await rss_of(track, mix(name, 20_000), PAIR) < RSS_MAX_MB


async def test_memory_is_bounded_with_a_slow_database(track, stack):
    there = urlsplit(stack.database_url)
    async with proxied(there.hostname, there.port) as proxy:
        proxy.delay_seconds = DELAY_SECONDS
        here = there._replace(netloc=f"{there.username}@{LOOPBACK}:{proxy.port}")
        track.addresses = dataclasses.replace(stack, database_url=here.geturl())

        assert await rss_of(track, mix("upserts", 5_000)) < RSS_MAX_MB
