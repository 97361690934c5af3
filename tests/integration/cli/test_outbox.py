"""`orderflow outbox`: what waits for publication is shown, and a packed row becomes arrays."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.orders.conftest import an_upsert

from .conftest import Database, Run

ROWS = "SELECT id, shard, packed, topics FROM orders.outbox ORDER BY id"


@pytest.fixture
def waiting(work: Callable[..., None], database: Database) -> tuple[int, int]:
    """Shard and id of a packed row that waits: nothing publishes in this test."""
    work(an_upsert("1"))
    (row,) = database(ROWS)
    assert row["packed"] is not None
    return row["shard"], row["id"]


def test_outbox_show_says_so_where_nothing_waits(run: Run, database: Database) -> None:
    shown = run("outbox", "show", "orders")

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.strip() == "outbox: shown=0 unreadable=0"


def test_outbox_show_lists_records_without_their_values(run: Run, waiting: tuple[int, int]) -> None:
    shown = run("outbox", "show", "orders")

    assert shown.exit_code == 0, shown.output
    assert "orders.events" in shown.stdout
    assert "order.placed" in shown.stdout
    assert "zip_code" not in shown.stdout
    assert shown.stdout.strip().endswith("outbox: shown=1 unreadable=0")


def test_outbox_show_as_json_has_the_values(run: Run, waiting: tuple[int, int]) -> None:
    shown = run("outbox", "show", "orders", "--json")

    (row,) = json.loads(shown.stdout)["rows"]
    assert (row["shard"], row["row"]) == waiting
    assert "zip_code" in shown.stdout


def test_outbox_show_names_a_row_that_cannot_be_read(
    run: Run, waiting: tuple[int, int], database: Database
) -> None:
    database("UPDATE orders.outbox SET packed = '\\xff00' RETURNING id")

    shown = run("outbox", "show", "orders")

    assert shown.exit_code == 1
    assert f"shard {waiting[0]} row {waiting[1]}: cannot be read" in shown.stdout


def test_outbox_unpack_puts_arrays_in_the_place_of_a_packed_row_once(
    run: Run, waiting: tuple[int, int], database: Database
) -> None:
    numbers = [str(number) for number in waiting]

    done = run("outbox", "unpack", "orders", *numbers, "--why", "a look by hand")

    assert done.exit_code == 0, done.output
    (row,) = database(ROWS)
    assert (row["shard"], row["id"]) == waiting
    assert row["packed"] is None
    assert "orders.events" in row["topics"]
    again = run("outbox", "unpack", "orders", *numbers, "--why", "a look by hand")
    assert again.exit_code == 1
    assert "no packed row" in again.output
