"""A plan as text of at most 80 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from orderflow.capacity.costs import Costs
from orderflow.capacity.load import Load
from orderflow.capacity.plan import Plan

COLUMNS = 80
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def as_json(load: Load, costs: Costs, plan: Plan, warnings: Sequence[str]) -> dict[str, Any]:
    """Everything: what was asked for, what it needs, and what it was reckoned from."""
    return {
        "load": asdict(load) | {"messages_per_order": load.counts["messages"]},
        "plan": asdict(plan),
        "warnings": list(warnings),
        "sources": list(costs.sources),
    }


def tables(load: Load, plan: Plan) -> Iterator[Table]:
    """Services, servers, topics and settings."""
    each = " (each of the groups)" if plan.groups > 1 else ""
    services = _table(
        f"Services{each}", "service", "replicas", "processes in all", "memory in all", "CPU/order"
    )
    for name, one in plan.services.items():
        services.add_row(
            name, f"{one.replicas:,}", f"{one.processes:,}", size(one.memory_mb * 1e6),
            f"{one.cpu_us_per_order:,.0f} µs",
        )  # fmt: skip
    yield services
    yield _servers(load, plan, each)
    topics = _table("Topics", "topic", "records/day", "bytes", "kept", "disk/broker")
    for name, topic in plan.topics.items():
        topics.add_row(
            name, count(topic.records_per_day), f"{topic.record_bytes:,.0f}",
            f"{topic.kept_days:,.0f} d", size(topic.bytes_per_broker),
        )  # fmt: skip
    yield topics
    settings = _table("Settings", "variable", "value")
    for name, value in plan.settings.items():
        settings.add_row(name, value)
    yield settings


def _servers(load: Load, plan: Plan, each: str) -> Table:
    postgres, kafka = plan.postgres, plan.kafka
    table = _table("Servers", "what", "size")
    rows = (
        (f"Postgres{each}: cores", f"{postgres.cores:,}"),
        (f"Postgres: disk for {load.kept_days:,} days of orders", size(postgres.disk_bytes)),
        ("Postgres: an order, with its copies", size(postgres.bytes_per_order)),
        ("Postgres: WAL a day", size(postgres.wal_bytes_per_day)),
        ("Postgres: connections; max_connections",
         f"{postgres.connections:,}; {postgres.max_connections:,}"),
        ("Kafka: brokers; replication", f"{kafka.brokers}; {load.replication}"),
        ("Kafka: cores of all brokers", f"{kafka.cores:,}"),
        ("Kafka: disk of a broker", size(kafka.disk_bytes_per_broker)),
        ("Kafka: in and out of all brokers",
         f"{size(kafka.in_bytes_per_second)}/s, {size(kafka.out_bytes_per_second)}/s"),
    )  # fmt: skip
    for row in rows:
        table.add_row(*row)
    return table


def size(number: float) -> str:
    """Bytes with a unit, in powers of 1,000: 1.2 GB."""
    for unit in _UNITS[:-1]:
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} {_UNITS[-1]}"


def count(number: float) -> str:
    """A number, rounded to thousands or millions where it is large."""
    if number < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1e3:,.0f} k" if number < 1e7 else f"{number / 1e6:,.0f} M"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", width=COLUMNS, title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table
