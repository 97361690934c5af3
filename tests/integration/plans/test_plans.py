"""No statement on the hot path reads a whole table: tried on 100,000 rows of everything.

A new statement is found by itself. It is on the hot path unless it is named below with a reason.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path

import asyncpg
import pytest

from services import deliveries, registry, runtime
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.queries import load
from tests.integration.plans.plans import (
    fill,
    parameters,
    rows_read_within,
    statements,
    tables_of,
    whole_tables_read,
)

# Filling the tables takes ten seconds of a machine with nothing else to do.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STATEMENTS = [each for each in statements() if each.plannable]
# What reads everything by its nature, and how often it runs.
SPOILED = "lock_waiting without its index"
LOCK_BATCH = "orders/batch.sql:lock_batch"
OUTBOX = Path(runtime.__file__).parent / "outbox" / "outbox.sql"
RELAY_SQL = load(OUTBOX)
LANE_ROWS = 64
# A round of the relay: 16 shards to read, and rows to delete as `fill` numbers them.
OF_LANES = {
    "read_outbox": (list(range(16)), LANE_ROWS, 1024 * 1024),
    "delete_published": tuple(
        list(column) for column in zip(*((n % 16, n, n % 3) for n in range(1, 501)), strict=True)
    ),
}
SENDER_SQL = load(Path(deliveries.__file__).parent / "sql" / "sending.sql")
OF_SENDERS = ("end_fresh", "defer")
FRESH_ROWS = [
    list(column) for column in zip(*((n % 16, n, n % 3) for n in range(1, 501)), strict=True)
]
SPOILED_WITHIN = "lock_batch without its index"
REPORT = "a report over all facts, made for a person"
REBUILD = "empties the table, once, on an operator's command"
ONCE = "once, on an operator's command to rebuild; the service is stopped"
BY_INDEX = "run in the sender's session alone, which plans by index; tried below"
FAILING = "once a second; destinations that fail or have a backlog are few"
WHOLE_BY_NATURE = {
    "runtime/outbox.sql:has_waiting_rows": "stops at the first row; asked when shards change",
    "runtime/parking.sql:count_parked": "a gauge, every few seconds; the queue is mostly empty",
    "runtime/parking.sql:read_keys": "an operator's list of what is behind what",
    "runtime/store.sql:count_waiting": "a gauge, every few seconds; little waits",
    "orderflow/explain_order.sql:unpublished": "an operator's look at one order",
    "orders/erase.sql:clear_samples": "an operator's act on one order; at most 10,000 rows",
    "orders/renumber.sql:find_other_spellings": "once a migration; reads the index alone",
    "orders/campaigns.sql:measure": "a gauge, every few seconds; reviews are few",
    "orders/unmapped.sql:save_unmapped": "counts at most 10,000 rows, where a code is unknown",
    "analytics/rebuild.sql:delete_orders": REBUILD,
    "analytics/rebuild.sql:delete_parcels": REBUILD,
    "analytics/rebuild.sql:delete_claims": REBUILD,
    "analytics/rebuild.sql:delete_sales": REBUILD,
    "analytics/rebuild.sql:delete_durations": REBUILD,
    "analytics/rebuild.sql:delete_counts": REBUILD,
    "claims/rebuild.sql:delete_order_copies": REBUILD,
    "claims/rebuild.sql:delete_claims": REBUILD,
    "claims/rebuild.sql:delete_anchors": REBUILD,
    "claims/rebuild.sql:keep_applied_items": REBUILD,
    "gateway/store.sql:read_valid_keys": "all of them, in memory; some times a minute",
    "gateway/store.sql:find_keys": "an operator's list",
    "deliveries/sending.sql:end_fresh": BY_INDEX,
    "deliveries/sending.sql:defer": BY_INDEX,
    "deliveries/sending.sql:read_health": "when a process takes shards: all that it serves",
    "deliveries/sending.sql:end_health": FAILING,
    "deliveries/sending.sql:reset_removed": FAILING,
    "deliveries/sending.sql:drop_removed": FAILING,
    "deliveries/gauges.sql:measure": "gauges, every few seconds",
    "deliveries/upkeep.sql:has_needed_bodies": "once a day; fresh deliveries are few",
    "deliveries/upkeep.sql:carry_bodies": "once a day",
    "deliveries/rebuild.sql:find_waiting": ONCE,
    "deliveries/rebuild.sql:place_deliveries": ONCE,
    "deliveries/rebuild.sql:place_backlog": ONCE,
    "deliveries/rebuild.sql:delete_bodies": ONCE,
    "deliveries/rebuild.sql:number_logs": ONCE,
    "deliveries/rebuild.sql:forget_kept": ONCE,
    "deliveries/rebuild.sql:count_missing": ONCE,
    "analytics/report.sql:read_order_figures": REPORT,
    "analytics/report.sql:read_order_figures_by_carrier": REPORT,
    "analytics/report.sql:read_parcel_figures": REPORT,
    "analytics/report.sql:read_item_values": REPORT,
    "analytics/report.sql:read_claim_figures": REPORT,
}


@pytest.fixture(scope="module")
def reads(stack, template_database):
    """What each statement reads whole; or the error that kept it from being tried."""
    return asyncio.run(_in_a_copy(_explain, stack.database_url, template_database))


async def _in_a_copy(look, server_url, template):
    name = f"plans_{uuid.uuid4().hex[:8]}"
    owner = await asyncpg.connect(server_url)
    await owner.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        return await look(server_url.rsplit("/", 1)[0] + f"/{name}")
    finally:
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await owner.close()


async def _explain(url):
    found = {}
    owner = await asyncpg.connect(url)
    for service in registry.names():
        # What all services have is tried in orders alone; elsewhere, only what its own
        # statements speak of is filled.
        spoken = " ".join(s.text for s in STATEMENTS if s.service == service)
        tables = [t for t in await tables_of(owner, service) if re.search(rf"\b{t}\b", spoken)]
        await fill(owner, service, tables)
        connection = await connect(Settings(database_url=url), service)
        if not registry.entry_of(service).consumes:
            await connection.execute("SET ROLE NONE")  # Its rows are written by the owner.
        for statement in STATEMENTS:
            if statement.service == service:
                found[str(statement)] = await _tried(connection, statement)
        await connection.close()
    await owner.execute("DROP INDEX orders.waiting_by_name")
    found[SPOILED] = await _spoiled(url, "runtime/store.sql:lock_waiting")
    found[SPOILED_WITHIN] = await _spoiled(url, LOCK_BATCH)
    await owner.close()
    return found


async def _planned_while_empty(url):
    """What a session reads that made its plans on empty tables and heard of no statistics since."""
    (statement,) = [each for each in STATEMENTS if str(each) == LOCK_BATCH]
    owner = await asyncpg.connect(url)
    session = await connect(Settings(database_url=url), "orders")
    await session.fetch(statement.text, *await parameters(session, statement))
    await fill(owner, "orders", ["waiting", "stored_parcel", "reference", "stored_order", "parked"],
               is_analysed=False)  # fmt: skip
    found = await _tried(session, statement)
    await session.close()
    await owner.close()
    return found


async def _planned_by_a_lane(url):
    """What the relay's statements read, planned on an outbox that was empty, once it is full."""
    owner = await asyncpg.connect(url)
    session = await connect(Settings(database_url=url), "orders", "relay.publisher")
    await session.fetchrow(RELAY_SQL["plan_by_index"])
    for name, values in OF_LANES.items():
        await session.fetch(RELAY_SQL[name], *values)
    await fill(owner, "orders", ["outbox"], is_analysed=False)
    found = {
        name: await rows_read_within(session, "orders", RELAY_SQL[name], values)
        for name, values in OF_LANES.items()
    }
    await session.close()
    await owner.close()
    return found


