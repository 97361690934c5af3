"""Connections to Postgres: each service has its role and schema, and every wait has a limit.

`jsonb` parameters are str or bytes of JSON text, `jsonb` results are bytes: the caller encodes and
decodes with the library it chooses.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias, cast

import asyncpg

from services.runtime.config.settings import Settings
from services.runtime.postgres.diagnosis import translate_errors
from services.runtime.postgres.sessions import role_of, startup_parameters
from services.runtime.retry import NotMigrated

Connection: TypeAlias = asyncpg.Connection

_JSONB_VERSION = b"\x01"
# Statements before the pool replaces a connection: a new one would have to prepare them again.
_NO_LIMIT = 2**31
_ROLE_ERRORS = (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError)


class RoleMissing(NotMigrated):
    """The service's database role is missing, or this login may not take it on."""


class Pool(Protocol):
    """The methods of asyncpg's pool that services use; its proxy is typed as a Connection."""

    waiting: int
    """Tasks that wait for a connection."""

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """Borrow a connection for a block."""

    async def close(self) -> None:
        """Wait for borrowed connections, then close all."""

    def terminate(self) -> None:
        """Close all connections at once."""

    def get_size(self) -> int:
        """Connections that are open."""

    def get_idle_size(self) -> int:
        """Connections that are open and not borrowed."""

    def get_max_size(self) -> int:
        """Connections that may be open."""


class _CountingPool(asyncpg.Pool):
    """asyncpg's pool, with the number of tasks that wait for a connection."""

    waiting = 0

    def acquire(self, *, timeout: float | None = None) -> Any:
        return _CountedAcquire(self, super().acquire(timeout=timeout))


class _CountedAcquire:
    """The block of a borrowed connection: the task counts as waiting until the block begins."""

    __slots__ = ("_acquire", "_pool")

    def __init__(self, pool: _CountingPool, acquire: Any) -> None:
        self._pool = pool
        self._acquire = acquire

    async def __aenter__(self) -> Any:
        self._pool.waiting += 1
        try:
            return await self._acquire.__aenter__()
        finally:
            self._pool.waiting -= 1

    async def __aexit__(self, *error: object) -> None:
        await self._acquire.__aexit__(*error)

    def __await__(self) -> Any:
        return self._acquire.__await__()


async def create_pool(settings: Settings, service: str, *, size: int | None = None) -> Pool:
    """Open a pool of at most `size` connections (default: DATABASE_POOL_SIZE) for a service.

    Connections are opened on demand, stay open, and keep their prepared statements. Nothing is
    reset when one is returned: a borrower may change settings only for its transaction. With
    `<NAME>_DATABASE_POOLER_URL` they lead through that pooler, and keep nothing.

    Raises:
        RoleMissing: the service's role is missing, or the login may not take it on.
        DatabaseRefused: the server does not accept the login or a certificate.
        SettingsError: a certificate file cannot be read.
        OSError, asyncpg.PostgresError: the server cannot be reached or reports an error.
    """
    pooler = settings.pooler_url_of(service)
    url = pooler or settings.database_url_of(service)
    variable = settings.database_variable_of(service, is_pooled=pooler is not None)
    try:
        with translate_errors(url, variable):
            pool = await _CountingPool(
                url,
                loop=None,
                connect=None,
                setup=None,
                connection_class=asyncpg.Connection,
                record_class=asyncpg.Record,
                min_size=1,
                max_size=size or settings.database_pool_size,
                timeout=settings.database_connect_timeout_seconds,
                init=prepare,
                reset=_reset_nothing,
                **_session_options(settings, service, is_pooled=pooler is not None),
                max_inactive_connection_lifetime=0,
                max_queries=_NO_LIMIT,
                max_cached_statement_lifetime=0,
                command_timeout=_answer_timeout_seconds(settings),
            )
    except _ROLE_ERRORS as error:
        raise RoleMissing(_role_advice(service, error)) from error
    return cast("Pool", pool)


async def connect(settings: Settings, service: str, purpose: str = "lone") -> Connection:
    """Open a connection outside any pool and pooler, for locks that live as long as a session.

    No timeout ends the session while it is idle; TCP keepalives do when its process is gone.
    `purpose` is appended to the `application_name`. Raises the errors of `create_pool`.
    """
    url = settings.database_url_of(service)
    try:
        with translate_errors(url, settings.database_variable_of(service)):
            connection = await asyncpg.connect(
                url,
                timeout=settings.database_connect_timeout_seconds,
                server_settings=startup_parameters(settings, service)
                | {"application_name": f"{role_of(service)}.{purpose}"},
                max_cached_statement_lifetime=0,
                command_timeout=_answer_timeout_seconds(settings),
            )
    except _ROLE_ERRORS as error:
        raise RoleMissing(_role_advice(service, error)) from error
    await prepare(connection)
    return connection


async def _reset_nothing(_connection: Connection) -> None:
    """Reset nothing: asyncpg's RESET ALL is a round trip, and it ends open transactions anyway."""


def _session_options(settings: Settings, service: str, *, is_pooled: bool) -> dict[str, Any]:
    """Make asyncpg's options for what differs behind a pooler in transaction mode.

    There a session belongs to a client for one transaction only: it has no prepared statements of
    this client, and its parameters are those of the role.
    """
    if is_pooled:
        return {
            "statement_cache_size": 0,
            "server_settings": {"application_name": role_of(service)},
        }
    return {"server_settings": startup_parameters(settings, service)}


def _answer_timeout_seconds(settings: Settings) -> float:
    """Later than the server's `statement_timeout`: by then the server is gone."""
    return settings.database_statement_timeout_seconds + 10


def _role_advice(service: str, error: Exception) -> str:
    return (
        f"cannot take on the database role {role_of(service)}: {error}. Run `orderflow migrate` "
        "with this login, or log in as the role itself"
    )


async def prepare(connection: Connection) -> None:
    """Set the codec of `jsonb`: JSON text in both directions (str or bytes in, bytes out)."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_to_jsonb,
        decoder=_from_jsonb,
        format="binary",
    )


def _to_jsonb(text: str | bytes) -> bytes:
    return _JSONB_VERSION + (text.encode() if isinstance(text, str) else text)


def _from_jsonb(data: bytes) -> bytes:
    return data[1:]


@asynccontextmanager
async def transaction(connection: Connection, *, is_trial: bool) -> AsyncIterator[None]:
    """Run the block in a transaction, or in a savepoint of the open one; a trial is rolled back."""
    begun = connection.transaction()
    await begun.start()
    try:
        yield
    except BaseException:
        await begun.rollback()
        raise
    await (begun.rollback() if is_trial else begun.commit())
