"""What stands in the way is said in a sentence with the way out: no command shows a traceback."""

from pathlib import Path

import pytest

from .conftest import Run

NO_SERVER = "127.0.0.1:1"


@pytest.mark.parametrize("command", [("order", "demo-shop/1"), ("report",), ("migrate",)])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://somewhere", "the database's address is wrong: "),
        (f"postgresql://postgres@{NO_SERVER}/x", "the database cannot be reached: "),
    ],
)
def test_database_that_is_not_reachable_is_an_error_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    result = run(*command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "See DATABASE_URL" in result.stderr


@pytest.mark.parametrize("command", [("order", "demo-shop/1"), ("report",)])
def test_database_without_tables_is_an_error_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, empty_database_url: str, command: tuple[str, ...]
) -> None:
    """The roles belong to the whole server, so they may be there when the tables are not."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    result = run(*command)

    assert result.exit_code == 1
    assert "run `orderflow migrate`" in result.stderr.lower()


@pytest.mark.parametrize(
    "command", [("tail", "orders.events"), ("topics", "check"), ("send", "-")], ids=" ".join
)
def test_kafka_that_is_not_reachable_is_an_error_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", NO_SERVER)
    line = '{"type":"order.cancel","value":{"shop_slug":"s","id":"1"}}'

    result = run(*command, input=line)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Kafka cannot be used: " in result.stderr
    assert "Unclosed" not in result.stderr


def test_days_in_the_wrong_order_are_refused(run: Run) -> None:
    result = run("report", "--from", "2026-03-02", "--to", "2026-03-01")

    assert result.exit_code == 2
    assert "--from 2026-03-02 is after --to 2026-03-01" in result.stderr


@pytest.mark.parametrize("command", [("order", "demo-shop/1"), ("report",)])
def test_database_that_is_not_named_is_an_error_without_a_running_stack(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.delenv("DATABASE_URL")

    result = run(*command)

    assert result.exit_code == 1
    assert "no database: set DATABASE_URL" in result.stderr
    assert "`orderflow up` starts a local stack" in result.stderr


def test_file_ending_that_names_no_format_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("report", "--out", str(tmp_path / "march.xlsx"))

    assert result.exit_code == 2
    assert ".xlsx names no format: end the file in .txt, .csv, .json" in result.stderr
    assert list(tmp_path.iterdir()) == []
