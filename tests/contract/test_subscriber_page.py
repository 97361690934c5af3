"""The consumer on the subscribers' page, run as it stands there, against Kafka."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.envelope import CloudEvent, write_headers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contract" / "subscribers.md"
DEADLINE_SECONDS = 30.0


def blocks() -> list[str]:
    """The two blocks of Python on the page: how events are followed, and how one starts."""
    follow, boot = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [follow, boot]


def subscriber() -> dict[str, Any]:
    """What the page defines: `follow`, `boot`."""
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks()), str(PAGE), "exec"), names)
    return names


@dataclass(frozen=True)
class Published:
    """Where the events of a test lie."""

    servers: str
    topics: list[str]


def event(order: str, sequence: int, version: int, name: str) -> dict[str, Any]:
    return {
        "order_id": order,
        "sequence": sequence,
        "order_version": version,
        "event_name": name,
        "context": {"order": {"uuid": order, "status": f"after {version}"}},
        "of_tomorrow": True,
    }


# Orders on two topics; repeats as a relay leaves them when it is killed, and the shipment
# events of order `a` lying before the older order events. Of order `c` the first events are gone:
# a snapshot stands for them. Of `b` there is one without a change.
ORDERS = [
    event("a", 1, 1, "ORDER_PLACED"),
    event("a", 1, 1, "ORDER_PLACED"),
    event("b", 1, 1, "ORDER_PLACED"),
    event("a", 2, 2, "ORDER_FULFILLED"),
    event("a", 1, 1, "ORDER_PLACED"),
    event("a", 2, 2, "ORDER_FULFILLED"),
    event("a", 3, 5, "ORDER_UPDATED"),
    event("b", 1, 1, "ORDER_SNAPSHOT"),
    event("c", 4, 9, "ORDER_SNAPSHOT"),
    event("c", 5, 10, "ORDER_UPDATED"),
    event("d", 7, 9, "ORDER_SNAPSHOT"),
]
SHIPMENTS = [
    event("a", 1, 3, "SHIPMENT_FULFILLED"),
    event("a", 2, 4, "PICKED_UP_BY_CARRIER"),
    event("a", 1, 3, "SHIPMENT_FULFILLED"),
    event("a", 2, 4, "PICKED_UP_BY_CARRIER"),
    event("a", 3, 6, "SUCCESSFULLY_DELIVERED"),
]
ORDER_IDS = ("a", "b", "c", "d")
ONCE = {
    ("orders.events", "a"): ["ORDER_PLACED", "ORDER_FULFILLED", "ORDER_UPDATED"],
    ("orders.events", "b"): ["ORDER_PLACED"],
    ("orders.events", "c"): ["ORDER_UPDATED"],
    ("shipments.events", "a"): [
        "SHIPMENT_FULFILLED",
        "PICKED_UP_BY_CARRIER",
        "SUCCESSFULLY_DELIVERED",
    ],
}


@pytest.fixture
async def published(kafka_bootstrap_servers: str, topic_prefix: str) -> Published:
    topics = [f"{topic_prefix}orders.events", f"{topic_prefix}shipments.events"]
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 6, 1) for topic in topics])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap_servers) as producer:
        for topic, events in zip(topics, (ORDERS, SHIPMENTS), strict=True):
            for body in events:
                headers = write_headers(CloudEvent(sequence=body["sequence"]))
                value = json.dumps(body).encode()
                await producer.send_and_wait(
                    topic, value, body["order_id"].encode(), headers=headers
                )
    return Published(kafka_bootstrap_servers, topics)


async def run_until(published: Published, database: Path, group: str, is_done: Callable[[], bool]):
    """Run the page's consumer until a condition holds, then cancel it as a kill would."""
    following = asyncio.create_task(
        subscriber()["follow"](published.servers, published.topics, str(database), group)
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_done():
                assert not following.done(), following.exception()
                await asyncio.wait([following], timeout=0.05)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def rows(database: Path, statement: str) -> list[tuple[Any, ...]]:
    if not database.exists():
        return []
    connection = sqlite3.connect(database)
    try:
        return connection.execute(statement).fetchall()
    except sqlite3.OperationalError:
        return []  # Its tables are not there yet.
    finally:
        connection.close()


def done_once(database: Path) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for topic, order, what in rows(database, "SELECT topic, order_id, what FROM to_do"):
        found.setdefault((".".join(topic.split(".")[-2:]), order), []).append(what)
    return found


async def test_consumer_acts_once_on_every_event_and_keeps_the_newest_order(
    published: Published, tmp_path: Path
) -> None:
    database = tmp_path / "mine.sqlite"

    await run_until(
        published, database, f"{published.topics[0]}.one", lambda: _count(database) >= 8
    )
    # Another group starts from the beginning: every event is delivered again.
    second = f"{published.topics[0]}.two"
    await run_until(published, database, second, lambda: True)
    await _everything_again(published, database, second)

    assert done_once(database) == ONCE
    assert rows(database, "SELECT order_id, version FROM orders ORDER BY order_id") == [
        ("a", 6),
        ("b", 1),
        ("c", 10),
        ("d", 9),
    ]
    (snapshot,) = rows(database, "SELECT snapshot FROM orders WHERE order_id = 'a'")
    assert json.loads(snapshot[0]) == {"uuid": "a", "status": "after 6"}


def test_consumer_has_about_twenty_lines() -> None:
    code = blocks()[0].split("async def follow")[1]

    assert len(code.splitlines()) <= 20


def state(order: str, version: int, **last: int) -> dict[str, Any]:
    """A record of `orders.state`."""
    data = {"last_sequences": last}
    return event(order, last.get("orders", 0), version, "ORDER_SNAPSHOT") | {"event_data": data}


async def test_subscriber_starts_from_states_and_takes_no_erased_order_back(
    published: Published, topic_prefix: str, tmp_path: Path
) -> None:
    database, states = tmp_path / "mine.sqlite", f"{topic_prefix}orders.state"
    await make_topic(published.servers, states)
    await _publish(published.servers, states, "a", state("a", 4, orders=2, shipments=2))
    await _publish(published.servers, states, "a", state("a", 6, orders=3, shipments=3))
    await _publish(published.servers, states, "b", state("b", 1, orders=1))
    await _publish(published.servers, states, "b", None)
    group = f"{topic_prefix}late"

    arguments = (published.servers, states, published.topics, str(database), group)
    await subscriber()["boot"](*arguments)

    started = rows(database, "SELECT order_id, version, snapshot IS NULL FROM orders")
    assert sorted(started) == [("a", 6, 0), ("b", 2**62, 1)]
    orders, shipments = published.topics
    await _publish(published.servers, orders, "b", event("b", 2, 2, "ORDER_UPDATED"))
    await _publish(published.servers, orders, "a", event("a", 3, 5, "ORDER_UPDATED"))
    await _publish(published.servers, orders, "a", event("a", 4, 7, "ORDER_DELIVERED"))
    await _publish(published.servers, shipments, "a", event("a", 3, 6, "SUCCESSFULLY_DELIVERED"))
    await _publish(published.servers, states, "a", state("a", 8, orders=5, shipments=3))
    await _publish(published.servers, orders, "a", event("a", 5, 8, "ORDER_UPDATED"))
    all_topics = Published(published.servers, [*published.topics, states])
    await run_until(
        all_topics,
        database,
        group,
        lambda: _versions(database, "a") == [8] and _count(database) == 3,
    )

    assert done_once(database) == {
        ("orders.events", "a"): ["ORDER_DELIVERED", "ORDER_UPDATED"],
        ("orders.events", "b"): ["ORDER_UPDATED"],
    }
    assert rows(database, "SELECT snapshot FROM orders WHERE order_id = 'b'") == [(None,)]


def _versions(database: Path, order: str) -> list[int]:
    return [v for o, v in rows(database, "SELECT order_id, version FROM orders") if o == order]


async def make_topic(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 6, 1)])
    finally:
        await admin.close()


