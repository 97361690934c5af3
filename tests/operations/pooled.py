"""A plugin of pytest: services of other tests reach their database through a PgBouncer.

`python -m pytest -p tests.operations.pooled TESTS` with TEST_POOLER, the address of a PgBouncer of
`pgbouncer_server` before the server of DATABASE_URL, and TEST_POOLED, a file that gets a line for
each test whose services did reach it that way. The roles must have the passwords.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from services import registry
from services.runtime.config.settings import Settings
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.sessions import role_of, session_parameters

PASSWORDS = {name: f"the-secret-of-{name}" for name in registry.names()}
USERS = {role_of(name): password for name, password in PASSWORDS.items()}


@pytest.fixture(autouse=True)
def pooled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The address of the pooler for all services, with the database of the test."""
    if "database_url" not in request.fixturenames:
        yield
        return
    url: str = request.getfixturevalue("database_url")
    settings = Settings()
    parameters = {name: session_parameters(settings, name) for name in PASSWORDS}
    asyncio.run(migrate(url, parameters=parameters))
    database = url.rpartition("/")[2]
    addresses = {
        name: f"postgresql://{role_of(name)}:{password}@{os.environ['TEST_POOLER']}/{database}"
        for name, password in PASSWORDS.items()
    }
    for name, address in addresses.items():
        monkeypatch.setenv(f"{name.upper()}_DATABASE_POOLER_URL", address)
    # Settings that a test makes itself are not read from the environment.
    monkeypatch.setattr(Settings, "pooler_url_of", lambda _, service: addresses.get(service))
    yield
    if asyncio.run(_was_used(url)):
        with Path(os.environ["TEST_POOLED"]).open("a", encoding="utf-8") as file:
            file.write(f"{request.node.nodeid}\n")


async def _was_used(database_url: str) -> bool:
    """Whether a session has the login of a role: direct ones have that of DATABASE_URL.

    The pooler keeps its sessions when a service has ended.
    """
    connection = await asyncpg.connect(database_url)
    try:
        return bool(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = ANY($1)",
                list(USERS),
            )
        )
    finally:
        await connection.close()
