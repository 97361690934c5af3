"""Recall: what was published of orders and campaigns after the time the database was restored to.

Read from the topics of events and stored with each order, and with each shop for its campaigns, so
that no sequence number is given out twice and no fact is published again while the commands are
decided once more (docs/decisions/0071).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import asdict

from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.orders.domain.model.ids import Uuid, digest_of
from services.orders.domain.model.published import PublishedNotice
from services.orders.domain.model.tracking_number import normalise_number
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "recall.sql")
ROWS_A_STATEMENT = 1_000

Json = dict[str, Any]


@dataclass(slots=True)
class PublishedCampaign:
    """What `orders.events` holds of the campaign and the credit of an order."""

    events: set[int] = field(default_factory=set)
    """Digests of the ids of `order.campaign_selected`."""
    version: int = 0
    """The order's version at the last of them."""
    choice: Json | None = None
    attribution_version: int = 0
    credit: Json | None = None

    def add(self, digest: int, event: Json) -> None:
        """Add an event; order and repetition do not matter."""
        data = event["event_data"]
        if event.get("event_name") == "ORDER_CAMPAIGN_SELECTED":
            self.events.add(digest)
            if event["order_version"] > self.version:
                self.version, self.choice = event["order_version"], data["campaign"]
        elif data.get("attribution_version", 0) > self.attribution_version:
            self.attribution_version = data["attribution_version"]
            self.credit = data.get("credit")

    def as_json(self) -> Json:
        """The members of a stored `domain.model.published.Published`."""
        return {
            "choice": self.choice,
            "choices": len(self.events),
            "attribution_version": self.attribution_version,
            "credit": self.credit,
        }


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
    campaign: PublishedCampaign = field(default_factory=PublishedCampaign)

    def add(self, topic: str, event: Json) -> None:
        """Add an event; order and repetition do not matter."""
        order = event["context"].get("order") or {}
        self.order_number = order.get("order_number") or self.order_number
        self.version = max(self.version, int(str(event["order_version"])))
        number = int(str(event["sequence"]))
        self.sequences[topic] = max(number, self.sequences.get(topic, 0))
        digest = digest_of(str(event["event_id"]))
        self.events.add(digest)
        self.campaign.add(digest, event)
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
                **self.campaign.as_json(),
            }
        ).decode()


@dataclass(slots=True)
class ShopPublishedSince:
    """What `campaigns.events` holds of one shop beyond the stored number of its last event."""

    sequence: int = 0
    events: set[int] = field(default_factory=set)
    """Digests of the ids of the events."""

    def add(self, event: Json) -> None:
        """Add an event; order and repetition do not matter."""
        self.sequence = max(self.sequence, event["sequence"])
        self.events.add(digest_of(str(event["event_id"])))


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was published beyond what is stored: orders by id, shops by name."""

    orders: dict[Uuid, PublishedSince] = field(default_factory=dict)
    shops: dict[str, ShopPublishedSince] = field(default_factory=dict)


def notice_of_event(digest: int, event: Json) -> PublishedNotice:
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


async def recall(settings: Settings, connection: Connection, since: datetime | None) -> Recalled:
    """Read the topics of events to their ends; returns what was published beyond what is stored.

    The result is stored in the caller's transaction.
    """
    found = Recalled()
    topics = [ORDERS_EVENTS, SHIPMENTS_EVENTS, CAMPAIGNS_EVENTS]
    async for records in read_to_end(settings, topics, since):
        events: dict[str, list[Json]] = {}
        for record in records:
            if record.value:
                topic = record.topic.removeprefix(settings.kafka_topic_prefix)
                events.setdefault(topic, []).append(json.loads(record.value))
        await _add_shops(connection, found.shops, events.pop(CAMPAIGNS_EVENTS, []))
        await _add_orders(connection, found.orders, events)
    await _save(connection, found)
    return found


async def _add_orders(
    connection: Connection, found: dict[Uuid, PublishedSince], events: dict[str, list[Json]]
) -> None:
    order_ids = {event["order_id"] for each in events.values() for event in each}
    rows = await connection.fetch(SQL["read_versions"], list(order_ids))
    stored = {str(row["order_id"]): row["version"] for row in rows}
    for topic, each in events.items():
        for event in each:
            order_id = event["order_id"]
            if event["order_version"] > stored.get(order_id, 0):
                known = found.setdefault(order_id, PublishedSince(event["shop_slug"]))
                known.add(topic, event)


async def _add_shops(
    connection: Connection, found: dict[str, ShopPublishedSince], events: list[Json]
) -> None:
    """Snapshots count too: they have the number of the event before them."""
    rows = await connection.fetch(SQL["read_sequences"], [event["shop_slug"] for event in events])
    stored = {row["shop"]: row["sequence"] for row in rows}
    for event in events:
        shop = event["shop_slug"]
        if event["sequence"] > stored.get(shop, 0):
            found.setdefault(shop, ShopPublishedSince()).add(event)


async def _save(connection: Connection, found: Recalled) -> None:
    orders = [
        (id_, each.shop, each.order_number, each.as_json()) for id_, each in found.orders.items()
    ]
    for start in range(0, len(orders), ROWS_A_STATEMENT):
        columns = zip(*orders[start : start + ROWS_A_STATEMENT], strict=True)
        await connection.execute(SQL["save_published"], *map(list, columns))
    for shop, known in found.shops.items():
        await connection.execute(
            SQL["save_published_of_shop"], shop, known.sequence, sorted(known.events)
        )
