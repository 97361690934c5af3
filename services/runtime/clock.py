"""Time and random ids: the only module that reads the clock of the machine or makes random ids."""

import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from services.runtime.config.settings import Settings


class ClockError(Exception):
    """The clock file holds no instant; the text says what to write into it."""


class Clock(Protocol):
    """Business time, by which staleness, expiry and ETA are decided."""

    def now(self) -> datetime:
        """The current time, with a time zone."""


class SystemClock:
    """The clock of the machine, in UTC."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)


class FileClock:
    """Business time read from a file at each call, so that a demo can set it from its data."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """The time in the file, in UTC; ClockError when the file holds none."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
            instant = datetime.fromisoformat(text)
        except (OSError, ValueError) as error:
            raise ClockError(_advice(self._path, str(error))) from None
        if instant.tzinfo is None:
            raise ClockError(_advice(self._path, f"{text} has no time zone"))
        return instant.astimezone(UTC)


def _advice(path: Path, reason: str) -> str:
    return (
        f"ORDERFLOW_CLOCK_FILE={path}: {reason}; write an instant such as "
        "2026-05-04T09:30:00Z into it, or unset the variable to use the machine's clock"
    )


def set_clock(path: Path, instant: datetime) -> None:
    """Write `instant` for every FileClock on `path`; readers see the old or the new value."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(instant.astimezone(UTC).isoformat(), encoding="ascii")
    draft.replace(path)


def clock_of(settings: Settings) -> Clock:
    """The clock of a process: that of the clock file where one is set, else the machine's."""
    return FileClock(settings.clock_file) if settings.clock_file else SystemClock()


def new_id() -> str:
    """A random id (UUIDv4), for messages sent by hand and trace ids; other ids are derived."""
    return str(uuid.uuid4())
