"""Generated SQL: `python -m tools.schema`, or `make schema`.

- `services/<name>/sql/functions/*.sql` hold the present text of each database function. Where a
  text differs from the migration that defines the function last, a new migration is written.
- `services/<name>/schema.sql` describes the schema after all migrations, for readers and reviews;
  no program runs it. It is read from a database that this program migrates on the local stack.

A function whose parameters or result change needs a new name: replicas of the version before call
the old one until they are replaced. `tests/contract/test_schema_sql.py` fails where a file is old.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import asyncpg

from deploy.stack import stack_for
from services import registry
from services.runtime.postgres.migrate import migrate, migrations_of
from services.runtime.postgres.queries import load

SERVICES_FOLDER = Path(__file__).resolve().parents[1] / "services"
SQL = load(Path(__file__).parent / "describe_schema.sql")
HEAD = "-- The schema after all migrations, written by `make schema`. No program runs this file.\n"
_FUNCTION = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)\(.*?^\$\$;$", re.MULTILINE | re.DOTALL
)


def functions_in(sql: str) -> dict[str, str]:
    """The functions that a file creates, by name: the text from CREATE to the closing `$$;`."""
    return {
        found[1]: found[0].replace("CREATE OR REPLACE", "CREATE", 1)
        for found in _FUNCTION.finditer(sql)
    }


def changed_functions(service: str, folder: Path = SERVICES_FOLDER) -> dict[str, str]:
    """Functions of a service whose text in `sql/functions` is not that of the last migration."""
    migrated: dict[str, str] = {}
    for migration in migrations_of(service, folder):
        migrated |= functions_in(migration.sql)
    files = sorted((folder / service / "sql" / "functions").glob("*.sql"))
    present = {
        name: text for file in files for name, text in functions_in(file.read_text("utf-8")).items()
    }
    return {name: text for name, text in present.items() if migrated.get(name) != text}


def write_migration(service: str, folder: Path = SERVICES_FOLDER) -> Path | None:
    """Write the next migration with all changed functions; None where none changed."""
    changed = changed_functions(service, folder)
    if not changed:
        return None
    migrations = folder / service / "migrations"
    number = len(list(migrations.glob("*.sql"))) + 1
    file = migrations / f"{number:04}_{'_'.join(sorted(changed))}.sql"
    texts = [text.replace("CREATE", "CREATE OR REPLACE", 1) for text in changed.values()]
    file.write_text("\n\n".join(["-- Written by `make schema`.", *texts]) + "\n", "utf-8")
    return file


async def describe(database_url: str, service: str) -> str:
    """The text of a service's `schema.sql`, read from a migrated database."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(SQL["set_search_path"], service)
            rows = await connection.fetch(SQL["describe"], service)
    finally:
        await connection.close()
    objects = groupby(rows, key=lambda row: row["object"])
    return HEAD + "".join(_written(name, (row["written"] for row in its)) for name, its in objects)


def _written(name: str, lines: Iterator[str]) -> str:
    body = "\n".join(line.rstrip() for text in lines for line in text.splitlines() if line.strip())
    return f"\n-- {name}\n{body}\n" if body else f"\n-- {name}\n"


async def _describe_all(server_url: str) -> dict[str, str]:
    owner = await asyncpg.connect(server_url)
    name = "orderflow_schema"
    await owner.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await owner.execute(f'CREATE DATABASE "{name}"')
    try:
        url = server_url.rsplit("/", 1)[0] + f"/{name}"
        await migrate(url)
        return {service: await describe(url, service) for service in registry.names()}
    finally:
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await owner.close()


def main() -> int:
    """Write new migrations and every `schema.sql`; the last line counts them."""
    migrations = [file for service in registry.names() if (file := write_migration(service))]
    with tempfile.TemporaryDirectory(prefix="orderflow-schema-") as folder:
        Path(folder).chmod(0o755)  # Postgres may run as another user.
        with stack_for(Path(folder) / "stack") as stack:
            schemas = asyncio.run(_describe_all(stack.start().database_url))
    for service, text in schemas.items():
        (SERVICES_FOLDER / service / "schema.sql").write_text(text, "utf-8")
    for file in migrations:
        sys.stdout.write(f"new migration: {file.relative_to(SERVICES_FOLDER.parent)}\n")
    sys.stdout.write(f"schema: migrations={len(migrations)} schemas={len(schemas)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
