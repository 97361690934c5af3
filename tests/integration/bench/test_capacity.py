"""The plan of `orderflow capacity` beside what a played shop leaves on real servers."""

from __future__ import annotations

import os

import pytest

from bench.capacity.ground import Servers, contents, stored
from demo.installation import Installation
from demo.synthetic import synthetic_script
from deploy.stack import LocalStack
from orderflow.capacity.costs import CLAIMS, COMMANDS, SCANS, kept_bytes, load_costs
from orderflow.capacity.load import Load
from orderflow.capacity.plan import plan

FACTOR = 2.0
"""Tables of a few hundred orders have half-empty pages, and two shops differ."""
COMPARED = ("orders.commands", "orders.outcomes", "orders.events", "shipments.events",
            "carrier.tracking")  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(300)]


async def test_capacity_of_a_played_shop_is_what_it_leaves_on_real_servers(tmp_path) -> None:
    script = synthetic_script(3, scale=1.0)
    with LocalStack(tmp_path / "stack") as servers:
        installation = Installation(servers.start(), tmp_path, f"capacity_{os.getpid()}")
        pids = {"kafka": [servers.kafka.pid or 0], "postgres": [servers.postgres.pid or 0]}
        data = servers.folder / "kafka" / "data"
        found = await stored(Servers(installation, pids, data), script)

    has = contents(script)
    load = Load(
        orders_per_day=has["orders"],
        commands_per_order=has[COMMANDS] / has["orders"],
        messages_per_order=(has[COMMANDS] + has[SCANS]) / has["orders"],
        claims_per_order=has[CLAIMS] / has["orders"],
        parcels_per_order=0.0,
        scans_per_parcel=0.0,
        peak_factor=1.0,
        growth=1.0,
        kept_days=1,
        replication=1,
        brokers=1,
        processes=1,
        subscribers=0,
        webhooks_per_event=0.0,
        over_http=0.0,
    )
    reckoned = plan(load, load_costs())

    measured = sum(kept_bytes(found, name) for name in ("orders", "claims", "analytics"))
    of_order = measured / has["orders"]
    assert of_order / FACTOR <= reckoned.postgres.bytes_per_order <= of_order * FACTOR
    for name in COMPARED:
        topic, planned = found["topics"][name], reckoned.topics[name]
        size = planned.records_per_day * planned.record_bytes
        assert topic["bytes"] / FACTOR <= size <= topic["bytes"] * FACTOR, name
