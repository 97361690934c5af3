"""Recall: what was published of orders after the time their database was restored to.

Read from the topics of events and stored with each order, so that no sequence number is given out
twice and no fact is published again while the commands are decided once more
(docs/decisions/0071).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import asdict

from schemas.topics import ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.orders.domain.model.ids import Uuid, digest_of
from services.orders.domain.model.published import PublishedNotice
from services.orders.domain.model.tracking_number import normalise_number
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "recall.sql")
ORDERS_A_STATEMENT = 1_000


@dataclass(slots=True)
class PublishedSince:
    """What the topics hold of one order beyond its stored version."""

    shop: str
    order_number: str = ""
    version: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    events: set[int] = field(default_factory=set)
    notices: dict[int, PublishedNotice] = field(default_factory=dict)
    """By the digest of the event's id."""

    def add(self, topic: str, event: dict[str, Any]) -> None:
        """Add an event; order and repetition do not matter."""
        order = event["context"].get("order") or {}
        self.order_number = order.get("order_number") or self.order_number
        self.version = max(self.version, int(str(event["order_version"])))
        number = int(str(event["sequence"]))
        self.sequences[topic] = max(number, self.sequences.get(topic, 0))
        digest = digest_of(str(event["event_id"]))
        self.events.add(digest)
        if event.get("event_group") and event.get("event_data", {}).get("notify"):
            self.notices[digest] = notice_of_event(digest, event)

    def as_json(self) -> str:
        """JSON of a stored `domain.model.published.Published`."""
        return orjson.dumps(
            {
                "order_sequence": self.sequences.get(ORDERS_EVENTS, 0),
                "shipment_sequence": self.sequences.get(SHIPMENTS_EVENTS, 0),
                "version": self.version,
                "events": sorted(self.events),
                "notices": [asdict(self.notices[each]) for each in sorted(self.notices)],
            }
        ).decode()


def notice_of_event(digest: int, event: dict[str, Any]) -> PublishedNotice:
    """What an event with `notify` notified of.

    The attempts are those of the parcel after its decision; 0 where parcels were cut from the event
    for size.
    """
    data = event["event_data"]
    group, number = event["event_group"], data.get("tracking_number")
    if number is None:
        return PublishedNotice(event=digest, group=group)
    parcels = event["context"].get("shipments") or ()
    attempts = {each["shipment_id"]: each.get("attempts") for each in parcels}
    return PublishedNotice(
        event=digest,
        group=group,
        number=normalise_number(number),
        leg=data.get("leg") or 1,
        attempts=attempts.get(data["shipment_id"]) or 0,
    )


async def recall(
    settings: Settings, connection: Connection, since: datetime | None
) -> dict[Uuid, PublishedSince]:
    """Read the topics of events to their ends; returns the orders that were published beyond.

    The result is stored in the caller's transaction.
    """
    found: dict[Uuid, PublishedSince] = {}
    async for records in read_to_end(settings, [ORDERS_EVENTS, SHIPMENTS_EVENTS], since):
        events = [(record.topic, json.loads(record.value)) for record in records if record.value]
        stored = await _versions(connection, {event["order_id"] for _, event in events})
        for topic, event in events:
            order_id = event["order_id"]
            if event["order_version"] > stored.get(order_id, 0):
                known = found.setdefault(order_id, PublishedSince(event["shop_slug"]))
                known.add(topic.removeprefix(settings.kafka_topic_prefix), event)
    await _save(connection, found)
    return found


async def _versions(connection: Connection, order_ids: set[Uuid]) -> dict[Uuid, int]:
    rows = await connection.fetch(SQL["read_versions"], list(order_ids))
    return {str(row["order_id"]): row["version"] for row in rows}


async def _save(connection: Connection, found: dict[Uuid, PublishedSince]) -> None:
    rows = [(id_, each.shop, each.order_number, each.as_json()) for id_, each in found.items()]
    for start in range(0, len(rows), ORDERS_A_STATEMENT):
        columns = zip(*rows[start : start + ORDERS_A_STATEMENT], strict=True)
        await connection.execute(SQL["save_published"], *map(list, columns))
