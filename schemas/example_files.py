"""The runnable examples beside this module: one JSON file for each case of each message type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One message as it lies on its topic; `case` says what is special about it."""

    type: str
    case: str
    topic: str
    key: str
    headers: Mapping[str, str]
    value: Any

    def members(self) -> dict[str, Any]:
        """The example as its file holds it."""
        return {
            "topic": self.topic,
            "key": self.key,
            "headers": dict(self.headers),
            "value": self.value,
        }

    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """The headers as Kafka clients take them."""
        return [(name, text.encode()) for name, text in self.headers.items()]


def load_examples(type_: str | None = None, folder: Path = FOLDER) -> tuple[Example, ...]:
    """All examples, or those of one type, sorted by type and case."""
    return tuple(_read(path) for path in sorted(folder.glob(f"{type_ or '*'}/*.json")))


def _read(path: Path) -> Example:
    found = json.loads(path.read_text("utf-8"))
    return Example(path.parent.name, path.stem, **found)