async def _publish(servers: str, topic: str, order: str, body: dict[str, Any] | None) -> None:
    value = None if body is None else json.dumps(body).encode()
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait(topic, value, order.encode())


def _count(database: Path) -> int:
    return len(rows(database, "SELECT 1 FROM to_do"))


async def _everything_again(published: Published, database: Path, group: str) -> None:
    """Deliver all events once more, ended by one with a cut snapshot for each topic and order.

    The end of an order lies behind its other events, on their partition.
    """
    async with AIOKafkaProducer(bootstrap_servers=published.servers) as producer:
        for topic in published.topics:
            for order in ORDER_IDS:
                sequence = 1 + max((e["sequence"] for e in _of(topic, order)), default=0)
                end = event(order, sequence, 99, "END") | {"context": {"order": None}}
                body = json.dumps(end).encode()
                await producer.send_and_wait(topic, body, order.encode())

    ends = len(published.topics) * len(ORDER_IDS)

    def has_read_to_the_end() -> bool:
        return len(rows(database, "SELECT 1 FROM to_do WHERE what = 'END'")) == ends

    await run_until(published, database, group, has_read_to_the_end)
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DELETE FROM to_do WHERE what = 'END'")
    connection.close()


def _of(topic: str, order: str) -> list[dict[str, Any]]:
    events = ORDERS if topic.endswith("orders.events") else SHIPMENTS
    return [e for e in events if e["order_id"] == order]
