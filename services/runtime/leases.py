"""Which shards this process publishes: session advisory locks, shared fairly among replicas."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from asyncpg import Connection

from services.runtime.queries import load

SQL = load(Path(__file__).parent / "sql" / "outbox.sql")


class ShardLeases:
    """Advisory locks on a connection of their own, outside any pool.

    A lease ends with its session, so a dead process gives its shards back by dying. Two holders
    of one shard for a moment (a process stopped and woken) repeat events, never reorder them:
    each sends in id order from the oldest row that is not acknowledged.
    """

    def __init__(self, connection: Connection, scope: str, shards: int) -> None:
        self._connection = connection
        self._shards = shards
        self._shard_class = lock_class(f"{scope}/shard")
        self._member_class = lock_class(f"{scope}/member")
        self.held: set[int] = set()

    async def join(self) -> None:
        """Be counted among the relays; the backend's pid is unique while the session lives."""
        pid = self._connection.get_server_pid()
        await self._connection.fetchval(SQL["try_lease"], self._member_class, pid)

    async def balance(self) -> None:
        """Hold a fair share: give back what is above it, take what is free below it."""
        members = await self._connection.fetchval(SQL["count_members"], self._member_class)
        fair = math.ceil(self._shards / max(1, members))
        for shard in sorted(self.held)[fair:]:
            await self._connection.fetchval(SQL["release_lease"], self._shard_class, shard)
            self.held.discard(shard)
        for shard in range(self._shards):
            if len(self.held) >= fair:
                return
            if shard not in self.held and await self._connection.fetchval(
                SQL["try_lease"], self._shard_class, shard
            ):
                self.held.add(shard)


def lock_class(name: str) -> int:
    """The first number of the advisory locks of this name."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF  # Fits both integer and oid.