async def _planned_by_a_sender(url):
    """What the sender's statements read, planned on a table that was empty, once it is full."""
    owner = await asyncpg.connect(url)
    session = await connect(Settings(database_url=url), "deliveries", "sender")
    await session.fetchrow(SENDER_SQL["plan_by_index"])
    for name in OF_SENDERS:
        await session.execute(SENDER_SQL[name], *FRESH_ROWS)
    await fill(owner, "deliveries", ["delivery"], is_analysed=False)
    found = {
        name: await rows_read_within(session, "deliveries", SENDER_SQL[name], FRESH_ROWS)
        for name in OF_SENDERS
    }
    await session.close()
    await owner.close()
    return found


async def _spoiled(url, name):
    """The same look at a statement whose index is gone."""
    (statement,) = [each for each in STATEMENTS if str(each) == name]
    connection = await connect(Settings(database_url=url), "orders")
    found = await _tried(connection, statement)
    await connection.close()
    return found


async def _tried(connection, statement):
    try:
        return await whole_tables_read(connection, statement)
    except (AssertionError, asyncpg.PostgresError) as error:
        return [f"could not be tried: {error}"]


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_no_statement_on_the_hot_path_reads_a_whole_table(reads, statement):
    if str(statement) in WHOLE_BY_NATURE:
        assert reads[str(statement)], f"take {statement} off the list: it reads no whole table"
    else:
        assert reads[str(statement)] == [], (
            f"{statement} needs an index (in a new migration), or, if it is not on the hot path, "
            "its reason in WHOLE_BY_NATURE"
        )


