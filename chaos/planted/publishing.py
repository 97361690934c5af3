"""Bugs between the transaction and Kafka."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from chaos.patching import patch

_PUBLISHING = "services.runtime.outbox.delivery"
_LEASES = "services.runtime.outbox.leases:ShardLeases"
FORGET = "DELETE FROM outbox WHERE shard = $1 AND id <= $2"


def outside_transaction() -> None:
    """Records of a batch go into the outbox after its commit."""
    held: ContextVar[list[Callable[[Any], Any]] | None] = ContextVar("held", default=None)

    def make_append(append: Callable[..., Any]) -> Any:
        async def hold(self: Any, connection: Any, outgoing: Any, **named: Any) -> None:
            later = held.get()
            if later is None:  # A sweep's, or an operator's.
                await append(self, connection, outgoing, **named)
            else:
                later.append(lambda there: append(self, there, outgoing, **named))

        return hold

    def make_transact(transact: Callable[..., Any]) -> Any:
        async def transacted(self: Any, *arguments: Any, **named: Any) -> Any:
            later: list[Callable[[Any], Any]] = []
            token = held.set(later)
            try:
                result = await transact(self, *arguments, **named)
            finally:
                held.reset(token)
            for append in later:
                async with self._pool.acquire() as there, there.transaction():
                    await append(there)
            return result

        return transacted

    patch("services.runtime.outbox.outbox:Outbox.append", make_append)
    patch("services.runtime.consumer.consumer:BatchConsumer._transact", make_transact)


def delete_before_acknowledged() -> None:
    """The relay makes room first."""

    async def publish(self: Any, rows: Sequence[Any], *, one_by_one: bool = False) -> None:
        await self._delete(rows)
        await self._send(rows, one_by_one=one_by_one)

    patch(f"{_PUBLISHING}:AtLeastOnce.publish", lambda _: publish)


def cursor_relay() -> None:
    """A shard's rows below the highest that was published are taken to be published too."""
    cursors: dict[int, int] = {}

    def make_delete(delete: Callable[..., Any]) -> Any:
        async def deleted(connection: Any, rows: Sequence[Any]) -> None:
            for row in rows:
                cursors[row.shard] = max(row.id, cursors.get(row.shard, 0))
            await delete(connection, rows)

        return deleted

    def make_publish(publish: Callable[..., Any]) -> Any:
        async def published(self: Any, connection: Any, delivery: Any) -> bool:
            for shard in self.busy & cursors.keys():
                await connection.execute(FORGET, shard, cursors[shard])
            return bool(await publish(self, connection, delivery))

        return published

    patch(f"{_PUBLISHING}:delete", make_delete)
    patch("services.runtime.outbox.shard_publisher:ShardPublisher._publish_once", make_publish)


def shards_at_random() -> None:
    """Every record goes to the next shard."""
    numbers = itertools.count()
    patch(
        "services.runtime.outbox.outbox:shard_of",
        lambda _: lambda _, shards: next(numbers) % shards,
    )


def two_relays_on_one_shard() -> None:
    """Every relay takes all shards and gives none back.

    That alone shows nothing: at least once, two relays repeat and never reorder, and exactly once
    Kafka fences one of them. So they also have transactional ids of their own.
    """

    async def find_surplus(_: Any) -> frozenset[int]:
        return frozenset()

    async def take_free(self: Any) -> None:
        self.held = frozenset(range(self._shards))

    def make_id(found: Callable[..., str]) -> Any:
        return lambda *arguments: f"{found(*arguments)}.{os.getpid()}"

    patch(f"{_LEASES}.find_surplus", lambda _: find_surplus)
    patch(f"{_LEASES}.take_free", lambda _: take_free)
    patch("services.runtime.outbox.wiring:transactional_id", make_id)


def marker_not_asked() -> None:
    """What the one before published is asked for and not heard."""

    def make(recall: Callable[..., Any]) -> Any:
        async def recalled(self: Any) -> None:
            await recall(self)

        return recalled

    patch(f"{_PUBLISHING}:ExactlyOnce._read_marker", make)
