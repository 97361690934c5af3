"""Shard leases: session advisory locks that share the outbox shards among the relays."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from asyncpg import Connection

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")
# The server ends a session without a statement for this long. The relay sends one every second.
SILENCE_SECONDS = 10
RELEASE = 2
"""Counted up where database functions must distinguish processes of a version before."""


class ShardLeases:
    """The shards that one relay holds: advisory locks on a separate connection outside any pool.

    A lease ends with its session: a dead process loses its shards at once, a stopped one after
    SILENCE_SECONDS. While a stopped process continues, two relays may hold one shard for a moment.
    That repeats events and never reorders them: each relay sends in id order, beginning at the
    oldest row that is not acknowledged.
    """

    def __init__(self, connection: Connection, scope: str, shards: int) -> None:
        self._connection = connection
        self._shards = shards
        self._shard_class = lock_class(f"{scope}/shard")
        self._member_class = _members(scope)
        self._packed_class = _packed(scope)
        self._release_class = lock_class(f"{scope}/release-{RELEASE}")
        self._fair = shards
        self.held: frozenset[int] = frozenset()

    async def join(self, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Register the relay; its locks have the backend's pid as key, which is unique.

        The lock of relays that read packed rows is taken first: a relay with only the member's lock
        counts as one of the version before.
        """
        await self._connection.fetchval(SQL["end_when_silent"], f"{silence_seconds * 1000:.0f}ms")
        pid = self._connection.get_server_pid()
        for class_ in (self._release_class, self._packed_class, self._member_class):
            await self._connection.fetchval(SQL["try_lease"], class_, pid)

    async def balance(self) -> None:
        """Release the shards above the fair share and take free ones below it."""
        for shard in await self.find_surplus():
            await self.release(shard)
        await self.take_free()

    async def find_surplus(self) -> frozenset[int]:
        """Find the held shards above the fair share, which is computed here."""
        members = await self._connection.fetchval(SQL["count_members"], self._member_class)
        self._fair = math.ceil(self._shards / max(1, members))
        return frozenset(sorted(self.held)[self._fair :])

    async def release(self, shard: int) -> None:
        """Release a shard; none of its rows may be being published."""
        await self._connection.fetchval(SQL["release_lease"], self._shard_class, shard)
        self.held -= {shard}

    async def take_free(self) -> None:
        """Take free shards up to the fair share that `find_surplus` computed last."""
        for shard in range(self._shards):
            if len(self.held) >= self._fair:
                return
            if shard not in self.held and await self._connection.fetchval(
                SQL["try_lease"], self._shard_class, shard
            ):
                self.held |= {shard}


async def count_old_relays(connection: Connection, scope: str) -> int:
    """Count the running relays of the version before, which do not read packed rows."""
    found: int = await connection.fetchval(SQL["count_old_relays"], _members(scope), _packed(scope))
    return found


def _members(scope: str) -> int:
    return lock_class(f"{scope}/member")


def _packed(scope: str) -> int:
    return lock_class(f"{scope}/packed")


def lock_class(name: str) -> int:
    """Compute the first key of the advisory locks of this name."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF  # Fits both integer and oid.
