"""Sub-status: the event name that says the state of a shipment more exactly than its phase.

A physical scan that moves the parcel is its sub-status: the state machine sets that one. Here is
what else sets it. Rule: docs/scan-rules.md, rule 15c.
"""

from __future__ import annotations

from services.orders.domain.tracking.catalogue import Entry, FlagEffect, Phase, entry_of
from services.orders.domain.tracking.legs import RETURNS
from services.orders.domain.tracking.scan import Scan

RETURNED = "RETURNED_TO_SENDER"
"""Of a parcel that is delivered at the end of its way back to the shop."""
_GOING_BACK = "RETURN_IN_TRANSIT"
_DELIVERED = "SUCCESSFULLY_DELIVERED"


def says_trouble(scan: Scan, entry: Entry) -> bool:
    """Whether a scan says a trouble, or the end of one: a flag, a reason, or that one has to act.

    `entry` is the line of its event name.
    """
    has_effect = entry.flag is not FlagEffect.NONE
    return has_effect or entry.why is not None or scan.why is not None


def on_the_way_back(held: str | None, scan: Scan, entry: Entry) -> str:
    """The sub-status of a parcel that goes back to the shop, after a scan of the way.

    Trouble is said; else the event that says why the parcel goes back stays. The names of the way
    to the customer would say that the parcel comes.
    """
    if says_trouble(scan, entry):
        return entry.name
    is_said = held is not None and entry_of(held).phase in RETURNS
    return held if held is not None and is_said else _GOING_BACK


def after_repeated_end(held: str | None, entry: Entry) -> str | None:
    """The sub-status after a further scan of the end: one that says how it was delivered counts."""
    is_plain = entry.phase is Phase.DELIVERED and entry.flag is FlagEffect.NONE
    return entry.name if held == _DELIVERED and is_plain else held
