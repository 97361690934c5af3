"""Which shards this process publishes: session advisory locks, shared fairly among replicas."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from asyncpg import Connection

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")
# A session that says nothing for so long is ended by the server. It is heard of every second.
SILENCE_SECONDS = 10


class ShardLeases:
    """Advisory locks on a connection of their own, outside any pool.

    A lease ends with its session, so a dead process gives its shards back by dying, and a stopped
    one by its silence. Two holders of one shard for a moment (a process stopped and woken) repeat
    events, never reorder them: each sends in id order from the oldest row that is not
    acknowledged.
    """

    def __init__(self, connection: Connection, scope: str, shards: int) -> None:
        self._connection = connection
        self._shards = shards
        self._shard_class = lock_class(f"{scope}/shard")
        self._member_class = _members(scope)
        self._packed_class = _packed(scope)
        self._fair = shards
        self.held: frozenset[int] = frozenset()

    async def join(self, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Be counted among the relays; the backend's pid is unique while the session lives.

        First among those that read packed rows: a relay that is only counted is taken for one of
        the version before.
        """
        await self._connection.fetchval(SQL["end_when_silent"], f"{silence_seconds * 1000:.0f}ms")
        pid = self._connection.get_server_pid()
        for class_ in (self._packed_class, self._member_class):
            await self._connection.fetchval(SQL["try_lease"], class_, pid)

    async def balance(self) -> None:
        """Hold a fair share: give back what is above it, take what is free below it."""
        for shard in await self.find_surplus():
            await self.release(shard)
        await self.take_free()

    async def find_surplus(self) -> frozenset[int]:
        """Held shards above the fair share."""
        members = await self._connection.fetchval(SQL["count_members"], self._member_class)
        self._fair = math.ceil(self._shards / max(1, members))
        return frozenset(sorted(self.held)[self._fair :])

    async def release(self, shard: int) -> None:
        """Give a shard back; nothing of it may be under way."""
        await self._connection.fetchval(SQL["release_lease"], self._shard_class, shard)
        self.held -= {shard}

    async def take_free(self) -> None:
        """Take free shards up to the fair share, as it was last found."""
        for shard in range(self._shards):
            if len(self.held) >= self._fair:
                return
            if shard not in self.held and await self._connection.fetchval(
                SQL["try_lease"], self._shard_class, shard
            ):
                self.held |= {shard}


async def old_relays(connection: Connection, scope: str) -> int:
    """How many relays are alive that read no packed rows, as those of the version before."""
    found: int = await connection.fetchval(SQL["count_old_relays"], _members(scope), _packed(scope))
    return found


def _members(scope: str) -> int:
    return lock_class(f"{scope}/member")


def _packed(scope: str) -> int:
    return lock_class(f"{scope}/packed")


def lock_class(name: str) -> int:
    """The first number of the advisory locks of this name."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF  # Fits both integer and oid.
