"""SQL statements in files are loaded by name, and leave nothing on pooled connections."""

import re
from pathlib import Path

import pytest

from services.runtime.postgres.queries import QueryFileError, load
from tests.statements import statement_files

# What outlives its transaction, and on which connections outside any pool.
OF_A_SESSION = re.compile(
    r"set_config\([^()]*,\s*false\)"
    r"|pg_(?:try_)?advisory_lock(?:_shared)?\("
    r"|^(?:SET (?!LOCAL)|LISTEN |CREATE TEMP)",
    re.MULTILINE | re.IGNORECASE,
)
OWN_CONNECTIONS = {
    "set_lock_timeout": "the migration's",
    "lock_database": "the migration's",
    "end_when_silent": "the leases'",
    "try_lease": "the leases'",
    "share_lease": "the leases'",
    "commit_durably": "the shard publishers'",
    "commit_at_once": "the shard publishers'",
    "plan_by_index": "the shard publishers' and the senders'",
}


def test_queries_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(
        "-- All about a.\n\n-- name: lock_a\n-- One a. $1 id\nSELECT 1\n  FROM a;\n\n"
        "-- name: save_a\n-- Keep it.\nINSERT INTO a VALUES ($1);\n"
    )
    (tmp_path / "b.sql").write_text("-- name: count_b\nSELECT count(*) FROM b")

    queries = load(tmp_path)

    assert list(queries) == ["lock_a", "save_a", "count_b"]
    assert queries["lock_a"] == "-- lock_a\n-- One a. $1 id\nSELECT 1\n  FROM a"
    assert load(tmp_path / "b.sql")["count_b"] == "-- count_b\nSELECT count(*) FROM b"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "'a' is given twice"),
        ("-- name: a\n-- Nothing here.\n-- name: b\nSELECT 2;", "'a' has no statement"),
        ("-- name:\nSELECT 1;", "'' is no name"),
        ("-- name: Lock\nSELECT 1;", "'Lock' is no name"),
        ("SELECT 1;", "needs a line `-- name"),
        ("SELECT 1;\n-- name: b\nSELECT 2;", "needs a line `-- name"),
    ],
)
def test_queries_of_a_flawed_file_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.sql").write_text(text)

    with pytest.raises(QueryFileError, match=complaint):
        load(tmp_path)


def test_queries_of_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryFileError, match=r"nowhere\.sql: no \.sql file here"):
        load(tmp_path / "nowhere.sql")


def test_queries_change_no_setting_of_a_pooled_connection() -> None:
    """Pools reset nothing (decision 0082): the next borrower would have the setting."""
    found = {
        name
        for file in statement_files("services")
        for name, statement in load(file).items()
        if OF_A_SESSION.search(statement)
    }

    assert found == set(OWN_CONNECTIONS)
