"""A million orders of the release before: what the migration costs, and the batches beside it.

`pytest -m long -s` prints the figures that docs/decisions/0155 has.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from datetime import timedelta
from statistics import median

import asyncpg
import pytest
from rich.console import Console

from services.orders.operations import complete_owners
from services.orders.operations.complete_owners import complete_all_owners
from services.runtime.operations.change_run import RATE, ChangeRun
from tests.integration.batches import patiently
from tests.integration.orders.release_before.rows import LATER, ROWS, a_report

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
NUMBERS = 1_000_000
SHARED_EVERY = 10
REPORTS = 50
STOPPED_AFTER = NUMBERS // SHARED_EVERY // complete_owners.NUMBERS_A_BATCH // 5
COMPLETED = """
SELECT count(*) FROM stored_parcel
 WHERE position('placed_at' IN convert_from(document, 'UTF8')) > 0"""
_OUT = Console(width=150, highlight=False)
ROW = {row.get("number") or row["order_number"]: row for table, row in ROWS if "document" in row}
ORDERS = """
INSERT INTO stored_order (order_id, shop, order_number, version, document, applied)
SELECT md5('{part}' || n)::uuid, 'qa', '{part}' || n, 3, convert_to(replace(replace(replace(
           $1, $2, md5('{part}' || n)::uuid::text), $3, md5('{part}s' || n)::uuid::text),
           $4, 'KEY' || n), 'UTF8'), ''
  FROM generate_series(0, {last}, {step}) AS n"""
ALONE = """
INSERT INTO stored_parcel (number, document, owners)
SELECT 'KEY' || n, convert_to(replace(replace(replace(
           $1, $2, md5('a' || n)::uuid::text), $3, md5('as' || n)::uuid::text),
           $4, 'KEY' || n), 'UTF8'), ARRAY[md5('a' || n)::uuid]
  FROM generate_series(0, {last}) AS n WHERE n % {every} <> 0"""
SHARED = """
INSERT INTO stored_parcel (number, document, owners)
SELECT 'KEY' || n, convert_to(replace(replace(replace(replace(replace(
           $1, $2, md5('a' || n)::uuid::text), $3, md5('as' || n)::uuid::text),
           $4, md5('b' || n)::uuid::text), $5, md5('bs' || n)::uuid::text),
           $6, 'KEY' || n), 'UTF8'), ARRAY[md5('a' || n)::uuid, md5('b' || n)::uuid]
  FROM generate_series(0, {last}, {every}) AS n"""


def shipment_id_of(document):
    return json.loads(document)["shipments"][0]["shipment_id"]


@pytest.fixture
async def stored(database_url):
    """A million numbers, each tenth on two orders: the first is delivered, the second under way."""
    last = NUMBERS - 1
    connection = await asyncpg.connect(database_url)
    await connection.execute("SET search_path = orders; SET synchronous_commit = off")
    for part, name, step in (("a", "first", 1), ("b", "second", SHARED_EVERY)):
        row = ROW[name]
        statement = ORDERS.format(part=part, last=last, step=step)
        document = row["document"]
        await connection.execute(
            statement, document, row["order_id"], shipment_id_of(document), "REUSED2", timeout=900
        )
    first, second = ROW["first"], ROW["second"]
    ids = [first["order_id"], shipment_id_of(first["document"])]
    others = [second["order_id"], shipment_id_of(second["document"])]
    shared = ROW["REUSED2"]["document"]
    document = json.loads(shared)
    document["owners"] = [document["owners"][0] | {"until": None}]
    alone = json.dumps(document, separators=(",", ":"))
    filled = {"last": last, "every": SHARED_EVERY}
    await connection.execute(ALONE.format(**filled), alone, *ids, "REUSED2", timeout=900)
    await connection.execute(SHARED.format(**filled), shared, *ids, *others, "REUSED2", timeout=900)
    await connection.execute("ANALYZE stored_order, stored_parcel", timeout=900)
    yield connection
    await connection.close()


class Beside:
    """Batches of reports on random numbers, one after another, as a running service has them."""

    def __init__(self, apply):
        self._apply = apply
        self._random = random.Random(1)
        self._count = itertools.count()
        self.seconds: list[float] = []

    async def batch(self):
        minute = LATER + timedelta(minutes=next(self._count))
        numbers = self._random.sample(range(NUMBERS), REPORTS)
        reports = [a_report(f"KEY{n}", "SORTED", minute) for n in numbers]
        began = time.monotonic()
        await patiently(lambda *records: self._apply(*records, now=minute), *reports)
        self.seconds.append(time.monotonic() - began)

    async def until(self, task):
        while not task.done():
            await self.batch()


@pytest.fixture
def locked_seconds(monkeypatch):
    """How long each transaction of the migration took, and so held its locks."""
    held: list[float] = []
    inner = complete_owners._complete_locked

    async def timed(connection, numbers):
        began = time.monotonic()
        try:
            return await inner(connection, numbers)
        finally:
            held.append(time.monotonic() - began)

    monkeypatch.setattr(complete_owners, "_complete_locked", timed)
    return held


def show(name, began, beside, held=()):
    """Print what a run cost, and what it cost the batches beside it."""
    ms = [1000 * each for each in sorted(beside.seconds)]
    _OUT.print(
        f"{name}: {time.monotonic() - began:.1f} s; batches of {REPORTS} reports: {len(ms)}, "
        f"median {median(ms):.0f} ms, p99 {ms[len(ms) * 99 // 100]:.0f} ms, longest {ms[-1]:.0f} ms"
    )
    if held:
        longest = 1000 * max(held)
        _OUT.print(f"  transactions: {len(held)}, median {1000 * median(held):.0f} ms, "
                   f"longest {longest:.0f} ms")  # fmt: skip


@pytest.fixture
def migrate(pool, orders):
    async def run(rate):
        async with pool.acquire() as connection:
            return await complete_all_owners(
                connection, ChangeRun(orders.apply, LATER, lambda line: None, rate)
            )

    return run


async def test_million_orders_are_migrated_beside_a_running_service(
    stored, migrate, apply, locked_seconds
):
    beside, began = Beside(apply), time.monotonic()
    for _ in range(100):
        await beside.batch()
    show("no migration", began, beside)

    beside.seconds.clear()
    began, task = time.monotonic(), asyncio.create_task(migrate(RATE))
    while len(locked_seconds) < STOPPED_AFTER:
        await beside.batch()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    show("at its rate, stopped after a fifth", began, beside, locked_seconds)

    beside.seconds.clear()
    locked_seconds.clear()
    began, task = time.monotonic(), asyncio.create_task(migrate(1e9))
    await beside.until(task)
    show("the rest, without a bound", began, beside, locked_seconds)

    began = time.monotonic()
    assert await migrate(1e9) == []
    _OUT.print(f"again: {time.monotonic() - began:.1f} s")
    assert await stored.fetchval(COMPLETED) == NUMBERS // SHARED_EVERY
