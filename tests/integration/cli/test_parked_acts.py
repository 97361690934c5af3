"""`orderflow parked retry|skip|discard`: done once, written down, or only tried."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from services.runtime.config.settings import Settings
from services.runtime.messages.headers import pack_headers
from tests.integration.orders.conftest import a_cancel, a_record, an_upsert

from .conftest import Database, Run
from .parking import WHY, a_poison, acted, last_line, listed, park_by_hand, refusals

pytestmark = pytest.mark.usefixtures("bug")


@pytest.fixture
def tables(database: Database) -> Callable[[], dict[str, list[str]]]:
    """All rows of the orders service, as text."""

    def read() -> dict[str, list[str]]:
        found = database("SELECT tablename FROM pg_tables WHERE schemaname = 'orders'")
        names = sorted(row["tablename"] for row in found)
        return {
            name: [row[0] for row in database(f"SELECT t::text FROM orders.{name} AS t ORDER BY 1")]
            for name in names
        }

    return read


def test_retry_drains_the_queue_in_order_and_is_recorded(
    run: Run, work: Callable[..., None], bug: dict[str, bool]
) -> None:
    poison = a_poison()
    work(poison, a_cancel("1"))
    bug["mended"] = True

    result = run("parked", "retry", str(poison.coordinates), *WHY)

    assert result.exit_code == 0, result.output
    assert last_line(result) == (
        "parked: retry=2 applied=2 no_change=0 rejected=0 waiting=0 parked=0 behind=0"
    )
    assert listed(run, "--kind", "behind") == listed(run) == []
    head, cancel = acted(run)
    assert (head["act"], head["actor"], head["reason"]) == ("parked.retry", "ana", "ticket 7")
    assert (head["topic"], head["offset"], head["index"]) == (
        "orders.commands",
        poison.coordinates.offset,
        0,
    )
    assert (head["detail"]["kind"], head["detail"]["became"]) == ("decision", "applied")
    assert head["detail"]["error"] == "Bug: a decision that fails"
    assert cancel["detail"]["became"] == "applied"


def test_retry_stops_at_next_failure_with_its_status(run: Run, work: Callable[..., None]) -> None:
    work(a_poison("1"), a_cancel("1"), a_poison("2"))

    result = run("parked", "retry", "--error", "a decision", *WHY)

    assert result.exit_code == 1
    assert "still parked: 2 that failed again, 1 behind" in result.stderr
    assert "parked=2 behind=1" in last_line(result)
    assert [item["attempts"] for item in listed(run)] == [2, 2]
    # What was not tried has no act.
    assert [act["detail"]["became"] for act in acted(run)] == ["parked", "parked"]


def test_skip_rejects_the_item_with_the_given_reason_and_the_rest_continues(
    run: Run, work: Callable[..., None], database: Database
) -> None:
    work(an_upsert("1"))
    work(a_poison(), a_cancel("1"))

    result = run("parked", "skip", "--order", "demo-shop/1", "--kind", "decision", *WHY, "--json")

    assert result.exit_code == 0, result.output
    results = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["act"], each["became"], each["done"]) for each in results] == [
        ("parked.skip", "rejected", True),
        ("parked.retry", "applied", True),
    ]
    assert refusals(database) == [("skipped_by_operator", "ticket 7")]
    assert [(act["act"], act["detail"].get("along_with")) for act in acted(run)] == [
        ("parked.skip", None),
        ("parked.retry", "parked.skip"),
    ]


def test_skip_refuses_an_item_behind_another(run: Run, work: Callable[..., None]) -> None:
    work(a_poison(), a_cancel("1"))

    result = run("parked", "skip", "--kind", "behind", *WHY)

    assert result.exit_code == 1
    assert "still parked: 1 behind an item that was not meant" in result.stderr
    assert acted(run) == []


def test_discard_rejects_the_item_and_all_behind_it(
    run: Run, work: Callable[..., None], database: Database
) -> None:
    work(a_poison("1"), a_cancel("1"), a_poison("2"))

    result = run("parked", "discard", listed(run)[0]["place"], *WHY)

    assert result.exit_code == 0, result.output
    assert refusals(database) == [("discarded_by_operator", "ticket 7")] * 2
    assert [act["act"] for act in acted(run)] == ["parked.discard"] * 2
    assert len(listed(run)) == 1


@pytest.mark.parametrize("verb", ["retry", "skip", "discard"])
def test_dry_run_prints_the_result_and_changes_nothing(
    run: Run,
    work: Callable[..., None],
    bug: dict[str, bool],
    database: Database,
    service: Settings,
    tables: Any,
    verb: str,
) -> None:
    work(an_upsert("1"))
    work(a_poison(), a_cancel("1"), a_poison("2"))
    bug["mended"] = True
    # As the service noted it when it started.
    database("INSERT INTO orders.outbox_shards (shards) VALUES ($1)", service.outbox_shards)
    before = tables()

    result = run("parked", verb, "--all", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "would be: " in result.stdout
    assert last_line(result).startswith(f"parked: would_{verb}=3 ")
    assert last_line(result).endswith("parked=0 behind=0 untried=0")
    assert tables() == before


def test_dry_run_that_would_fail_has_its_status(run: Run, work: Callable[..., None]) -> None:
    work(a_poison())

    result = run("parked", "retry", "--all", "--dry-run")

    assert result.exit_code == 1
    assert "would still be parked: 1 that failed again" in result.stderr


def test_retry_drains_a_long_queue_in_several_transactions(
    run: Run, work: Callable[..., None], bug: dict[str, bool], database: Database
) -> None:
    work(a_poison(), *(a_cancel("1") for _ in range(500)))
    bug["mended"] = True

    result = run("parked", "retry", "1", *WHY)

    assert result.exit_code == 0, result.output
    assert last_line(result).startswith("parked: retry=501 applied=2 no_change=499 ")
    (row,) = database(
        "SELECT count(*) AS acts, count(DISTINCT xmin::text) AS steps FROM orders.operator_act"
    )
    assert (row["acts"], row["steps"]) == (501, 2)


@pytest.mark.parametrize(
    ("act", "became"),
    [
        ("retry", "applied=2 no_change=1198 rejected=0"),
        ("skip", "applied=0 no_change=0 rejected=1200"),
        ("discard", "applied=0 no_change=0 rejected=1200"),
    ],
)
def test_act_on_1200_items_works_to_the_end_in_order_and_is_recorded(
    run: Run,
    work: Callable[..., None],
    bug: dict[str, bool],
    database: Database,
    act: str,
    became: str,
) -> None:
    work(a_poison(), *(a_cancel("1") for _ in range(1199)))
    bug["mended"] = True

    result = run("parked", act, "--order", "demo-shop/1", *WHY)

    assert result.exit_code == 0, result.output
    assert last_line(result).startswith(f"parked: {act}=1200 {became} ")
    assert database("SELECT FROM orders.parked") == []
    acts = database('SELECT "offset", xmin::text AS step FROM orders.operator_act ORDER BY id')
    offsets = [row["offset"] for row in acts]
    assert (len(offsets), offsets) == (1200, sorted(offsets))
    assert len({row["step"] for row in acts}) == 3


def test_retry_reports_items_of_a_record_parked_unread_together(
    run: Run, work: Callable[..., None], database: Database
) -> None:
    body = {"shop_slug": "demo-shop", "items": [{"id": "1"}, {"id": 2}]}
    record = a_record("orders.fulfill_bulk", body, key=b"demo-shop")
    work(a_poison(), an_upsert("2"))
    database(
        "UPDATE orders.parked SET index = -1, kind = 'crash', type = 'orders.fulfill_bulk', "
        "value = $1, headers = $2",
        record.value,
        pack_headers(record.headers),
    )

    result = run("parked", "retry", "1", *WHY)

    assert result.exit_code == 0, result.output
    assert "1 waits for what it names, 1 rejected" in result.stdout
    (act,) = acted(run)
    assert (act["index"], act["detail"]["became"]) == (-1, {"waiting": 1, "rejected": 1})


@pytest.mark.parametrize("whose", ["claims", "analytics"])
def test_parked_acts_work_for_the_other_services(run: Run, database: Database, whose: str) -> None:
    park_by_hand(database, whose, "orders.events", 7)

    result = run("parked", "skip", "orders.events/0/7", *WHY)

    assert result.exit_code == 0, result.output
    (row,) = database(f"SELECT reason FROM {whose}.rejected")
    assert row["reason"] == "skipped_by_operator"
    assert [(act["service"], act["act"]) for act in acted(run)] == [(whose, "parked.skip")]


def test_parked_acts_report_a_queue_locked_by_another_transaction(
    run: Run, work: Callable[..., None], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(a_poison())
    monkeypatch.setenv("DATABASE_LOCK_TIMEOUT_SECONDS", "0.1")
    with asyncio.Runner() as other:
        connection = other.run(_connect(database_url))
        lock = "SELECT pg_advisory_lock(hashtextextended('orderflow.parking.orders', 0))"
        other.run(connection.execute(lock))
        result = run("parked", "skip", "--all", *WHY)
        other.run(connection.close())

    assert result.exit_code == 1
    assert "locked by another transaction" in result.stderr
    assert "DATABASE_LOCK_TIMEOUT_SECONDS=0.1" in result.stderr
    assert len(listed(run)) == 1


def test_parked_acts_refuse_another_number_of_shards(
    run: Run, work: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    work(a_poison())
    assert run("parked", "skip", "--all", "--dry-run").exit_code == 0
    monkeypatch.setenv("ORDERFLOW_OUTBOX_SHARDS", "3")

    result = run("parked", "skip", "--all", *WHY)

    assert result.exit_code == 1
    assert "this is not the setting that orders runs with" in result.stderr
    assert len(listed(run)) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("skip",), 2, "say why"),
        (("skip", *WHY), 2, "which? name items, or give a filter, or --all"),
        (("skip", "1", "--kind", "write", *WHY), 2, "not both"),
        (("retry", "7", *WHY), 1, "7 is not parked (any more)"),
        (("edit-and-retry", "orders.commands/0/7", *WHY), 1, "is not parked"),
    ],
)
def test_parked_acts_refuse_invalid_arguments(
    run: Run, service: object, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = run("parked", *arguments)

    assert result.exit_code == status, result.output
    assert said in result.stderr.replace("\n", " ")


def test_parked_acts_with_a_filter_that_matches_nothing_end_at_once(
    run: Run, service: object
) -> None:
    result = run("parked", "discard", "--order", "demo-shop/1", *WHY)

    assert result.exit_code == 0
    assert last_line(result).startswith("parked: discard=0 ")


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url)
