"""Reading records whose header names are not UTF-8.

aiokafka (0.14) decodes them strictly while it iterates a batch, so that one such record makes
every poll raise, for all partitions and for ever. Here the name's unreadable bytes are replaced:
no header we read has such a name, and the message goes on to be applied or refused like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def install() -> None:
    """Let every consumer of this process read so; done once more it changes nothing."""
    fetcher.MemoryRecords = LenientRecords


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """What a fetch brought, batch by batch."""

    def next_batch(self) -> Any:
        """The next batch, None at the end."""
        piece = self._next_slice
        batch = super().next_batch()
        return None if batch is None else _Batch(batch, piece)


class _Batch:
    """A batch read the fast way, and slowly only where that fails."""

    def __init__(self, batch: Any, piece: memoryview) -> None:
        self._batch = batch
        self._piece = piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(_SlowBatch(self._piece))


class _SlowBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's reader in Python, on bytes that decode whatever they hold."""

    def __iter__(self) -> Any:
        super().__iter__()  # Decompresses first.
        self._buffer = _LenientBytes(self._buffer)  # type: ignore[has-type]
        return self


class _LenientBytes(bytearray):
    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return _LenientBytes(found) if isinstance(key, slice) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "replace")