def test_a_missing_index_is_noticed(reads):
    assert reads["runtime/store.sql:lock_waiting"] == []
    assert reads[SPOILED] == ["Seq Scan on waiting"]
    assert reads[LOCK_BATCH] == []
    assert reads[SPOILED_WITHIN] == ["Seq Scan on waiting"]


def test_what_is_named_is_there():
    assert set(WHOLE_BY_NATURE) <= {str(statement) for statement in STATEMENTS}


def test_plans_made_on_empty_tables_hold_while_they_grow(stack, template_database):
    look = _in_a_copy(_planned_while_empty, stack.database_url, template_database)

    assert asyncio.run(look) == []


def test_a_lanes_plans_hold_while_the_outbox_grows(stack, template_database):
    found = asyncio.run(_in_a_copy(_planned_by_a_lane, stack.database_url, template_database))

    for name, asked in (("read_outbox", 16 * LANE_ROWS), ("delete_published", 500)):
        tables = found[name]
        assert {row["relname"] for row in tables} == {"outbox_0", "outbox_1", "outbox_2"}
        assert not any(row["seq_scan"] for row in tables)
        assert asked <= sum(row["idx_tup_fetch"] for row in tables) < 2 * asked


def test_a_senders_plans_hold_while_deliveries_grow(stack, template_database):
    found = asyncio.run(_in_a_copy(_planned_by_a_sender, stack.database_url, template_database))

    for tables in found.values():
        fresh = [row for row in tables if row["relname"].startswith("delivery_")]
        assert {row["relname"] for row in fresh} == {"delivery_0", "delivery_1", "delivery_2"}
        assert not any(row["seq_scan"] for row in fresh)
        assert sum(row["idx_tup_fetch"] for row in fresh) < 1_000


async def test_what_refers_to_a_row_is_found_by_it(database_url):
    """Deleting a row looks for those that refer to it: without an index it reads all of them."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        """SELECT conrelid::regclass::text AS table, conname
             FROM pg_constraint
            WHERE contype = 'f'
              AND NOT EXISTS (
                  SELECT FROM pg_index
                   WHERE indrelid = conrelid AND indpred IS NULL
                     AND (indkey::smallint[])[0:cardinality(conkey) - 1] @> conkey
                     AND indnkeyatts >= cardinality(conkey))"""
    )
    await connection.close()

    assert [tuple(row) for row in rows] == []
