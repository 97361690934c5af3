"""Connections to Postgres: each service in its own role and schema, with every wait bounded.

`jsonb` goes in as str or bytes of JSON text and comes out as bytes: encoding and decoding is the
caller's, once, with the library it chooses.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias, cast

import asyncpg

from services.runtime.config.settings import Settings
from services.runtime.postgres.diagnosis import translate_errors

Connection: TypeAlias = asyncpg.Connection

_JSONB_VERSION = b"\x01"
# Of statements a connection answers before a pool replaces it: a new one has everything to prepare.
_NO_LIMIT = 2**31
_ROLE_ERRORS = (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError)


class RoleMissing(Exception):
    """The service's database role is not there, or this login may not take it on."""


class Pool(Protocol):
    """What services use of asyncpg's pool; the proxy it lends is a Connection to its borrower."""

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """Borrow a connection for a block."""

    async def close(self) -> None:
        """Wait for what is borrowed, then close all connections."""

    def terminate(self) -> None:
        """Close all connections at once."""


def role_of(service: str) -> str:
    """The database role of a service."""
    return f"orderflow_{service}"


async def create_pool(settings: Settings, service: str, *, size: int | None = None) -> Pool:
    """A pool for `service` of at most `size` connections (DATABASE_POOL_SIZE unless told); they
    appear as they are needed, stay, and keep what they have prepared.

    What a borrower sets lasts for its transaction at most: nothing is reset behind it.

    Raises RoleMissing, DatabaseRefused, SettingsError (files of certificates), and what asyncpg
    and the socket raise when nobody answers.
    """
    url = settings.database_url_of(service)
    try:
        with translate_errors(url, settings.database_variable_of(service)):
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size or settings.database_pool_size,
                timeout=settings.database_connect_timeout_seconds,
                init=prepare,
                reset=_leave_as_it_is,
                server_settings=server_settings(settings, service),
                max_inactive_connection_lifetime=0,
                max_queries=_NO_LIMIT,
                max_cached_statement_lifetime=0,
                command_timeout=_answer_timeout_seconds(settings),
            )
    except _ROLE_ERRORS as error:
        raise RoleMissing(_role_advice(service, error)) from error
    return cast("Pool", pool)


async def connect(settings: Settings, service: str, purpose: str = "lone") -> Connection:
    """A connection outside any pool, for what lives as long as its session: advisory locks.

    `statement_timeout` and the idle limit do not end it; TCP keepalives do, when its process
    is gone. Raises as `create_pool`.
    """
    url = settings.database_url_of(service)
    try:
        with translate_errors(url, settings.database_variable_of(service)):
            connection = await asyncpg.connect(
                url,
                timeout=settings.database_connect_timeout_seconds,
                server_settings=server_settings(settings, service)
                | {"application_name": f"{role_of(service)}.{purpose}"},
                max_cached_statement_lifetime=0,
                command_timeout=_answer_timeout_seconds(settings),
            )
    except _ROLE_ERRORS as error:
        raise RoleMissing(_role_advice(service, error)) from error
    await prepare(connection)
    return connection


async def _leave_as_it_is(_connection: Connection) -> None:
    """An open transaction is ended before; asyncpg's RESET ALL would be a round trip a batch."""


def server_settings(settings: Settings, service: str) -> dict[str, str]:
    """Session parameters of a service's connection."""
    return {
        "role": role_of(service),
        "search_path": service,
        "application_name": role_of(service),
        "timezone": "UTC",
        "lock_timeout": _milliseconds(settings.database_lock_timeout_seconds),
        "statement_timeout": _milliseconds(settings.database_statement_timeout_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(
            settings.database_idle_in_transaction_timeout_seconds
        ),
        # The server notices a vanished client in about 10 + 3 * 5 seconds and lets go of its locks.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "30000",
        # A plan made while a table was small would scan it for ever once it is large, and
        # compiling a plan takes longer than any of our statements runs.
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
    }


def _answer_timeout_seconds(settings: Settings) -> float:
    """The server ends a slow statement itself; later than that, it is the server that is gone."""
    return settings.database_statement_timeout_seconds + 10


def _role_advice(service: str, error: Exception) -> str:
    return (
        f"cannot take on the database role {role_of(service)}: {error}. Run `orderflow migrate` "
        "with this login, or log in as the role itself"
    )


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


async def prepare(connection: Connection) -> None:
    """Make `jsonb` cross as text in both directions (str or bytes in, bytes out)."""
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
    """A transaction, or a savepoint in the one under way; a trial leaves nothing behind."""
    begun = connection.transaction()
    await begun.start()
    try:
        yield
    except BaseException:
        await begun.rollback()
        raise
    await (begun.rollback() if is_trial else begun.commit())
