"""Which errors are transient, and how long to wait before the next attempt."""

from __future__ import annotations

import random

import asyncpg
from aiokafka.errors import KafkaError

BACKOFF_FIRST_SECONDS = 0.05
BACKOFF_MAX_SECONDS = 5.0

# Errors of the connection, of the state of the server and of locks. A unique violation is one too:
# two transactions inserted the same row, and the second must read again.
TRANSIENT = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A pool may lend a connection once more after the server has closed it: asyncpg then reports
    # an impossible state. The next attempt gets a new connection.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    # The password was changed in Postgres first, and is not changed here yet.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    asyncpg.UniqueViolationError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Disk and files of the server, I/O errors among them: no item causes them.
    asyncpg.PostgresSystemError,
    # After a failover the old address may lead to a read-only server.
    asyncpg.ReadOnlySQLTransactionError,
    # A migration has changed a table: the driver prepares the statement again next time.
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)


class Contended(Exception):
    """Another transaction inserted the same rows first: read again and decide again."""


class NotTried(Exception):
    """The trial ended before it reached the item, so it proves nothing about the item. Retry."""


class NotMigrated(Exception):
    """The database lacks what `orderflow migrate` makes; the text says what. Run it."""


def is_transient(error: BaseException) -> bool:
    """Whether the same attempt can succeed later."""
    if isinstance(error, ValueError):  # asyncpg's own DataError is an InterfaceError, and a bug.
        return False
    return isinstance(error, (*TRANSIENT, Contended, NotTried))


def is_contention(error: BaseException) -> bool:
    """Whether another transaction was in the way. The next attempt should succeed: many such errors
    in a row are a bug.
    """
    return isinstance(error, (Contended, asyncpg.UniqueViolationError))


def forget_rows(error: BaseException) -> None:
    """Remove DETAIL from a Postgres error before it is logged: it quotes rows."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError):
            seen.detail = None
        seen = seen.__cause__ or seen.__context__


def backoff_seconds(attempt: int) -> float:
    """Seconds to wait: exponential with jitter, so that replicas do not retry at the same time."""
    ceiling = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(attempt, 10))
    return random.uniform(ceiling / 4, ceiling)
