"""Bugs between Kafka and the transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chaos.patching import patch

_CONSUMER = "services.runtime.consumer.consumer:BatchConsumer"
_POSITIONS = "services.runtime.partitions.positions:Positions"


def ack_before_commit() -> None:
    """The position moves in a transaction of its own, before what the batch does."""

    def make(transact: Callable[..., Any]) -> Any:
        async def transacted(self: Any, *arguments: Any, **named: Any) -> Any:
            held = []

            async def hold(_: Any, batch: Any) -> None:
                held.append(batch)

            with _applying_by(self, hold) as apply:
                result = await transact(self, *arguments, **named)
            for batch in held:
                async with self._pool.acquire() as connection, connection.transaction():
                    await apply(connection, batch)
            return result

        return transacted

    patch(f"{_CONSUMER}._transact", make)


def swallowed_error() -> None:
    """What a batch raises is forgotten; its transaction goes on and steps past it."""

    def make(apply_fenced: Callable[..., Any]) -> Any:
        async def fenced(self: Any, *arguments: Any, **named: Any) -> Any:
            async def forgive(connection: Any, batch: Any) -> None:
                try:
                    async with connection.transaction():
                        await apply(connection, batch)
                except Exception:  # noqa: BLE001 - the bug that is planted
                    pass

            with _applying_by(self, forgive) as apply:
                return await apply_fenced(self, *arguments, **named)

        return fenced

    patch(f"{_CONSUMER}._apply_fenced", make)


def no_fence() -> None:
    """No partition is found to stand elsewhere."""

    def make(lock: Callable[..., Any]) -> Any:
        async def locked(*arguments: Any, **named: Any) -> list[Any]:
            await lock(*arguments, **named)
            return []

        return locked

    patch(f"{_POSITIONS}.lock", make)


def gap_accepted() -> None:
    """Later is good enough."""

    def continues(self: Any, first_offset: int) -> bool:
        return self.next_offset is not None and first_offset >= self.next_offset

    patch(
        "services.runtime.partitions.partition_state:PartitionState.continues", lambda _: continues
    )


@contextmanager
def _applying_by(consumer: Any, apply: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Have the consumer apply batches by `apply`; gives what it does otherwise."""
    before = consumer._apply
    consumer._apply = apply
    try:
        yield before
    finally:
        consumer._apply = before
