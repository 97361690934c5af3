"""Claims and analytics lose their tables and are rebuilt from snapshots, while orders go on."""

import asyncio

import pytest

from demo.audit import judge
from demo.comparison import differences
from demo.replicas import start_all, stop_all
from demo.run import differing_totals, report
from demo.script import Script
from tests.e2e.aftermath import (
    WHY,
    facts_alone,
    halves,
    orderflow,
    read_journal,
    tables,
    until_no_lag,
)
from tests.processes import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

TABLES = {
    "claims.order_copy": "order_id",
    "claims.claim": "claim_id",
    "claims.anchor": "name",
    "analytics.order_fact": "order_id",
    "analytics.parcel_fact": "shipment_id",
    "analytics.claim_fact": "claim_id",
}

FIGURES = """
SELECT figure, value, detail, sum(facts)::int
  FROM analytics.fact_count GROUP BY 1, 2, 3 HAVING sum(facts) <> 0 ORDER BY 1, 2, 3
"""


@pytest.fixture
def seed() -> int:
    return 5


async def test_rebuilt_tables_equal_the_live_ones_and_stay_current(
    system: System, script: Script
) -> None:
    first, rest = halves(script)
    await system.player.play(first)
    before = await tables(system, TABLES)
    figures = await system.ask(FIGURES)
    assert all(before.values()), "an empty table proves nothing"
    assert figures
    lost = [*system.of("claims"), *system.of("analytics")]

    refused = await orderflow(system, "rebuild", "claims", *WHY, fails=True)
    assert "stop every replica" in refused
    await asyncio.to_thread(stop_all, lost)
    for service in ("claims", "analytics"):
        tried = await orderflow(system, "rebuild", service, "--dry-run")
        done = await orderflow(system, "rebuild", service, *WHY)
        assert done.splitlines()[0] == tried.strip().removesuffix(" dry_run=yes")
    assert not any((await tables(system, TABLES)).values())
    assert await system.ask(FIGURES) == []
    await asyncio.to_thread(start_all, lost)
    await orderflow(system, "republish", "--all", *WHY)
    await until_no_lag(system, "claims", "analytics")

    after = await tables(system, TABLES)
    for table, rows in before.items():
        assert after[table] == rows, table
    assert await system.ask(FIGURES) == figures
    await system.player.play(rest)
    await until_no_lag(system, "orders", "claims", "analytics")
    found = judge(facts_alone(await read_journal(system)))
    assert found.is_clean, found.summary()
    wrong = differences(script.expectation, found)
    wrong += differing_totals(script.expectation.totals, await report(system.installation))
    assert not wrong, "\n".join(wrong[:20])
