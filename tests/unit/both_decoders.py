"""Decodes the same bytes by the twin and by the contract's model, and compares the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from bench.counting import Counter as Instructions
from bench.pure import _Path
from bench.traffic import mix
from services.runtime.messages.headers import read_headers
from services.runtime.twins import Reader
from tests.unit.orders.mutations import Sent

Reading = Callable[[Sent], list[str]]
"""Decodes a message to the repr of each value: 1.0 and 1.00 differ."""
Readers = Mapping[str, Reader[Any]]


def decoded_by(readers: Readers) -> tuple[int, int]:
    """Count the bodies that twins and models have read since the last call."""
    taken = [reader.counted() for reader in readers.values()]
    return sum(fast for fast, _ in taken), sum(slow for _, slow in taken)


def is_refused(reading: Sequence[str]) -> bool:
    """Whether the message or an item of it was refused."""
    return any("Rejection(" in each or each.startswith("Malformed(") for each in reading)


def compare(
    messages: Iterable[Sent], reading_of: Reading, readers: Readers, patch: pytest.MonkeyPatch
) -> Counter[str]:
    """Count messages read by twins, accepted, and refused; fails at the first difference."""
    found: Counter[str] = Counter()
    for sent in messages:
        decoded_by(readers)
        reading = reading_of(sent)
        found["fast"] += bool(decoded_by(readers)[0])
        with patch.context() as patched:
            patched.setattr(Reader, "fast_or_none", lambda *_: None)
            assert reading == reading_of(sent), sent
        found["refused" if is_refused(reading) else "taken"] += 1
    return found


def share_of_fast(sources: Iterable[Sent], reading_of: Reading, readers: Readers) -> float:
    """The share of accepted bodies that twins read."""
    fast = slow = 0
    for sent in sources:
        decoded_by(readers)
        if not is_refused(reading_of(sent)):  # Refused messages are read by the model.
            taken = decoded_by(readers)
            fast, slow = fast + taken[0], slow + taken[1]
    return fast / (fast + slow)


def published_events(*mixes: str) -> list[Sent]:
    """The events that the orders service publishes for some mixes of the benchmark."""
    found: list[Sent] = []
    for name in mixes:
        path, letters = _Path(), mix(name, 20)
        for part in (letters.before, letters.letters):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("bench.pure.send_rows", _keeping(found))
                path.run(part, Instructions())
    return found


def _keeping(found: list[Sent]) -> Callable[..., Any]:
    async def send_rows(_producer: object, rows: Sequence[Any], _topic: object) -> None:
        for row in rows:
            for topic, headers, value in zip(row.topics, row.headers, row.values, strict=True):
                if topic.endswith(".events"):
                    found.append((topic, dict(read_headers(headers))["ce_type"].decode(), value))

    return send_rows
