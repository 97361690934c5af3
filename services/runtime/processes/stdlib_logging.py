"""Log entries in the form of `observability.logging`, made with the standard library only.

The parent of `serve --processes` uses this module, to import as little as possible. An entry is
`log.info("process_started", extra={"fields": {"pid": 7}})`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


def configure(log_format: str, level: str, *, process: int) -> None:
    """Write every log entry to stderr; `log_format` and `level` are LOG_FORMAT and LOG_LEVEL."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain(process) if log_format == "console" else _Json(process))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


class _Json(logging.Formatter):
    """An entry as a JSON object on one line."""

    def __init__(self, process: int) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._entry(record), default=str)

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        entry = {
            **getattr(record, "fields", {}),
            "event": record.getMessage(),
            "process": self._process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return entry


class _Plain(_Json):
    """An entry as a line of text, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        entry = self._entry(record)
        words = " ".join(f"{entry.pop(name)}" for name in ("timestamp", "level", "event"))
        return " ".join([words, *(f"{name}={value}" for name, value in entry.items())])
