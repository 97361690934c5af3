"""Bugs in how events are sent to webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chaos.patching import patch
from services.deliveries.sending.changes import Changes
from services.deliveries.sending.rows import write
from services.deliveries.sending.sender import LEASES
from services.runtime.outbox.leases import lock_class

_SENDING = "services.deliveries.sending"
_LEASES = "services.runtime.outbox.leases:ShardLeases"


def retry_lets_pass() -> None:
    """A failed event waits for its next attempt alone: those behind it go on."""

    def failed(self: Any, row: Any) -> list[Any]:
        self.delivered(row)
        return []

    patch(f"{_SENDING}.window:Window.failed", lambda _: failed)


def lease_taken_twice() -> None:
    """Every sender takes the leases of all shards, whoever holds them."""
    shards = lock_class(f"{LEASES}/shard")

    def make_surplus(found: Callable[..., Any]) -> Any:
        async def find_surplus(self: Any) -> frozenset[int]:
            return frozenset() if self._shard_class == shards else await found(self)

        return find_surplus

    def make_take(found: Callable[..., Any]) -> Any:
        async def take_free(self: Any) -> None:
            if self._shard_class == shards:
                self.held = frozenset(range(self._shards))
            else:
                await found(self)

        return take_free

    patch(f"{_LEASES}.find_surplus", make_surplus)
    patch(f"{_LEASES}.take_free", make_take)


def mark_before_send() -> None:
    """Rows are deleted when their requests begin."""

    def make(found: Callable[..., Any]) -> Any:
        async def read_bodies(connection: Any, rows: Any) -> Any:
            bodies = await found(connection, rows)
            ended = Changes(ended=list(rows))
            async with connection.transaction():
                await write(connection, ended, {}, datetime.now(UTC))
            return bodies

        return read_bodies

    patch(f"{_SENDING}.rows:read_bodies", make)


def secret_of_another() -> None:
    """The first secret that is decrypted signs for all destinations: a cache without a key."""
    known: list[str] = []

    def make(found: Callable[..., str]) -> Any:
        def decrypt(self: Any, sealed: bytes, shop: str, name: str) -> str:
            if not known:
                known.append(found(self, sealed, shop, name))
            return known[0]

        return decrypt

    patch("services.deliveries.secret_box:SecretBox.decrypt", make)


def address_checked_once() -> None:
    """The name is resolved again for the connection, after its addresses were checked."""

    def make(found: Callable[..., Any]) -> Any:
        async def resolve(self: Any, host: str, *arguments: Any, **named: Any) -> Any:
            checked = self._checked
            self._checked = {host: await self._addresses(host)}
            try:
                return await found(self, host, *arguments, **named)
            finally:
                self._checked = checked

        return resolve

    patch("services.deliveries.network.resolver:CheckedResolver.resolve", make)
