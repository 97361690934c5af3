"""Which failures heal by themselves, and how long to wait before the next try."""

from __future__ import annotations

import random

import asyncpg
from aiokafka.errors import KafkaError

BACKOFF_FIRST_SECONDS = 0.05
BACKOFF_MAX_SECONDS = 5.0

# Failures of the moment (design 4, "transient"): the connection, the server's state, locks.
# A unique violation is one: two transactions made the same anchor, and the second must read again.
TRANSIENT = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A connection that a dying server has told so is borrowed once more before its end is seen:
    # asyncpg then calls its own state impossible. The next one is a new connection.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    # A password changed there before it was here: no item's fault, and mended without a new start.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    asyncpg.UniqueViolationError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # The server's own disk and files, an I/O error among them: no item's fault, whichever meets it.
    asyncpg.PostgresSystemError,
    # After a failover the old address may lead to a server that only reads.
    asyncpg.ReadOnlySQLTransactionError,
    # A migration beside us changed a table: the driver prepares the statement anew next time.
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)


class Contended(Exception):
    """Another transaction made what this one was about to make: read again and decide anew."""


class NotTried(Exception):
    """A trial did not come to the item, so it tells nothing of it: it is not this one's to read."""


def is_transient(error: BaseException) -> bool:
    """Whether trying again, unchanged, can succeed."""
    if isinstance(error, ValueError):  # asyncpg's own DataError is an InterfaceError, and a bug.
        return False
    return isinstance(error, (*TRANSIENT, Contended, NotTried))


def is_contention(error: BaseException) -> bool:
    """Whether another transaction was in the way; heals at once, so many in a row are a bug."""
    return isinstance(error, (Contended, asyncpg.UniqueViolationError))


def forget_rows(error: BaseException) -> None:
    """Take Postgres's DETAIL out of an error before it is logged: it quotes rows, and so people."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError):
            seen.detail = None
        seen = seen.__cause__ or seen.__context__


def backoff_seconds(attempt: int) -> float:
    """Exponential with full jitter, so that replicas do not return in step."""
    ceiling = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(attempt, 10))
    return random.uniform(ceiling / 4, ceiling)
