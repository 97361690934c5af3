"""Instants as people write them: `2026-03-01`, `2026-03-01T10:30Z`, or `2h` for two hours ago."""

import re
from datetime import UTC, datetime, timedelta

from orderflow.console.terminal import WrongArgument

HELP = "An instant (2026-03-01T10:30Z; UTC unless it says otherwise), or 30m, 2h, 7d ago."

_AGO = re.compile(r"(?P<count>\d{1,6})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant_of(text: str | None, now: datetime) -> datetime | None:
    """Read an instant; None stays None.

    Raises:
        WrongArgument: it is none.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise WrongArgument(f"{text!r} is no instant: write 2026-03-01T10:30Z, or 2h") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
