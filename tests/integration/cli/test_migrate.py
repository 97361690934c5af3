"""Migrations on a real Postgres: again, at once, changed, failing; and what roles may do."""

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services import registry
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import RoleMissing, connect, create_pool
from services.runtime.postgres.migrate import (
    SERVICES_FOLDER,
    MigrationError,
    check,
    migrate,
)
from tests.integration.compression import compressed_by_lz4

from .conftest import Run


@pytest.fixture
async def service(empty_database_url: str) -> AsyncIterator[str]:
    """A service of this test's own: its role is the server's, so no other test may see it."""
    name = f"trial_{uuid.uuid4().hex[:8]}"
    yield name
    connection = await asyncpg.connect(empty_database_url)
    try:
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", f"orderflow_{name}"
        ):
            await connection.execute(f"DROP OWNED BY orderflow_{name}")
            await connection.execute(f"DROP ROLE orderflow_{name}")
    finally:
        await connection.close()


@pytest.fixture
def folder(tmp_path: Path, service: str) -> Path:
    """Migrations of the trial service: the shared ones, and one table of its own."""
    shutil.copytree(SERVICES_FOLDER / "runtime" / "migrations", tmp_path / "runtime" / "migrations")
    _write(tmp_path, service, "0001_thing.sql", "CREATE TABLE thing (id int PRIMARY KEY);")
    return tmp_path


def _write(folder: Path, service: str, name: str, sql: str) -> None:
    place = folder / service / "migrations"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(sql)


async def test_migrate_compresses_large_values_with_lz4_where_the_server_has_it(
    database_url: str,
) -> None:
    is_there, columns = await compressed_by_lz4(database_url)

    assert set(columns) == {is_there}


async def test_migrate_applies_each_file_once(
    empty_database_url: str, service: str, folder: Path
) -> None:
    first = await migrate(empty_database_url, [service], folder=folder)
    second = await migrate(empty_database_url, [service], folder=folder)

    assert first[-1] == f"{service}: {service}/0001_thing.sql"
    assert second == []


async def test_migrate_run_concurrently_applies_each_file_once(empty_database_url: str) -> None:
    runs = await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))

    applied = [line for run in runs for line in run]
    assert len(applied) == len(set(applied))
    assert {line.split(":")[0] for line in applied} == set(registry.names())


async def test_migrate_of_two_databases_at_once_agrees_on_shared_roles(
    empty_database_url: str, database_url: str, service: str, folder: Path
) -> None:
    try:
        await asyncio.gather(
            migrate(empty_database_url, [service], folder=folder),
            migrate(database_url, [service], folder=folder),
        )
    finally:
        connection = await asyncpg.connect(database_url)
        await connection.execute(f"DROP OWNED BY orderflow_{service}")
        await connection.close()


async def test_migrate_refuses_a_changed_file(
    empty_database_url: str, service: str, folder: Path
) -> None:
    await migrate(empty_database_url, [service], folder=folder)
    _write(folder, service, "0001_thing.sql", "CREATE TABLE thing (id bigint PRIMARY KEY);")

    with pytest.raises(MigrationError, match="was changed after it was applied"):
        await migrate(empty_database_url, [service], folder=folder)


async def test_migrate_refuses_a_file_before_the_last_applied_one(
    empty_database_url: str, service: str, folder: Path
) -> None:
    await migrate(empty_database_url, [service], folder=folder)
    _write(folder, service, "0000_late.sql", "SELECT 1;")

    with pytest.raises(MigrationError, match="give it a higher number"):
        await migrate(empty_database_url, [service], folder=folder)


async def test_migrate_rolls_back_a_failing_file(
    empty_database_url: str, service: str, folder: Path
) -> None:
    _write(folder, service, "0002_more.sql", "CREATE TABLE more (); SELECT nonsense;")
    with pytest.raises(
        MigrationError, match=r"0002_more.sql failed .* \"nonsense\" does not exist"
    ):
        await migrate(empty_database_url, [service], folder=folder)

    _write(folder, service, "0002_more.sql", "CREATE TABLE more ();")

    assert await migrate(empty_database_url, [service], folder=folder) == [
        f"{service}: {service}/0002_more.sql"
    ]


async def test_schema_that_is_behind_is_reported_by_the_service(
    empty_database_url: str, service: str, folder: Path
) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        with pytest.raises(MigrationError, match=r"is not set up: run `orderflow migrate`"):
            await check(connection, service, folder)
        await migrate(empty_database_url, [service], folder=folder)
        await check(connection, service, folder)
        _write(folder, service, "0002_more.sql", "CREATE TABLE more ();")
        with pytest.raises(MigrationError, match=r"lacks .*0002_more.sql: run `orderflow migrate`"):
            await check(connection, service, folder)
    finally:
        await connection.close()


async def test_schema_that_is_newer_is_accepted_by_older_code(
    empty_database_url: str, service: str, folder: Path
) -> None:
    _write(folder, service, "0002_more.sql", "CREATE TABLE more ();")
    await migrate(empty_database_url, [service], folder=folder)
    (folder / service / "migrations" / "0002_more.sql").unlink()

    connection = await asyncpg.connect(empty_database_url)
    try:
        await check(connection, service, folder)
    finally:
        await connection.close()


