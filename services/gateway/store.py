"""The table of API keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.gateway.access.keys import ApiKey
from services.runtime.postgres.connections import Pool
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "store.sql")
TIMEOUT_SECONDS = 5.0

Keys = Mapping[str, ApiKey]
"""Keys by id."""


async def read_valid_keys(pool: Pool) -> Keys:
    """The keys that may be used, by id."""
    async with pool.acquire(timeout=TIMEOUT_SECONDS) as connection:
        rows = await connection.fetch(SQL["read_valid_keys"], timeout=TIMEOUT_SECONDS)
    return {row["id"]: ApiKey(**row) for row in rows}
