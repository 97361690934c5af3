"""Subscribers that start from `orders.state` while orders change, as the subscribers' page says."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from demo.journal import partitions_of
from demo.script import Script
from demo.synthetic import synthetic_script
from schemas.topics import EVENT_TOPICS, ORDERS_EVENTS, ORDERS_STATE, SHIPMENTS_EVENTS
from tests.contract.test_subscriber_page import rows, subscriber
from tests.e2e.aftermath import read_journal, until_no_lag, without_claimed
from tests.processes import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
SHARES = (0.2, 0.5, 0.8)
"""How much of all events is published when a subscriber starts."""
DEADLINE_SECONDS = 90.0


@pytest.fixture
def seed() -> int:
    return 21


@pytest.fixture
def script(seed: int) -> Script:
    return synthetic_script(seed, scale=0.06)


async def test_subscribers_that_start_at_any_time_have_the_state_of_one_that_saw_all(
    system: System, script: Script, tmp_path: Path
) -> None:
    """Each notes where the events end while orders change, and follows them from there."""
    system.player.step = timedelta(hours=6)
    everything = tmp_path / "everything.sqlite"
    late = [tmp_path / f"from-{share}.sqlite" for share in SHARES]
    playing = asyncio.create_task(system.player.play(script))
    for share, database in zip(SHARES, late, strict=True):
        await until(lambda share=share: published(system) > share * len(script.messages))
        (orders,) = system.of("orders")
        orders.kill()  # Its relay may stand between an event and the state behind it.
        await boot(system, database)
        await asyncio.to_thread(orders.start)
    await playing
    await until_no_lag(system, "orders", "claims", "analytics")
    ends = await final_versions(system)
    for database in (everything, *late):
        await follow_until_kept(system, database, ends)

    assert all(states(database) == states(everything) for database in late)
    facts = done(everything)
    for database in late:
        assert 0 < count(database) < count(everything)
        for at, sequences in done(database).items():
            assert sequences == facts[at][-len(sequences) :], at


def published(system: System) -> int:
    counts = system.watcher.counts
    return counts[ORDERS_EVENTS] + counts[SHIPMENTS_EVENTS]


def names(system: System) -> tuple[str, list[str]]:
    """The topic of states, and those of events, in Kafka."""
    prefix = system.installation.prefix
    return prefix + ORDERS_STATE, [prefix + topic for topic in EVENT_TOPICS]


def servers(system: System) -> str:
    return system.installation.addresses.kafka_bootstrap_servers


async def boot(system: System, database: Path) -> None:
    state, events = names(system)
    await subscriber()["boot"](
        servers(system), state, events, str(database), group(system, database)
    )


def group(system: System, database: Path) -> str:
    return f"{system.installation.prefix}{database.stem}"


async def follow_until_kept(system: System, database: Path, ends: dict[str, int]) -> None:
    """Run the page's `follow` on all topics until it has read them to their ends.

    Raises:
        AssertionError: it ended, or does not come to the last version of every order.
    """
    state, events = names(system)
    follow: Callable[..., Coroutine[Any, Any, None]] = subscriber()["follow"]
    of = group(system, database)
    task = asyncio.create_task(follow(servers(system), [*events, state], str(database), of))
    try:
        await until_kept(database, ends, task)
        await until_no_lag_of(system, of)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_no_lag_of(system: System, group_id: str) -> None:
    """Wait until a group has committed the ends of all topics that it reads."""
    state, events = names(system)
    options = system.installation.options
    partitions = await partitions_of(options, [state, *events])
    async with AIOKafkaConsumer(group_id=group_id, enable_auto_commit=False, **options) as reader:
        ends = await reader.end_offsets(partitions)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while any([await reader.committed(at) != end for at, end in ends.items() if end]):
                await asyncio.sleep(0.05)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.05)


async def until_kept(database: Path, ends: dict[str, int], task: asyncio.Task[None]) -> None:
    """Wait until a subscriber has the last version of every order.

    Raises:
        AssertionError: it ended, or does not get there; with the orders that differ.
    """
    try:
        await until(lambda: task.done() or versions(database) == ends)
    except TimeoutError:
        kept = versions(database)
        wrong = {id_: (kept.get(id_), end) for id_, end in ends.items() if kept.get(id_) != end}
        raise AssertionError(f"{database.stem}: kept and published versions {wrong}") from None
    assert not task.done(), task.exception()


async def final_versions(system: System) -> dict[str, int]:
    """The version of each order's last event."""
    journal, found = await read_journal(system), {}
    for topic in (ORDERS_EVENTS, SHIPMENTS_EVENTS):
        for entry in journal[topic]:
            body = entry.body
            found[entry.key] = max(body["order_version"], found.get(entry.key, 0))
    return found


def count(database: Path) -> int:
    return len(rows(database, "SELECT 1 FROM to_do"))


def versions(database: Path) -> dict[str, int]:
    return dict(rows(database, "SELECT order_id, version FROM orders"))


def states(database: Path) -> dict[str, Any]:
    found = rows(database, "SELECT order_id, snapshot FROM orders")
    return {order: without_claimed(json.loads(snapshot)) for order, snapshot in found}


def done(database: Path) -> dict[tuple[str, str], list[int]]:
    """The sequences that a subscriber acted on, by topic and order."""
    found: dict[tuple[str, str], list[int]] = {}
    for topic, order, sequence in rows(database, "SELECT topic, order_id, sequence FROM to_do"):
        found.setdefault((topic, order), []).append(sequence)
    return found
