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
def test_what_heals_by_itself_is_tried_again(error):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError(), asyncpg.DataError(), asyncpg.CheckViolationError(), UnicodeError()],
)
def test_a_bug_is_not_tried_again(error):
    assert not is_transient(error)


def test_only_another_transaction_is_contention():
    assert is_contention(asyncpg.UniqueViolationError())
    assert not is_contention(asyncpg.LockNotAvailableError())


def test_rows_that_postgres_quotes_are_not_logged():
    quoted = asyncpg.CheckViolationError("violates a constraint")
    quoted.detail = "Failing row contains (1, Ada Example)."
    wrapped = ValueError("in batch")
    wrapped.__cause__ = quoted

    forget_rows(wrapped)

    assert "Ada" not in str(quoted)
