"""Instants as people write them: `2026-03-01`, `2026-03-01T10:30Z`, or `2h` for two hours ago."""

import re
from datetime import UTC, datetime, timedelta

from orderflow.console.terminal import WrongArgument

HELP = "An instant (2026-03-01T10:30Z; UTC unless it says otherwise), or 30m, 2h, 7d ago."

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The first time that a record of Kafka can have."""

_AGO = re.compile(r"(?P<count>\d{1,6})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def minute(at: datetime) -> str:
    """An instant to the minute, in UTC: an order keeps the offset that its sender wrote."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def second(at: datetime) -> str:
    """An instant to the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def instant_of(text: str | None, now: datetime) -> datetime | None:
    """Read an instant; None stays None.

    Raises:
        WrongArgument: it is none.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            instant = now - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
        else:
            instant = datetime.fromisoformat(text)
            instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise WrongArgument(_out_of_range(text)) from None
    except ValueError:
        raise WrongArgument(f"{text!r} is no instant: write 2026-03-01T10:30Z, or 2h") from None
    if instant < EARLIEST:
        raise WrongArgument(_out_of_range(text))
    return instant


def _out_of_range(text: str) -> str:
    return f"{text!r} is out of range: Kafka has times from 1970, and 9999 is the last year"
