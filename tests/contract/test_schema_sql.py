"""Generated SQL is up to date: database functions and the description of each schema."""

import pytest

from services import registry
from tools.schema import (
    SERVICES_FOLDER,
    changed_functions,
    describe,
    functions_in,
    write_migration,
)

FUNCTION = """-- What it is.
CREATE FUNCTION add_one(n int) RETURNS int LANGUAGE sql AS $$
SELECT n + 1
$$;
"""


@pytest.mark.parametrize("service", registry.names())
def test_functions_in_sql_are_those_of_the_last_migration(service):
    assert changed_functions(service) == {}, "run `make schema`"


@pytest.mark.parametrize("service", registry.names())
async def test_schema_sql_describes_the_migrated_database(database_url, service):
    written = (SERVICES_FOLDER / service / "schema.sql").read_text("utf-8")

    assert await describe(database_url, service) == written, "run `make schema`"


def test_functions_of_orders_are_found():
    files = (SERVICES_FOLDER / "orders" / "sql" / "functions").glob("*.sql")

    assert {file.stem: [*functions_in(file.read_text("utf-8"))] for file in files} == {
        "lock_books": ["lock_books"],
        "lock_rows": ["lock_rows"],
        "save_batch": ["save_batch"],
        "save_rows": ["save_rows"],
        "write_batch": ["write_batch"],
    }


@pytest.fixture
def folder(tmp_path):
    """A folder of services: one of them has a function, and a migration before it."""
    (tmp_path / "runtime" / "migrations").mkdir(parents=True)
    (tmp_path / "shop" / "migrations").mkdir(parents=True)
    (tmp_path / "shop" / "migrations" / "0001_begin.sql").write_text("SELECT 1;\n")
    (tmp_path / "shop" / "sql" / "functions").mkdir(parents=True)
    (tmp_path / "shop" / "sql" / "functions" / "add_one.sql").write_text(FUNCTION)
    return tmp_path


def test_migration_is_written_for_a_new_function(folder):
    file = write_migration("shop", folder)

    assert file == folder / "shop" / "migrations" / "0002_add_one.sql"
    assert "CREATE OR REPLACE FUNCTION add_one(n int)" in file.read_text()
    assert write_migration("shop", folder) is None


def test_migration_is_written_for_a_changed_function(folder):
    write_migration("shop", folder)
    changed = FUNCTION.replace("n + 1", "1 + n")
    (folder / "shop" / "sql" / "functions" / "add_one.sql").write_text(changed)

    file = write_migration("shop", folder)

    assert file == folder / "shop" / "migrations" / "0003_add_one.sql"
    assert "SELECT 1 + n" in file.read_text()
