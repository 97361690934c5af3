"""Every named statement runs against the migrated schema, and none is left over."""

from pathlib import Path

import pytest

from services.runtime.config.settings import SERVICES, Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.queries import load

ROOT = Path(__file__).resolve().parents[2]
# Run by the owner of the database before there is a schema.
OF_THE_OWNER = {"migrate.sql"}


def files_of(folder):
    """The .sql files of a package."""
    found = (ROOT / "services" / folder).rglob("*.sql")
    return sorted(path for path in found if path.parent.name != "migrations")


@pytest.mark.parametrize("service", SERVICES)
async def test_statements_are_valid_in_their_schema_for_their_role(database_url, service):
    settings = Settings(database_url=database_url)
    connection = await connect(settings, service)
    for file in [*files_of("runtime"), *files_of(service)]:
        if file.name in OF_THE_OWNER:
            continue
        for statement in load(file).values():
            await connection.prepare(statement.replace("{part}", "outbox_0"))
    await connection.close()


@pytest.mark.parametrize("folder", ["runtime", *SERVICES])
def test_statements_are_all_used(folder):
    sources = "\n".join(
        path.read_text() for top in ("services", "orderflow") for path in (ROOT / top).rglob("*.py")
    )
    names = [name for file in files_of(folder) for name in load(file)]

    assert [name for name in names if f'"{name}"' not in sources] == []
