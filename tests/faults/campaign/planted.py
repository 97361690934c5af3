"""Bugs to prove the checker with: each makes a replica worse in one way, and must be caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.campaign.patching import patch

_CONSUMER = "services.runtime.consumer:BatchConsumer"


@dataclass(frozen=True, slots=True)
class Plant:
    """One bug: how it is planted, and which counts of the checker must be above zero."""

    sow: Callable[[], None]
    caught_as: tuple[str, ...]
    meaning: str


def plant(name: str) -> None:
    """Plant a bug in this process."""
    PLANTS[name].sow()


def _ack_before_commit() -> None:
    """The position moves in a transaction of its own, before what the batch does."""

    def make(found: Callable[..., Any]) -> Any:
        async def transact(self: Any, *arguments: Any, **named: Any) -> Any:
            held = []
            apply = self._apply

            async def hold(_: Any, batch: Any) -> None:
                held.append(batch)

            self._apply = hold
            try:
                result = await found(self, *arguments, **named)
            finally:
                self._apply = apply
            for batch in held:
                async with self._pool.acquire() as connection, connection.transaction():
                    await apply(connection, batch)
            return result

        return transact

    patch(f"{_CONSUMER}._transact", make)


def _dedup_off() -> None:
    """No order remembers which items it has applied."""
    patch("services.orders.store:_unpack", lambda _: lambda *__: ())


PLANTS: Mapping[str, Plant] = {
    "ack_before_commit": Plant(
        _ack_before_commit, ("lost",), "the position is stored before the batch's transaction"
    ),
    "dedup_off": Plant(_dedup_off, ("duplicated",), "no item is known to have been applied"),
}
