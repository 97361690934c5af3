"""What a load needs, by the formula of docs/scale.md. No I/O: values in, a plan out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orderflow.capacity.costs import (
    CLAIMS,
    COMMANDS,
    DELIVERIES,
    KAFKA,
    MESSAGES,
    POSTGRES,
    PROCESS,
    SCANS,
    Costs,
)
from orderflow.capacity.load import Load
from schemas.topics import EVENT_TOPICS, FEED, ORDERS_STATE, TOPICS

BUSY = 0.7
"""Share of a core that a process uses in the busiest second, so that a backlog drains."""
SERVERS_BUSY = 0.5
"""The same of the cores of Kafka and Postgres."""
LEAST_REPLICAS = 2
"""So that one may be stopped or killed."""
LEAST_PARTITIONS, MOST_PARTITIONS = 6, 1000
LEAST_SHARDS = 8
POSTGRES_PER_SECOND = 30_000
"""Messages a second of one primary, bounded by WAL, locks and vacuum before its CPU (reckoned)."""
POOL_SIZE = 4
MIB_OF_A_PROCESS = 150
"""The goal that the tests of memory hold; measured was less."""
GATEWAY, ORDERS = "gateway", "orders"
DELIVERIES_DAYS = 8
"""How long the tables of deliveries keep an event and its attempts: a week, and the day begun."""
STATE_FACTOR = 2
"""At most half of the compacted topic are old states."""
_FREE = 1.3
"""Disk for what is not reckoned: bloat, logs, growth between two looks."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service: what it takes for an order, and how many processes carry the peak."""

    cpu_us_per_order: float
    processes: int
    replicas: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic in Kafka, all replicas of its partitions together."""

    records_per_day: float
    record_bytes: float
    kept_days: float
    bytes_per_broker: float


@dataclass(frozen=True, slots=True)
class PostgresPlan:
    """The primary of one group of shops."""

    cores: int
    disk_bytes: float
    bytes_per_order: float
    wal_bytes_per_day: float
    connections: int
    max_connections: int


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """The brokers, together unless a name says otherwise."""

    brokers: int
    cores: int
    disk_bytes_per_broker: float
    in_bytes_per_second: float
    out_bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load needs. With several groups of shops all but `groups` and Kafka is of each one."""

    orders_per_second: float
    messages_per_second: float
    groups: int
    partitions: int
    services: Mapping[str, ServicePlan]
    postgres: PostgresPlan
    kafka: KafkaPlan
    topics: Mapping[str, TopicPlan]
    settings: Mapping[str, str]


def plan(load: Load, costs: Costs) -> Plan:
    """Reckon what a load needs, from costs."""
    messages = load.orders_per_second * load.counts[MESSAGES]
    groups = max(1, math.ceil(messages / POSTGRES_PER_SECOND))
    used = cpu_of_an_order(load, costs)
    rate = load.orders_per_second / groups
    services = {name: _service(us[PROCESS], rate, load) for name, us in used.items()}
    partitions = _partitions(services, load)
    topics = {name: _topic(name, load, costs) for name in costs.topics}
    shards = _shards(services[ORDERS].processes)
    return Plan(
        orders_per_second=load.orders_per_second,
        messages_per_second=messages,
        groups=groups,
        partitions=partitions,
        services=services,
        postgres=_postgres(load, costs, used, services, groups),
        kafka=_kafka(load, used, topics),
        topics=topics,
        settings={
            "KAFKA_PARTITIONS": str(min(partitions, MOST_PARTITIONS)),
            "KAFKA_REPLICATION_FACTOR": str(load.replication),
            "ORDERFLOW_OUTBOX_SHARDS": str(shards),
            "DATABASE_POOL_SIZE": str(POOL_SIZE),
        },
    )


def records_of(topic: str, load: Load, costs: Costs) -> float:
    """Records of a topic for one order."""
    cost = costs.topics[topic]
    return cost.ratio * load.counts[cost.driver]


def events_of(load: Load, costs: Costs) -> float:
    """Events of one order, on all event topics."""
    return sum(records_of(topic, load, costs) for topic in EVENT_TOPICS if topic in costs.topics)


