"""Database roles of the services, created once a server by the first migration."""

import asyncio
from pathlib import Path

import asyncpg

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "migrate.sql")

_TRIES = 20
# Roles are shared by all databases of a server, the advisory lock of a migration is not: two
# databases migrated at the same time may create the same role at the same time.
_RACES = (
    asyncpg.DuplicateObjectError,
    asyncpg.UniqueViolationError,
    asyncpg.InternalServerError,  # "tuple concurrently updated"
)


async def ensure_role(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    """Create `role` if it is missing, let this login take it on, and set `password` if given.

    A new role without a password is NOLOGIN; an existing role that can log in stays as it is.

    Raises:
        InsufficientPrivilegeError: the login may not create or change the role.
    """
    for attempt in range(_TRIES):
        try:
            async with connection.transaction():
                await _ensure(connection, role, password)
            return
        except _RACES:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(0.05 * (attempt + 1))


async def _ensure(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    if not await connection.fetchval(SQL["find_role"], role):
        await connection.execute(SQL["create_role"].replace("{role}", role))
    if not await connection.fetchval(SQL["is_member"], role):
        await connection.execute(SQL["take_on_role"].replace("{role}", role))
    if password is not None:
        # ALTER ROLE takes no parameters; the server quotes the literal.
        quoted = await connection.fetchval(SQL["quote_literal"], password)
        await connection.execute(
            SQL["set_password"].replace("{role}", role).replace("{password}", quoted)
        )
