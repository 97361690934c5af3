"""Every named statement runs against the migrated schema, and none is left over."""

import pytest

from services import registry
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect
from services.runtime.postgres.queries import load
from tests.statements import ROOT, statement_files

# Run by the owner of the database before there is a schema.
OF_THE_OWNER = {"migrate.sql"}


# All that a service which consumes no topic has of the runtime's tables.
AUDIT = [ROOT / "services" / "runtime" / "operations" / "audit.sql"]


def files_of(folder):
    """The .sql files of a package."""
    return list(statement_files(f"services/{folder}"))


@pytest.mark.parametrize("service", registry.names())
async def test_statements_are_valid_in_their_schema_for_their_role(database_url, service):
    settings = Settings(database_url=database_url)
    connection = await connect(settings, service)
    shared = files_of("runtime") if registry.entry_of(service).consumes else AUDIT
    for file in [*shared, *files_of(service)]:
        if file.name in OF_THE_OWNER:
            continue
        for statement in load(file).values():
            await connection.prepare(statement.replace("{segment}", "outbox_0"))
    await connection.close()


@pytest.mark.parametrize("folder", ["runtime", *registry.names()])
def test_statements_are_all_used(folder):
    sources = "\n".join(
        path.read_text() for top in ("services", "orderflow") for path in (ROOT / top).rglob("*.py")
    )
    names = [name for file in files_of(folder) for name in load(file)]

    assert [name for name in names if f'"{name}"' not in sources] == []