def cpu_of_an_order(load: Load, costs: Costs) -> dict[str, dict[str, float]]:
    """CPU in µs for one order, by service and by process."""
    counts = load.counts
    kinds = costs.kinds
    first = min(1.0, counts[COMMANDS])
    parts = ((first, "upsert"), (counts[COMMANDS] - first, "fulfilment"), (counts[SCANS], "scan"))
    events = events_of(load, costs)
    used = {
        ORDERS: {each: sum(n * kinds[kind][each] for n, kind in parts) for each in kinds["scan"]}
    }
    for name in costs.services:
        if name != ORDERS:
            used[name] = {each: events * us for each, us in costs.services[name].us.items()}
    for each, us in kinds["upsert"].items():
        # A command of a claim is taken to cost what a command of an order costs.
        used["claims"][each] += counts[CLAIMS] * us
    for each, us in costs.delivery_us.items():
        used[DELIVERIES][each] += events * load.webhooks_per_event * us
    requests = load.over_http * (counts[MESSAGES] + counts[CLAIMS])
    used[GATEWAY] = {PROCESS: requests * costs.request_us, KAFKA: 0.0, POSTGRES: 0.0}
    return used


def _service(us: float, rate: float, load: Load) -> ServicePlan:
    busy = math.ceil(rate * us / 1e6 / BUSY)
    replicas = max(LEAST_REPLICAS, math.ceil(busy / load.processes))
    processes = replicas * load.processes
    return ServicePlan(us, processes, replicas, processes * MIB_OF_A_PROCESS)


def _partitions(services: Mapping[str, ServicePlan], load: Load) -> int:
    """Enough for each process of a consuming service, with room to grow; six times a power of two,
    so that few numbers of processes share them unevenly.
    """
    most = max(each.processes for name, each in services.items() if name != GATEWAY)
    found = LEAST_PARTITIONS
    while found < most * load.growth:
        found *= 2
    return found


def _shards(processes: int) -> int:
    found = LEAST_SHARDS
    while found < processes:
        found *= 2
    return found


def _topic(name: str, load: Load, costs: Costs) -> TopicPlan:
    records = records_of(name, load, costs) * load.orders_per_day
    size = costs.topics[name].record_bytes
    topic = TOPICS.get(name, FEED)
    if name == ORDERS_STATE:
        kept = float(load.kept_days)
        held = load.orders_per_day * STATE_FACTOR * kept
    else:
        kept = float(topic.retention_days)
        held = records * kept
    return TopicPlan(records, size, kept, held * size * load.replication / load.brokers)


def _postgres(
    load: Load,
    costs: Costs,
    used: Mapping[str, Mapping[str, float]],
    services: Mapping[str, ServicePlan],
    groups: int,
) -> PostgresPlan:
    rate = load.orders_per_second / groups
    us = sum(each[POSTGRES] for each in used.values())
    messages = load.counts[MESSAGES]
    of_order = sum(each.of_order + each.of_message * messages for each in costs.tables.values())
    events = events_of(load, costs)
    sent = events * load.webhooks_per_event * costs.delivery_bytes
    wal = sum(
        cost.wal_bytes * (messages if name == ORDERS else events)
        for name, cost in costs.services.items()
    )
    connections = sum(
        each.processes * (costs.services[name].connections if name in costs.services else POOL_SIZE)
        for name, each in services.items()
    )
    orders = load.orders_per_day / groups
    return PostgresPlan(
        cores=max(2, math.ceil(rate * us / 1e6 / SERVERS_BUSY)),
        disk_bytes=orders
        * (load.kept_days * of_order + min(load.kept_days, DELIVERIES_DAYS) * sent)
        * _FREE,
        bytes_per_order=of_order,
        wal_bytes_per_day=orders * wal,
        connections=connections,
        # Twice, as a replica and the one that replaces it run beside each other; and operators.
        max_connections=math.ceil((connections * 2 + 20) / 50) * 50,
    )


def _kafka(
    load: Load,
    used: Mapping[str, Mapping[str, float]],
    topics: Mapping[str, TopicPlan],
) -> KafkaPlan:
    us = sum(each[KAFKA] for each in used.values())
    second = load.peak_factor / 86_400
    coming = {name: each.records_per_day * each.record_bytes for name, each in topics.items()}
    written = sum(coming.values()) * second
    read = sum(size * _readers(name, load) for name, size in coming.items()) * second
    copies = written * (load.replication - 1)
    return KafkaPlan(
        brokers=load.brokers,
        cores=max(
            load.brokers,
            math.ceil(load.orders_per_second * us / 1e6 / SERVERS_BUSY * load.replication),
        ),
        disk_bytes_per_broker=sum(each.bytes_per_broker for each in topics.values()) * _FREE,
        in_bytes_per_second=written + copies,
        out_bytes_per_second=read + copies,
    )


def _readers(topic: str, load: Load) -> int:
    """Groups that read a topic: our services, and those of others for what is published."""
    ours = len({ORDERS, "claims", "analytics", DELIVERIES} & set(TOPICS[topic].readers))
    return ours if TOPICS[topic].incoming else ours + load.subscribers
