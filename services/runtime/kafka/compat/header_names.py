"""Records whose header names are not UTF-8 can be read.

aiokafka 0.14 decodes header names strictly while it iterates a batch, so one such record makes
every poll of all partitions raise, for ever. Here undecodable bytes of a name are replaced. The
services read no header of such a name, so the message is applied or rejected like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def install() -> None:
    """Patch aiokafka's fetcher for this process; a second call changes nothing."""
    fetcher.MemoryRecords = LenientRecords


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """The records of a fetch, batch by batch."""

    def next_batch(self) -> Any:
        """Return the next batch, None at the end."""
        piece = self._next_slice
        batch = super().next_batch()
        return None if batch is None else _Batch(batch, piece)


class _Batch:
    """A batch read by aiokafka's C reader, and by its Python reader where that fails."""

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
    """The Python reader of aiokafka, on bytes that decode without errors."""

    def __iter__(self) -> Any:
        super().__iter__()  # Decompresses the buffer.
        self._buffer = _LenientBytes(self._buffer)  # type: ignore[has-type]
        return self


class _LenientBytes(bytearray):
    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return _LenientBytes(found) if isinstance(key, slice) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "replace")
