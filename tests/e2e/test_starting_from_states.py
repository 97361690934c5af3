"""Subscribers that start from `orders.state` while orders change, as the subscribers' page says."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.script import Script
from demo.synthetic import synthetic_script
from schemas.topics import EVENT_TOPICS, ORDERS_EVENTS, ORDERS_STATE, SHIPMENTS_EVENTS
from tests.contract.test_subscriber_page import rows, subscriber
from tests.e2e.aftermath import read_journal, until_no_lag, without_claimed
from tests.processes import System

pytestmark = pytest.mark.timeout(300)
SHARES = (0.2, 0.5, 0.8)
"""How much of all events is published when a subscriber starts."""
DEADLINE_SECONDS = 90.0


@pytest.fixture
def seed() -> int:
    return 21


@pytest.fixture
def script(seed: int) -> Script:
    return synthetic_script(seed, scale=0.1)


async def test_subscribers_that_start_at_any_time_have_the_state_of_one_that_saw_all(
    system: System, script: Script, tmp_path: Path
) -> None:
    system.player.step = timedelta(hours=6)
    everything = tmp_path / "everything.sqlite"
    late = [tmp_path / f"from-{share}.sqlite" for share in SHARES]
    with following(system, everything) as first:
        followers = [first]
        playing = asyncio.create_task(system.player.play(script))
        for share, database in zip(SHARES, late, strict=True):
            await until(lambda share=share: published(system) > share * len(script.messages))
            (orders,) = system.of("orders")
            orders.kill()  # Its relay may stand between an event and the state behind it.
            await boot(system, database)
            followers.append(following(system, database).__enter__())
            await asyncio.to_thread(orders.start)
        await playing
        await until_no_lag(system, "orders", "claims", "analytics")
        ends = await final_versions(system)
        for database in (everything, *late):
            await until(lambda database=database: versions(database) == ends)
        for task in followers:
            assert not task.done(), task.exception()
            await stopped(task)

    assert all(states(database) == states(everything) for database in late)
    facts = done(everything)
    for database in late:
        assert len(rows(database, "SELECT 1 FROM to_do")) < len(
            rows(everything, "SELECT 1 FROM to_do")
        )
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


@contextmanager
def following(system: System, database: Path) -> Iterator[asyncio.Task[None]]:
    """The page's `follow`, on all topics; ended with the block, if not before."""
    state, events = names(system)
    follow: Callable[..., Awaitable[None]] = subscriber()["follow"]
    work = follow(servers(system), [*events, state], str(database), group(system, database))
    task: asyncio.Task[Any] = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.05)


async def final_versions(system: System) -> dict[str, int]:
    """The version of each order's last event."""
    journal, found = await read_journal(system), {}
    for topic in (ORDERS_EVENTS, SHIPMENTS_EVENTS):
        for entry in journal[topic]:
            body = entry.body
            found[entry.key] = max(body["order_version"], found.get(entry.key, 0))
    return found


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
