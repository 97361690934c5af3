"""Both readers of a message, the derived twin and the contract's model, on the same bytes."""

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
"""What reading comes to, with the spelling of every value: 1.0 and 1.00 are not the same."""
Readers = Mapping[str, Reader[Any]]


def roads_taken(readers: Readers) -> tuple[int, int]:
    """How many bodies the twins and the models read since the last call."""
    taken = [reader.counted() for reader in readers.values()]
    return sum(fast for fast, _ in taken), sum(slow for _, slow in taken)


def is_refused(reading: Sequence[str]) -> bool:
    """Whether the message, or an item of it, was refused for its sender."""
    return any("Rejection(" in each or each.startswith("Malformed(") for each in reading)


def compare(
    messages: Iterable[Sent], reading_of: Reading, readers: Readers, patch: pytest.MonkeyPatch
) -> Counter[str]:
    """How many took the fast road, were taken and refused; fails at the first that differs."""
    found: Counter[str] = Counter()
    for sent in messages:
        roads_taken(readers)
        reading = reading_of(sent)
        found["fast"] += bool(roads_taken(readers)[0])
        with patch.context() as patched:
            patched.setattr(Reader, "fast_or_none", lambda *_: None)
            assert reading == reading_of(sent), sent
        found["refused" if is_refused(reading) else "taken"] += 1
    return found


def share_of_fast(sources: Iterable[Sent], reading_of: Reading, readers: Readers) -> float:
    """Of the bodies that are taken, those that twins read."""
    fast = slow = 0
    for sent in sources:
        roads_taken(readers)
        if not is_refused(reading_of(sent)):  # What is sent to be refused is the contract's.
            taken = roads_taken(readers)
            fast, slow = fast + taken[0], slow + taken[1]
    return fast / (fast + slow)


def published_events(*mixes: str) -> list[Sent]:
    """What the orders service publishes on its event topics for some mixes of the benchmark."""
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
