"""`orderflow republish` as an operator runs it: the try, the run, its last line, going on."""

import asyncio
import re

import asyncpg
import pytest

from tests.integration.cli.test_order import _apply
from tests.integration.orders.conftest import an_upsert

from .conftest import Run

LAST = re.compile(r"republish: orders=(\d+) truncated=0 complete=yes after=(\S+) seconds=[\d.]+")


@pytest.fixture
def orders(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three orders of two shops."""
    upserts = [an_upsert("1"), an_upsert("2"), an_upsert("1", shop="other")]
    asyncio.run(_apply(database_url, *upserts))
    monkeypatch.setenv("DATABASE_URL", database_url)
    return database_url


def test_republish_dry_run_counts_and_publishes_nothing(run: Run, orders: str) -> None:
    tried = run("republish", "--all", "--dry-run")

    assert tried.stdout.splitlines()[-1] == "republish: orders=3 dry_run=yes"
    assert _count(orders, "operator_act") == 0


def test_republish_ends_in_a_line_that_says_where_to_continue(run: Run, orders: str) -> None:
    first = run("republish", "--shop", "demo-shop", "--why", "index lost", "--by", "ada")
    found = LAST.fullmatch(first.stdout.splitlines()[-1])
    assert found is not None, first.output
    assert found[1] == "2"
    assert _count(orders, "operator_act") == 1

    rest = run("republish", "--shop", "demo-shop", "--after", found[2], "--why", "index lost")
    assert " orders=0 " in rest.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        ["--why", "x"],
        ["--all", "--shop", "s", "--why", "x"],
        ["--order", "s/1", "--since", "2h", "--why", "x"],
        ["--order", "nonsense", "--why", "x"],
        ["--all", "--after", "nowhere", "--why", "x"],
        ["--all"],
    ],
    ids=" ".join,
)
def test_republish_refuses_invalid_arguments(run: Run, orders: str, wrong: list[str]) -> None:
    refused = run("republish", *wrong)

    assert refused.exit_code == 2, refused.output
    assert _count(orders, "operator_act") == 0


def _count(database_url: str, table: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(database_url)
        try:
            found: int = await connection.fetchval(f"SELECT count(*) FROM orders.{table}")
            return found
        finally:
            await connection.close()

    return asyncio.run(ask())
