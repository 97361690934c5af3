"""Transactions that may only be trials: as real as any other, and rolled back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.postgres import Connection


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
