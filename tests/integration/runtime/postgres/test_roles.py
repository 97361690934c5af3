"""The database role of a service can do what the service needs and nothing more.

Services that run under these roles show that all they need is allowed (tests/integration/wire).
"""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from services import registry
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.sessions import role_of

DENIED = "42501"
OTHERS = {
    "orders": "claims",
    "claims": "analytics",
    "analytics": "deliveries",
    "deliveries": "orders",
}
OF_DELIVERIES = {f"delivery_{n}" for n in range(3)}.union(
    f"{table}_{n}" for table in ("event_body", "attempt") for n in range(9)
)
"""Tables of the deliveries service that it empties whole."""
TABLES = """
    SELECT c.relname
      FROM pg_class AS c
     WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p')
     ORDER BY c.relname
"""


@pytest.fixture(params=registry.consumers())
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def login(database_url: str, service: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection logged in as the role, which cannot reset it to another login."""
    await migrate(database_url, [service], {service: "the-secret-of-a-role"})
    own = urlsplit(database_url)
    netloc = f"{role_of(service)}:the-secret-of-a-role@{own.netloc.split('@')[-1]}"
    connection = await asyncpg.connect(own._replace(netloc=netloc).geturl())
    assert await connection.fetchval("SELECT session_user") == role_of(service)
    yield connection
    await connection.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The login that migrated."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def _answer(connection: asyncpg.Connection, attempt: str) -> str:
    """Try a statement and roll it back; returns its SQLSTATE, 00000 when it succeeds."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(attempt)
    except asyncpg.PostgresError as error:
        return error.sqlstate or ""
    else:
        return "00000"
    finally:
        await transaction.rollback()


REFUSED = [
    # Other services.
    "SELECT * FROM {other}.position",
    "INSERT INTO {other}.position DEFAULT VALUES",
    "UPDATE {other}.position SET next_offset = 0",
    "DELETE FROM {other}.position",
    "SELECT * FROM {other}.migration",
    "SELECT nextval('{other}.outbox_id')",
    "SELECT {other}.outbox_slot()",
    # Tables and functions of its own schema.
    "CREATE TABLE {own}.mine (x int)",
    "CREATE TABLE public.mine (x int)",
    "CREATE TEMPORARY TABLE mine (x int)",
    "CREATE VIEW {own}.mine AS SELECT 1",
    "CREATE SEQUENCE {own}.mine",
    "CREATE TYPE {own}.mine AS (x int)",
    "CREATE FUNCTION {own}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION {own}.outbox_slot() RETURNS smallint LANGUAGE sql AS 'SELECT 0'",
    "CREATE SCHEMA mine",
    "CREATE INDEX ON {own}.position (topic)",
    "CREATE TRIGGER mine AFTER INSERT ON {own}.position EXECUTE FUNCTION pg_catalog.now()",
    "CREATE RULE mine AS ON DELETE TO {own}.position DO INSTEAD NOTHING",
    "ALTER TABLE {own}.position ADD COLUMN mine int",
    "ALTER TABLE {own}.position OWNER TO CURRENT_USER",
    "ALTER TABLE {own}.position DISABLE TRIGGER ALL",
    "ALTER FUNCTION {own}.outbox_slot() OWNER TO CURRENT_USER",
    "ALTER SCHEMA {own} RENAME TO mine",
    "DROP TABLE {own}.position",
    "DROP SCHEMA {own} CASCADE",
    "DROP FUNCTION {own}.outbox_slot() CASCADE",
    "TRUNCATE {own}.position",
    "TRUNCATE {own}.outbox",
    "SELECT setval('{own}.outbox_id', 1)",
    # Applied migrations and the audit.
    "INSERT INTO {own}.migration (name, sha256) VALUES ('mine', '')",
    "UPDATE {own}.migration SET sha256 = ''",
    "DELETE FROM {own}.migration",
    "UPDATE {own}.operator_act SET actor = 'another'",
    "DELETE FROM {own}.operator_act",
    "TRUNCATE {own}.operator_act",
    # Other logins.
    "SET ROLE orderflow_{other}",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "GRANT orderflow_{other} TO CURRENT_USER",
    "CREATE ROLE mine",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE orderflow_{other} PASSWORD 'mine'",
    "SELECT rolpassword FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "SELECT pg_terminate_backend({owner_pid})",
    "SELECT pg_cancel_backend({owner_pid})",
    # The database and the server.
    "ALTER DATABASE {database} SET search_path = public",
    "CREATE PUBLICATION mine",
    "CREATE SUBSCRIPTION mine CONNECTION '' PUBLICATION mine WITH (connect = false)",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION pg_catalog.now()",
    "SELECT pg_create_physical_replication_slot('mine')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SET session_replication_role = replica",
    "SET log_statement = 'none'",
    "SET session_preload_libraries = 'mine'",
    "SET temp_file_limit = -1",
    # The machine.
    "COPY {own}.position TO PROGRAM 'true'",
    "COPY {own}.position FROM PROGRAM 'true'",
    "COPY {own}.position TO '/tmp/mine'",
    "COPY {own}.position FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
]
# Postgres refuses these inside any transaction before it checks rights, so they are tried outside.
REFUSED_OUTSIDE = [
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET fsync = off",
    "DROP DATABASE {database}",
]
# Postgres answers these with a warning; the rights of PUBLIC afterwards are checked.
WITHOUT_EFFECT = {
    "GRANT SELECT ON {own}.position TO PUBLIC": (
        "SELECT has_table_privilege('public', '{own}.position', 'SELECT')"
    ),
    "GRANT USAGE ON SCHEMA {own} TO PUBLIC": (
        "SELECT has_schema_privilege('public', '{own}', 'USAGE')"
    ),
    "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC": (
        "SELECT has_database_privilege('public', current_database(), 'TEMPORARY')"
    ),
}
ALLOWED = [
    "SELECT * FROM {own}.migration",
    "SELECT nextval('{own}.outbox_id')",
    "TRUNCATE ONLY {own}.outbox_0",
    "LOCK TABLE ONLY {own}.outbox_1 IN ACCESS EXCLUSIVE MODE",
    "TRUNCATE ONLY {own}.older_item_0",
    "LOCK TABLE ONLY {own}.older_item_0 IN ACCESS EXCLUSIVE MODE",
    "INSERT INTO {own}.operator_act (actor, reason, act, detail) VALUES ('a', 'b', 'c', '{{}}')",
    "SELECT pg_try_advisory_lock(1, 1)",
]


async def test_role_can_do_nothing_beyond_its_rows(
    login: asyncpg.Connection, owner: asyncpg.Connection, service: str
) -> None:
    words = {
        "own": service,
        "other": OTHERS[service],
        "owner": await owner.fetchval("SELECT quote_ident(current_user)"),
        "owner_pid": await owner.fetchval("SELECT pg_backend_pid()"),
        "database": await owner.fetchval("SELECT quote_ident(current_database())"),
    }

    answers = {text: await _answer(login, text.format(**words)) for text in REFUSED}
    for text in REFUSED_OUTSIDE:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await login.execute(text.format(**words))
        answers[text] = refused.value.sqlstate or ""
    for text, asked in WITHOUT_EFFECT.items():
        await login.execute(text.format(**words))
        if await owner.fetchval(asked.format(**words)):
            answers[text] = "granted"
    allowed = {text: await _answer(login, text.format(**words)) for text in ALLOWED}

    assert {text: state for text, state in answers.items() if state != DENIED} == {}
    assert {text: state for text, state in allowed.items() if state != "00000"} == {}


async def test_role_rights_on_each_table(
    login: asyncpg.Connection, owner: asyncpg.Connection, service: str
) -> None:
    """All tables, also later ones: rights beyond those on rows must be named here."""
    tables = [row["relname"] for row in await owner.fetch(TABLES, service)]
    expected = {table: {"SELECT", "INSERT", "UPDATE", "DELETE"} for table in tables}
    expected["migration"] = {"SELECT"}
    expected["operator_act"] = {"SELECT", "INSERT"}
    for segment in (*(f"outbox_{n}" for n in range(3)), *(f"older_item_{n}" for n in range(5))):
        expected[segment] = expected["outbox"] | {"TRUNCATE"}
    for table in set(expected) & OF_DELIVERIES:
        expected[table] |= {"TRUNCATE"}
    every = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

    has = {
        table: {
            right
            for right in every
            if await login.fetchval(
                "SELECT has_table_privilege($1, $2)", f"{service}.{table}", right
            )
        }
        for table in expected
    }

    assert has == expected
    for other in set(registry.names()) - {service}:
        assert not await login.fetchval("SELECT has_schema_privilege($1, 'USAGE')", other)


async def test_migration_revokes_rights_of_an_older_version(
    empty_database_url: str,
) -> None:
    """Rights to set sequences, and to create temporary tables and (before 15) tables in public."""
    owner = await asyncpg.connect(empty_database_url)
    try:
        await migrate(empty_database_url, ["analytics"])
        await owner.execute(
            "GRANT UPDATE ON ALL SEQUENCES IN SCHEMA analytics TO orderflow_analytics;"
            "GRANT CREATE ON SCHEMA public TO PUBLIC"
        )
        await owner.execute(f"GRANT TEMPORARY ON DATABASE {owner._params.database} TO PUBLIC")

        await migrate(empty_database_url, ["analytics"])

        await owner.execute("SET ROLE orderflow_analytics")
        for attempt in (
            "SELECT setval('analytics.outbox_id', 1)",
            "CREATE TEMPORARY TABLE mine (x int)",
            "CREATE TABLE public.mine (x int)",
        ):
            assert (attempt, await _answer(owner, attempt)) == (attempt, DENIED)
    finally:
        await owner.close()


@pytest.mark.parametrize("service", set(registry.names()) - set(registry.consumers()))
async def test_role_of_a_service_that_consumes_nothing_may_only_read(
    login: asyncpg.Connection, owner: asyncpg.Connection, service: str
) -> None:
    tables = [row["relname"] for row in await owner.fetch(TABLES, service)]
    changes = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

    assert "api_key" in tables
    assert "outbox" not in tables
    for table in tables:
        name = f"{service}.{table}"
        assert await login.fetchval("SELECT has_table_privilege($1, 'SELECT')", name)
        for right in changes:
            has = await login.fetchval("SELECT has_table_privilege($1, $2)", name, right)
            assert (name, right, has) == (name, right, False)
    for other in registry.consumers():
        assert not await login.fetchval("SELECT has_schema_privilege($1, 'USAGE')", other)
