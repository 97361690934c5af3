"""Fixtures: the rows of the release before in a database of this one."""

import json

import pytest

from services.orders import store
from services.orders.operations.after_migration import change_rows
from services.runtime.operations.change_run import ChangeRun
from tests.integration.orders.release_before.rows import (
    INSERT,
    LATER,
    NUMBERS,
    ROWS,
    events_in,
    versions_in,
)


@pytest.fixture
async def stored(pool):
    """The rows of the release before, in a database of this one."""
    for table, row in ROWS:
        text = row.get("document")
        document = {"document": f"\\x{text.encode().hex()}"} if text is not None else {}
        await pool.execute(INSERT.format(table), json.dumps(row | document))
        if table == "waiting":
            await pool.execute("SELECT nextval('waiting_id_seq')")


@pytest.fixture
def migrate(stored, pool, orders):
    """What `orderflow migrate` does with stored rows; returns its lines."""

    async def run(**more):
        async with pool.acquire() as connection:
            asked = ChangeRun(orders.apply, LATER, lambda line: None, **more)
            return await change_rows(connection, asked)

    return run


@pytest.fixture
async def parcels(pool):
    async def read():
        async with pool.acquire() as connection:
            return await store.read_parcels(connection, NUMBERS)

    return read


@pytest.fixture
def events(pool):
    async def read():
        async with pool.acquire() as connection:
            return await events_in(connection)

    return read


@pytest.fixture
def versions(pool):
    return lambda: versions_in(pool)
