"""Tables of docs/scale.md, from the same costs that `orderflow capacity` reckons with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orderflow.capacity.costs import KAFKA, POSTGRES, PROCESS, kept_bytes, load_costs, raw

CORES = 2
"""Of the machine of the benchmark, which all processes share."""
_CPU = (PROCESS, KAFKA, POSTGRES)


def cost_table() -> str:
    """CPU of a message or an event, by service and kind."""
    found, costs = raw(), load_costs()
    rows = [(f"orders, {kind}", *(us[each] for each in _CPU)) for kind, us in costs.kinds.items()]
    rows += [
        (f"{name}, event", *(round(cost.us[each]) for each in _CPU))
        for name, cost in costs.services.items()
        if name != "orders"
    ]
    delivery, gateway = found["deliveries"]["us"], found["gateway"]["us"]
    rows.append(("deliveries, request of a webhook", delivery[PROCESS], "", delivery[POSTGRES]))
    rows.append(("gateway, request of one message", gateway["request"], "", ""))
    return _table(("CPU for one, µs", "process", "Kafka", "Postgres"), rows)


def race_table() -> str:
    """Rates by the formula beside the measured ones, by replicas."""
    return _table(
        ("replicas", "by the formula", "measured", "measured / formula"),
        (_race(int(count), each) for count, each in raw()["benchmark"]["replicas"].items()),
    )


def _race(count: int, lap: dict[str, Any]) -> tuple[str, ...]:
    us = lap["us"]
    alone, shared = count * 1e6 / us[PROCESS], CORES * 1e6 / sum(us.values())
    reckoned = min(alone, shared)
    why = "its one core" if alone <= shared else "both cores full"
    measured = lap["per_second"]
    return (
        str(count),
        f"{reckoned:,.0f}/s: {why}",
        f"{measured:,}/s",
        f"{measured / reckoned:.2f}",
    )


def weight_table() -> str:
    """Bytes and records of topics, by sample."""
    samples = raw()["measured"]["samples"]
    names = sorted({topic for each in samples.values() for topic in each["topics"]})
    rows = []
    for name in names:
        cells: list[str] = [f"`{name}`"]
        for each in samples.values():
            topic, orders = each["topics"].get(name), each["contents"]["orders"]
            cells.append(f"{topic['bytes'] / topic['records']:,.0f}" if topic else "")
            cells.append(f"{topic['records'] / orders:.2f}" if topic else "")
        rows.append(cells)
    return _table(("topic", *_each(samples, "bytes a record", "records an order")), rows)


def store_table() -> str:
    """What an order has, and bytes of tables for one order, by sample."""
    samples = raw()["measured"]["samples"]
    rows = [
        (name, *(f"{each['contents'][key] / each['contents']['orders']:.2f}"
                 for each in samples.values()))
        for name, key in (("parcels", "parcels"), ("commands", "commands"),
                          ("messages of carriers", "scans"))
    ]  # fmt: skip
    rows += [
        (f"bytes in tables of {service}",
         *(f"{kept_bytes(each, service) / each['contents']['orders']:,.0f}"
           for each in samples.values()))
        for service in ("orders", "claims", "analytics", "deliveries")
    ]  # fmt: skip
    rows += [
        (f"bytes of WAL of {service}, a message or event",
         *(f"{each['services'][service]['wal_bytes']:,}" for each in samples.values()))
        for service in ("orders", "claims", "analytics")
    ]  # fmt: skip
    return _table(("of an order", *(f"{name}" for name in samples)), rows)


def source_line() -> str:
    """What measured it, and when."""
    return "Measured by: " + "; ".join(f"`{each}`" for each in load_costs().sources) + "."


def _each(samples: Iterable[str], *columns: str) -> Iterator[str]:
    for name in samples:
        yield from (f"{name}: {column}" for column in columns)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
