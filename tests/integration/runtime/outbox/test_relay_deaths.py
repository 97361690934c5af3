"""Relays that die or stop at any point beside others lose and reorder no record.

Exactly once, a reader of committed records sees no repeat either. The same deaths do repeat records
at least once, so the tests can fail.
"""

import asyncio

import pytest

from tests.integration.runtime.outbox.relaying import (
    Feed,
    RelayProcess,
    count_sessions,
    end_sessions,
    read_topic,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Before the send; records sent, marker not; marker sent, not committed; committed, not deleted; in
# a takeover before the marker is read, and before the rows it names are deleted.
EXACTLY_ONCE_POINTS = (
    ("ExactlyOnce._send", 3),
    ("ExactlyOnce._mark", 3),
    ("ExactlyOnce._commit", 3),
    ("ExactlyOnce._delete", 3),
    ("ExactlyOnce._read_marker", 2),
    ("ExactlyOnce._delete_marked", 1),
)
AT_LEAST_ONCE_POINTS = (("AtLeastOnce._send", 3), ("AtLeastOnce._delete", 3))


@pytest.fixture
def exactly_once(settings):
    """Settings of exactly-once publication."""
    return settings.model_copy(update={"publication": "exactly_once", "outbox_shards": 4})


@pytest.fixture
def at_least_once(settings):
    """Settings of at-least-once publication, the default."""
    return settings.model_copy(update={"outbox_shards": 4})


@pytest.fixture
def relay(tmp_path):
    """A function that starts relay processes; they are killed after the test."""
    running = []

    def start(settings, **plan):
        process = RelayProcess(settings, tmp_path / f"relay-{len(running)}.log", **plan)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()


async def die_at(points, settings, relay):
    """Let one relay after another die at its point beside a running one; then read the topic."""
    async with Feed(settings) as feed:
        relay(settings)
        await feed.write(5)
        await feed.until_published()
        for point, after in points:
            dying = relay(settings, point=point, after=after)
            await feed.write_until(dying.is_dead)
        await feed.until_published()
        return feed.expected, await read_topic(settings)


async def test_exactly_once_repeats_nothing_wherever_a_relay_is_killed(exactly_once, relay):
    expected, seen = await die_at(EXACTLY_ONCE_POINTS, exactly_once, relay)

    assert seen.by_key == expected


async def test_at_least_once_repeats_records_and_loses_and_reorders_none(at_least_once, relay):
    expected, seen = await die_at(AT_LEAST_ONCE_POINTS, at_least_once, relay)

    assert seen.firsts == expected
    assert seen.repeats > 0, "the deaths must repeat records where nothing prevents it"


@pytest.mark.parametrize(
    "point", ["ExactlyOnce._commit", pytest.param("ExactlyOnce._send", marks=pytest.mark.long)]
)
async def test_relay_stopped_and_continued_is_fenced(exactly_once, relay, point):
    async with Feed(exactly_once) as feed:
        stopped = relay(exactly_once, point=point, act="SIGSTOP", after=3, is_deaf=True)
        await feed.write_until(stopped.is_stopped)
        relay(exactly_once)
        await feed.write(5)
        await feed.until_published()  # The stopped relay has lost its leases.
        stopped.wake()
        await feed.write_until(lambda: "ProducerFenced" in stopped.log)
        await feed.until_published()

        assert (await read_topic(exactly_once)).by_key == feed.expected


async def test_relay_stopped_loses_its_shards_and_may_continue(at_least_once, relay):
    async with Feed(at_least_once) as feed:
        stopped = relay(at_least_once, point="AtLeastOnce._delete", act="SIGSTOP", after=3)
        await feed.write_until(stopped.is_stopped)
        relay(at_least_once)
        await feed.write(5)
        await feed.until_published()
        stopped.wake()
        await feed.write_until(lambda: "relay_interrupted" in stopped.log)
        await feed.until_published()

        assert (await read_topic(at_least_once)).firsts == feed.expected


@pytest.mark.parametrize(
    "mode", ["at_least_once", pytest.param("exactly_once", marks=pytest.mark.long)]
)
async def test_relay_sessions_ended_by_the_server_lose_no_record(
    at_least_once, database_url, relay, mode
):
    settings = at_least_once.model_copy(update={"publication": mode})
    async with Feed(settings) as feed:
        relays = [relay(settings), relay(settings)]
        await feed.write_until(lambda: feed.written > 10)
        await feed.until_published()
        async with asyncio.timeout(60):  # The second relay may have connected later.
            while await count_sessions(database_url, "orderflow_orders.relay") < len(relays):
                await feed.write()
        for _ in range(4):
            await feed.write(10)
            async with asyncio.timeout(60):
                while await end_sessions(database_url) < 2:
                    await feed.write()
        await until(lambda: all("relay_interrupted" in each.log for each in relays))
        await feed.until_published()

        seen = await read_topic(settings)
    assert seen.firsts == feed.expected
    assert mode == "at_least_once" or not seen.repeats


async def test_publication_mode_changes_while_rows_wait(exactly_once, at_least_once, relay):
    """In both directions; rows left by one mode are published by the other, in order."""
    async with Feed(exactly_once) as feed:
        for settings, point in (
            (at_least_once, "AtLeastOnce._send"),
            (exactly_once, "ExactlyOnce._delete"),
            (at_least_once, "AtLeastOnce._send"),
        ):
            dying = relay(settings, point=point, after=2)
            await feed.write_until(dying.is_dead)
            assert await feed.rows()
        last = relay(exactly_once)
        await feed.until_published()

        assert not last.is_dead()
        assert (await read_topic(exactly_once)).firsts == feed.expected
