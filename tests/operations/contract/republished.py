"""Events of the services on topics of a test: repeated, and ended by events that are newer.

Every event lies there twice, all after all. Each order ends on each topic with an event of a type,
a name and a member that no package knows: what lies before it was read when it is.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import EVENT_TOPICS

ORDERS_MAX = 40
END = "EVENT_OF_TOMORROW"
SNAPSHOT = "ORDER_SNAPSHOT"


@dataclass(frozen=True)
class Played:
    """Topics that the services filled from a script; the services still run."""

    servers: str
    prefix: str
    records: Path
    """Every record as a line of JSON: topic, key, headers, value as text."""


@dataclass
class Republished:
    """The topics, and what a subscriber that follows the rules does and keeps."""

    servers: str
    topics: list[str]
    done: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By topic and order: sequence and name of each event, once and in order."""
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By order: the version of the newest snapshot."""

    @property
    def lines(self) -> int:
        """How many events there are to act on."""
        return sum(map(len, self.done.values()))


async def republish(played: Played, prefix: str) -> Republished:
    """Publish events of the first orders that were played."""
    found = Republished(played.servers, [f"{prefix}{topic}" for topic in EVENT_TOPICS])
    events = _events(played)
    await _make_topics(found)
    async with AIOKafkaProducer(bootstrap_servers=played.servers) as producer:
        for topic, key, type_, value in [*events, *events, *_ends(events)]:
            await producer.send(
                prefix + topic, value, key.encode(), headers=[("ce_type", type_.encode())]
            )
        await producer.flush()
    for topic, key, _, value in [*events, *_ends(events)]:
        _expect(found, f"{prefix}{topic} {key}", key, json.loads(value))
    return found


def _events(played: Played) -> list[tuple[str, str, str, bytes]]:
    """Topic, key, type and value of the events of some orders, in the order of each topic."""
    records = [json.loads(line) for line in played.records.read_text("utf-8").splitlines()]
    on_topics = [each for each in records if each["topic"] in EVENT_TOPICS]
    keys = list(dict.fromkeys(each["key"] for each in on_topics))[:ORDERS_MAX]
    return [
        (each["topic"], each["key"], each["headers"]["ce_type"], each["value"].encode())
        for each in on_topics
        if each["key"] in keys
    ]


def _ends(events: list[tuple[str, str, str, bytes]]) -> list[tuple[str, str, str, bytes]]:
    last = {(topic, key): json.loads(value) for topic, key, _, value in events}
    return [
        (topic, key, "order.of_tomorrow", json.dumps(_newer(value)).encode())
        for (topic, key), value in last.items()
    ]


def _newer(event: dict[str, Any]) -> dict[str, Any]:
    """The next event of its order, of a later release."""
    data = {"event_name": END, "member_of_tomorrow": {"amount": 1.5}}
    after = {"sequence": event["sequence"] + 1, "event_name": END, "event_data": data}
    return event | after | {"member_of_tomorrow": ["a"]}


def _expect(found: Republished, at: str, key: str, event: dict[str, Any]) -> None:
    if event["context"]["order"]:
        found.versions[key] = max(found.versions[key], event["order_version"])
    fact = f"{event['sequence']} {event['event_name']}"
    is_new = event["event_name"] != SNAPSHOT and fact not in found.done[at]
    if is_new:
        found.done[at].append(fact)


async def _make_topics(found: Republished) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=found.servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 6, 1) for topic in found.topics])
    finally:
        await admin.close()
