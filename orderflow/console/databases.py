"""Connections of commands to the services' own tables, under the services' own roles."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from services.runtime.config.settings import NoDatabase, Settings
from services.runtime.postgres.connections import Connection, connect
from services.runtime.postgres.migrate import check


@asynccontextmanager
async def opened(settings: Settings, service: str) -> AsyncIterator[Connection]:
    """A connection to one service's schema, of this version or a later one."""
    connection = await connect(settings, service, "cli")
    try:
        await check(connection, service)
        yield connection
    finally:
        await connection.close()


def within_reach(settings: Settings, services: Collection[str]) -> list[str]:
    """Those of the services that the environment names a database of.

    Raises:
        NoDatabase: it names none.
    """
    found, refusal = [], None
    for service in services:
        try:
            settings.database_url_of(service)
        except NoDatabase as error:
            refusal = error
        else:
            found.append(service)
    if refusal and not found:
        raise refusal
    return found