async def test_role_can_log_in_once_it_has_a_password(
    empty_database_url: str, service: str, folder: Path
) -> None:
    login = f"SELECT rolcanlogin FROM pg_roles WHERE rolname = 'orderflow_{service}'"
    connection = await asyncpg.connect(empty_database_url)
    try:
        await migrate(empty_database_url, [service], folder=folder)
        before = await connection.fetchval(login)
        await migrate(empty_database_url, [service], {service: "it's \\ secret"}, folder)
        after = await connection.fetchval(login)
    finally:
        await connection.close()
    own = urlsplit(empty_database_url)
    login_url = own._replace(netloc=f"orderflow_{service}@{own.netloc.split('@')[-1]}").geturl()
    lone = await connect(Settings(database_url=login_url), service)
    try:
        who = await lone.fetchval("SELECT session_user")
        await check(lone, service, folder)
    finally:
        await lone.close()

    assert (before, after, who) == (False, True, f"orderflow_{service}")


async def test_role_that_is_missing_is_an_error_that_says_how_to_create_it(
    empty_database_url: str,
) -> None:
    with pytest.raises(RoleMissing, match=r"orderflow_ghost.*Run `orderflow migrate`"):
        await create_pool(
            Settings(database_url=empty_database_url),
            "ghost",
        )


@pytest.mark.parametrize("service_name", registry.names())
async def test_role_of_a_service_reaches_its_own_rows_only(
    database_url: str, service_name: str
) -> None:
    pool = await create_pool(Settings(database_url=database_url), service_name)
    others = [name for name in registry.names() if name != service_name]
    try:
        async with pool.acquire() as connection:
            who = await connection.fetchrow("SELECT current_user, current_schema AS place")
            assert who is not None
            assert (who["current_user"], who["place"]) == (
                f"orderflow_{service_name}",
                service_name,
            )
            assert await connection.fetchval("SELECT count(*) FROM operator_act") == 0
            for forbidden in (
                *(f"SELECT * FROM {other}.operator_act" for other in others),
                "CREATE TABLE mine ()",
                "ALTER TABLE operator_act ADD COLUMN more int",
                "DELETE FROM migration",
                "CREATE SCHEMA mine",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(forbidden)
    finally:
        await pool.close()


async def test_connection_waits_are_all_bounded(database_url: str) -> None:
    settings = Settings(
        database_url=database_url,
        database_lock_timeout_seconds=1.5,
        database_idle_in_transaction_timeout_seconds=7,
    )
    pool = await create_pool(settings, "orders")
    try:
        async with pool.acquire() as connection:
            names = ("lock_timeout", "idle_in_transaction_session_timeout", "application_name")
            found = [await connection.fetchval("SELECT current_setting($1)", n) for n in names]
    finally:
        await pool.close()

    assert found == ["1500ms", "7s", "orderflow_orders"]


async def test_connection_is_lent_again_without_a_transaction(
    database_url: str,
) -> None:
    pool = await create_pool(Settings(database_url=database_url), "orders", size=1)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg reports it.
    try:
        async with pool.acquire() as connection:
            before = connection.get_server_pid()
            await connection.execute("BEGIN")
            await connection.execute("SET LOCAL lock_timeout = 0")
        async with pool.acquire() as connection:
            assert connection.get_server_pid() == before
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SHOW lock_timeout") == "10s"
            await connection.execute("SET work_mem = '5MB'")
        async with pool.acquire() as connection:  # Nothing is reset: see test_queries.py.
            assert await connection.fetchval("SHOW work_mem") == "5MB"
    finally:
        await pool.close()


async def test_connection_stores_json_from_text_or_bytes_unchanged(database_url: str) -> None:
    connection = await connect(Settings(database_url=database_url), "orders")
    try:
        found = await connection.fetchval(
            "SELECT array_agg(j) FROM unnest($1::jsonb[]) AS j", ['{"a": 1.10}', b'["\xc3\xa9"]']
        )
    finally:
        await connection.close()

    assert found == [b'{"a": 1.10}', '["é"]'.encode()]


def test_migrate_prints_what_it_applied(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    first, second = run("migrate", "orders"), run("migrate", "orders", "--json")
    wrong = run("migrate", "payments")

    assert first.stdout.splitlines()[-1].startswith("migrate: applied=")
    assert second.stdout == '{"applied":[],"changed":[]}\n'
    assert (wrong.exit_code, "no service payments" in wrong.stderr) == (2, True)


def test_migrate_prints_the_tracking_numbers_that_it_changed(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    run("migrate", "orders")
    asyncio.run(_store_number(empty_database_url, "ABC#1"))

    first, second = run("migrate", "orders"), run("migrate", "orders")

    assert "changed  orders: 'ABC#1' is 'ABC1' now" in first.stdout
    assert "changed" not in second.stdout


async def _store_number(database_url: str, number: str) -> None:
    connection = await asyncpg.connect(database_url)
    document = json.dumps({"number": number}).encode()
    try:
        await connection.execute(
            "INSERT INTO orders.stored_parcel (number, document, owners) VALUES ($1, $2, '{}')",
            number,
            document,
        )
    finally:
        await connection.close()


def test_migrate_without_a_database_ends_in_an_error_without_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    result = run("migrate")

    assert result.exit_code == 1
    assert "See DATABASE_URL" in result.stderr
