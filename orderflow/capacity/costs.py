"""What was measured, from costs.json: the one place of these figures, for the command and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from schemas.topics import (
    CARRIER_TRACKING,
    CLAIMS_COMMANDS,
    CLAIMS_EVENTS,
    CLAIMS_OUTCOMES,
    ORDERS_COMMANDS,
    ORDERS_EVENTS,
    ORDERS_OUTCOMES,
)

DELIVERIES = "deliveries"
PROCESS, KAFKA, POSTGRES = "process", "kafka", "postgres"
COMMANDS, SCANS, CLAIMS, MESSAGES = "commands", "scans", "claim_commands", "messages"
DRIVERS: Mapping[str, str] = {
    ORDERS_COMMANDS: COMMANDS,
    ORDERS_OUTCOMES: COMMANDS,
    ORDERS_EVENTS: COMMANDS,
    CARRIER_TRACKING: SCANS,
    "shipments.events": SCANS,
    CLAIMS_COMMANDS: CLAIMS,
    CLAIMS_OUTCOMES: CLAIMS,
    CLAIMS_EVENTS: CLAIMS,
}
"""What the records of a topic grow with; of the other topics: all messages of an order."""
NOT_OF_ORDERS = ("campaigns.", "deliveries.commands", "deliveries.outcomes", "deliveries.events")
"""Beginnings of topics that grow with campaigns and destinations, not with orders."""
PASSING_TABLES = ("outbox", "position", "waiting", "backlog")
"""Beginnings of tables whose rows go when they were published, applied or sent."""


@dataclass(frozen=True, slots=True)
class TopicCost:
    """Records of a topic for one of its driver, and bytes of a record in Kafka."""

    driver: str
    ratio: float
    record_bytes: float


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """CPU of a consuming service for a message or an event, and its bytes of WAL."""

    us: Mapping[str, float]
    wal_bytes: float
    connections: int


@dataclass(frozen=True, slots=True)
class TableCost:
    """Bytes of a service's tables and indexes: of an order, and of each of its messages."""

    of_order: float
    of_message: float


@dataclass(frozen=True, slots=True)
class Costs:
    """All that `orderflow capacity` reckons with; CPU in µs, by process (the service's process,
    `kafka`, `postgres`).
    """

    kinds: Mapping[str, Mapping[str, float]]
    """By kind of message: upsert, update, fulfilment, scan. From the benchmark."""
    services: Mapping[str, ServiceCost]
    topics: Mapping[str, TopicCost]
    tables: Mapping[str, TableCost]
    """By service; without deliveries, whose rows are kept for days."""
    delivery_us: Mapping[str, float]
    delivery_bytes: float
    """Bytes of the tables of deliveries for an event that was sent to one destination."""
    request_us: float
    resident_mb: int
    measured_per_second: float
    """The highest rate that was measured, of two processes on two cores with both servers."""
    most_messages_per_order: float
    """Of the samples whose bytes were measured."""
    sources: tuple[str, ...]
    """What measured it, and when."""


def raw() -> dict[str, Any]:
    """The file as it is."""
    text = (resources.files(__package__ or "orderflow.capacity") / "costs.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def load_costs() -> Costs:
    """The measured costs. Of topics the dearer sample counts, of CPU the mean of all messages, of
    tables the line through the samples.
    """
    found = raw()
    bench, gateway, deliveries = found["benchmark"], found["gateway"], found["deliveries"]
    samples = list(found["measured"]["samples"].values())
    return Costs(
        kinds=bench["us"],
        services={name: _service(name, samples) for name in samples[0]["services"]},
        topics={name: _topic(name, samples) for name in _names(samples)},
        tables={
            service: _tables(service, samples)
            for service in samples[0]["table_bytes"]
            if service != DELIVERIES
        },
        delivery_us=deliveries["us"],
        delivery_bytes=max(
            kept_bytes(each, DELIVERIES) / each["webhook_requests"] for each in samples
        ),
        request_us=gateway["us"]["request"],
        resident_mb=bench["resident_mb"],
        measured_per_second=max(each["per_second"] for each in bench["replicas"].values()),
        most_messages_per_order=max(
            _count(each, MESSAGES) / each["contents"]["orders"] for each in samples
        ),
        sources=tuple(
            f"{found[part]['source']}, {found[part]['date']}"
            for part in ("benchmark", "gateway", "deliveries", "measured")
        ),
    )


def _names(samples: list[dict[str, Any]]) -> list[str]:
    found = {name for each in samples for name in each["topics"]}
    return sorted(name for name in found if not name.startswith(NOT_OF_ORDERS))


def kept_bytes(sample: Mapping[str, Any], service: str) -> int:
    """Bytes of a service's tables in a sample, without those whose rows pass."""
    tables: Mapping[str, int] = sample["table_bytes"][service]
    return sum(size for name, size in tables.items() if not name.startswith(PASSING_TABLES))


def _service(name: str, samples: list[dict[str, Any]]) -> ServiceCost:
    found = [each["services"][name] for each in samples]
    messages = sum(one["messages"] for one in found)
    return ServiceCost(
        us={
            process: sum(one["us"][process] * one["messages"] for one in found) / messages
            for process in (PROCESS, KAFKA, POSTGRES)
        },
        wal_bytes=max(one["wal_bytes"] for one in found),
        connections=max(one["connections"] for one in found),
    )


def _tables(service: str, samples: list[dict[str, Any]]) -> TableCost:
    """The line of bytes over messages, through the samples with the fewest and the most messages
    for an order. Where it would fall, the larger of the two counts for every order.
    """
    points = sorted(
        (_count(each, MESSAGES) / orders, kept_bytes(each, service) / orders)
        for each in samples
        for orders in [each["contents"]["orders"]]
    )
    (few, least), (many, most) = points[0], points[-1]
    if most <= least or many == few:
        return TableCost(max(least, most), 0.0)
    slope = min((most - least) / (many - few), most / many)
    return TableCost(most - slope * many, slope)


def _topic(name: str, samples: list[dict[str, Any]]) -> TopicCost:
    driver = DRIVERS.get(name, MESSAGES)
    found = [(each["topics"][name], _count(each, driver)) for each in samples
             if name in each["topics"] and _count(each, driver)]  # fmt: skip
    return TopicCost(
        driver,
        max(topic["records"] / count for topic, count in found),
        max(topic["bytes"] / topic["records"] for topic, _ in found),
    )


def _count(sample: Mapping[str, Any], driver: str) -> int:
    contents = sample["contents"]
    if driver == MESSAGES:
        return int(contents[COMMANDS] + contents[SCANS])
    return int(contents[driver])
