"""Scans and reports as they come from carriers, for properties: nearly always the newest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from services.orders.domain.model.commands import Command
from services.orders.domain.tracking.ordering import order_scans
from services.orders.domain.tracking.scan import Precision, Scan
from tests.unit.orders.builders import DAY, HOUR, NOON, attach, report, scan
from tests.unit.orders.test_properties import ETAS

NAMES = st.sampled_from(
    [
        "PICKED_UP_BY_CARRIER",
        "OUT_FOR_DELIVERY",
        "RECIPIENT_NOT_HOME",
        "NO_ACCESS",
        "SUCCESSFULLY_DELIVERED",
        "READY_FOR_COLLECTION_AT_LOCKER",
        "DAMAGED",
        "LOST",
        "REPACKED",
        "HELD_AT_DEPOT",
        "CARRIER_DELAY",
        "REFUSED",
        "SORTED",
        "RETURN_LABEL_CREATED",
        "RETURNED_TO_SENDER",
        "ETA_CHANGED",
        "SCAN_RETRACTED",
    ]
)
HOURS_APART = st.sampled_from([0, 0, 0.5, 0.7, 1.2, 5, 11, 12.5, 13, 25] * 2 + [-1, -13, 50])


IDS = st.sampled_from([{}] * 12 + [{"retracts": "1"}, {"retracts": "2"}, {"scan_id": "1"}])
LATER = NOON + 400 * DAY


def drawn_scan(
    draw: st.DrawFn, names: st.SearchStrategy[str], at: datetime, **members: Any
) -> Scan:
    """A scan at a time, or on its day; mostly of one carrier."""
    is_day = draw(st.sampled_from([False] * 5 + [True]))
    return scan(
        draw(names),
        at.replace(hour=0, minute=0) if is_day else at,
        precision=Precision.DAY if is_day else Precision.SECOND,
        carrier=draw(st.sampled_from(["dhl"] * 6 + ["ups", None])),
        **members,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Scan]:
    """Scans in the order in which they are reported; some of one key, so that one is corrected."""
    found: list[Scan] = []
    at = NOON
    for _ in range(draw(st.integers(1, 8))):
        at += draw(HOURS_APART) * HOUR
        found.append(
            drawn_scan(
                draw,
                NAMES,
                at,
                scan_id=draw(st.sampled_from([None] * 4 + ["1", "2", "3"])),
                retracts=draw(st.sampled_from([None] * 12 + ["1", "2"])),
                code=draw(st.sampled_from([None, None, "a", "b"])),
                eta=draw(ETAS),
                text=draw(st.sampled_from([None, "a", "b"])),
            )
        )
    return found


def in_order(found: Iterable[Scan]) -> list[Scan]:
    """Scans in the order of rule 8: the first of each key, without those that are retracted."""
    first: dict[str, Scan] = {}
    for each in found:
        first.setdefault(each.key, each)
    return order_scans(first.values(), LATER)[0]


ATTACHES = st.builds(
    lambda carrier, to, hours: attach(
        "N1", carrier=carrier, to=to, tracking_placed_at=NOON + hours * HOUR
    ),
    st.sampled_from([None, "dhl", "ups"]),
    st.sampled_from(["1", "2"]),
    st.sampled_from([0, 10, 30, 100]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Command]:
    """Reports of one number, whose owner and carrier change now and then."""
    commands: list[Command] = []
    for each in draw(histories()):
        commands.append(report(each, carrier=None))
        if draw(st.sampled_from([False] * 4 + [True])):
            commands.append(draw(ATTACHES))
    return commands
