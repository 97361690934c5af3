"""Made ids: ids of scans whose carrier gives codes and times, and no ids.

An id is made of what the carrier wrote alone: a zone or a meaning that is found later does not
change it.
"""

from __future__ import annotations

from services.orders.messages.carriers.moments import Moment
from services.orders.messages.carriers.plain import ID


def made_id(code: str, moment: Moment) -> str:
    """The id of a scan: its code, and its time as it was written."""
    written = (moment.local or moment.at).replace(tzinfo=None)
    return f"{code}@{written.isoformat(timespec='seconds')}"[-ID:]
