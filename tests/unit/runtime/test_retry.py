"""Which failures heal by themselves, and what of an error may be logged."""

import asyncpg
import pytest

from services.runtime.retry import (
    Contended,
    NotTried,
    forget_rows,
    is_contention,
    is_transient,
)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.QueryCanceledError(),
        asyncpg.DiskFullError(),
        asyncpg.PostgresIOError("could not read a block"),
        asyncpg.ReadOnlySQLTransactionError("a failover left us with a standby"),
        asyncpg.InvalidCachedStatementError("a migration changed the table"),
        asyncpg.UniqueViolationError(),
        Contended(),
        NotTried(),
    ],
)
def test_transient_errors_are_retried(error):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError(), asyncpg.DataError(), asyncpg.CheckViolationError(), UnicodeError()],
)
def test_bugs_are_not_retried(error):
    assert not is_transient(error)


def test_contention_is_only_another_transaction():
    assert is_contention(asyncpg.UniqueViolationError())
    assert not is_contention(asyncpg.LockNotAvailableError())


def test_rows_that_postgres_quotes_are_removed():
    quoted = asyncpg.CheckViolationError("violates a constraint")
    quoted.detail = "Failing row contains (1, Ada Example)."
    wrapped = ValueError("in batch")
    wrapped.__cause__ = quoted

    forget_rows(wrapped)

    assert "Ada" not in str(quoted)
