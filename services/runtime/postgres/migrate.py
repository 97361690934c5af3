"""Brings a database to the version of this code: roles, schemas, grants, migration files.

Each service has a schema, and a role that may read and change rows only there; the role of a
service that consumes no topic may only read. The files of `runtime/migrations` are applied in every
schema (of a service that consumes no topic, only those of OF_ALL_SCHEMAS), then the service's own
files, in name order, one transaction a file. The table `migration` of each schema lists the applied
files with their SHA-256. An advisory lock lets one run at a time work on a database.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services import registry
from services.runtime.postgres.diagnosis import translate_errors
from services.runtime.postgres.queries import load
from services.runtime.postgres.roles import ensure_role
from services.runtime.postgres.sessions import role_of, set_for_role
from services.runtime.retry import NotMigrated

SQL = load(Path(__file__).parent / "migrate.sql")
SERVICES_FOLDER = Path(__file__).resolve().parents[2]
OF_ALL_SCHEMAS = frozenset(("0005_operator_acts.sql",))
"""Files of `runtime/migrations` that are applied also for a service that consumes no topic."""
LOCK_WAIT_SECONDS = 120
LOCK_TIMEOUT_SECONDS = 10


class MigrationError(Exception):
    """The database is not at this version and cannot be migrated; the text says what to do."""


class MigrationMissing(MigrationError, NotMigrated):
    """`orderflow migrate` of this version has not run, or is not done."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `name` is `runtime/0001_x.sql` or `<service>/0001_x.sql`."""

    name: str
    sql: str
    sha256: str


async def migrate(
    database_url: str,
    services: Collection[str] | None = None,
    passwords: Mapping[str, str] | None = None,
    folder: Path | None = None,
    parameters: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Bring `services` (None: all) up to date; returns what was applied.

    A file that was applied is returned as `<service>: runtime/0001_x.sql`.
    The login needs CREATEROLE and CREATE on the database (or superuser). `passwords` by service
    let its role log in; a role without one can only be taken on by this login. `parameters` by
    service are those of its role's sessions behind a connection pooler. Safe to run twice and at
    the same time. Raises MigrationError; a failing file leaves the ones before it applied.
    """
    with translate_errors(database_url, "DATABASE_URL"):
        connection = await asyncpg.connect(
            database_url, server_settings={"application_name": "orderflow_migrate"}
        )
    try:
        await _lock(connection)
        await connection.execute(SQL["close_to_public"])
        applied: list[str] = []
        for service in registry.names() if services is None else services:
            password = (passwords or {}).get(service)
            await _create_schema(connection, service, password, (parameters or {}).get(service, {}))
            names = await _apply(connection, service, migrations_of(service, folder))
            applied += [f"{service}: {name}" for name in names]
        return applied
    finally:
        await connection.close()


async def check(connection: asyncpg.Connection, service: str, folder: Path | None = None) -> None:
    """Raise MigrationMissing unless `service`'s schema holds every migration of this code.

    During an upgrade older code meets a newer schema.

    Raises:
        MigrationMissing: the schema or a migration of it is missing.
    """
    if await connection.fetchval(SQL["find_migration_table"], service) is None:
        raise MigrationMissing(f"schema {service} is not set up: run `orderflow migrate`")
    applied = await _read_applied(connection, service)
    missing = [m.name for m in migrations_of(service, folder) if m.name not in applied]
    if missing:
        raise MigrationMissing(
            f"schema {service} lacks {', '.join(missing)}: run `orderflow migrate` of this version"
        )


def migrations_of(service: str, folder: Path | None = None) -> list[Migration]:
    """The migrations of one schema in the order they are applied.

    `folder` holds `runtime/migrations` and `<service>/migrations` of another version of the code.
    """
    folders = {
        "runtime": (folder or SERVICES_FOLDER) / "runtime",
        service: folder / service if folder else registry.entry_of(service).folder,
    }
    files = [
        (f"{owner}/{file.name}", file)
        for owner, own_folder in folders.items()
        for file in sorted((own_folder / "migrations").glob("*.sql"))
        if owner != "runtime" or file.name in OF_ALL_SCHEMAS or _consumes(service)
    ]
    return [_read(name, file) for name, file in files]


def _consumes(service: str) -> bool:
    """Whether its schema has the tables of consumers."""
    return service not in registry.names() or registry.entry_of(service).consumes


def _read(name: str, file: Path) -> Migration:
    sql = file.read_text(encoding="utf-8")
    return Migration(name, sql, hashlib.sha256(sql.encode()).hexdigest())


async def _lock(connection: asyncpg.Connection) -> None:
    await connection.execute(SQL["set_lock_timeout"], f"{LOCK_WAIT_SECONDS}s")
    try:
        await connection.fetchval(SQL["lock_database"])
    except asyncpg.LockNotAvailableError:
        raise MigrationError(
            f"another `orderflow migrate` has worked on this database for {LOCK_WAIT_SECONDS} "
            "seconds: wait for it to end (application_name orderflow_migrate in pg_stat_activity), "
            "then run this again"
        ) from None
    await connection.execute(SQL["set_lock_timeout"], f"{LOCK_TIMEOUT_SECONDS}s")


async def _create_schema(
    connection: asyncpg.Connection,
    service: str,
    password: str | None,
    parameters: Mapping[str, str],
) -> None:
    """Create the role, the schema, its table `migration`, and rights on its tables."""
    role = role_of(service)
    try:
        await ensure_role(connection, role, password)
        await set_for_role(connection, service, parameters)
        async with connection.transaction():
            grant = "grant_rows" if _consumes(service) else "grant_reads"
            for name in ("create_schema", "create_migration_table", grant):
                await connection.execute(
                    SQL[name].replace("{schema}", service).replace("{role}", role)
                )
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"the login of DATABASE_URL may not create role {role} or schema {service} ({error}): "
            "give it CREATEROLE, and CREATE on the database"
        ) from None


async def _read_applied(connection: asyncpg.Connection, service: str) -> dict[str, str]:
    rows = await connection.fetch(SQL["read_migrations"].replace("{schema}", service))
    return {row["name"]: row["sha256"] for row in rows}


async def _apply(
    connection: asyncpg.Connection, service: str, migrations: Sequence[Migration]
) -> list[str]:
    applied = await _read_applied(connection, service)
    for migration in migrations:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                f"{migration.name} was changed after it was applied to schema {service}: "
                "put the file back as it was, and write the change as a new file"
            )
    wanted = [migration for migration in migrations if migration.name not in applied]
    _refuse_gaps(service, wanted, applied)
    for migration in wanted:
        await _apply_one(connection, service, migration)
    return [migration.name for migration in wanted]


def _refuse_gaps(service: str, wanted: Sequence[Migration], applied: Collection[str]) -> None:
    for migration in wanted:
        owner = migration.name.split("/")[0]
        later = [name for name in applied if name.split("/")[0] == owner and name > migration.name]
        if later:
            raise MigrationError(
                f"{migration.name} sorts before {min(later)}, which schema {service} already has: "
                "give it a higher number"
            )


async def _apply_one(connection: asyncpg.Connection, service: str, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
            await connection.execute(f"SET LOCAL search_path = {service}")
            await connection.execute(migration.sql)
            await connection.execute(
                SQL["note_migration"].replace("{schema}", service),
                migration.name,
                migration.sha256,
            )
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise MigrationError(
            f"{migration.name} waited up to {LOCK_TIMEOUT_SECONDS} seconds for a lock in schema "
            f"{service}: another transaction holds the lock; run `orderflow migrate` again"
        ) from None
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed in schema {service}: {error}") from error
