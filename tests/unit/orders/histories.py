"""Scans and reports as they come from carriers, for properties: nearly always the newest."""

from __future__ import annotations

from hypothesis import strategies as st

from services.orders.domain.model.commands import Command
from services.orders.domain.tracking.scan import Precision, Scan
from tests.unit.orders.builders import HOUR, NOON, attach, report, scan
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


@st.composite
def histories(draw: st.DrawFn) -> list[Scan]:
    """Scans in the order in which they are reported; some of one key, so that one is corrected."""
    found: list[Scan] = []
    at = NOON
    for _ in range(draw(st.integers(1, 8))):
        at += draw(HOURS_APART) * HOUR
        precision = draw(st.sampled_from([Precision.SECOND] * 5 + [Precision.DAY]))
        found.append(
            scan(
                draw(NAMES),
                at.replace(hour=0, minute=0) if precision is Precision.DAY else at,
                precision=precision,
                carrier=draw(st.sampled_from(["dhl"] * 6 + ["ups", None])),
                scan_id=draw(st.sampled_from([None] * 4 + ["1", "2", "3"])),
                retracts=draw(st.sampled_from([None] * 12 + ["1", "2"])),
                code=draw(st.sampled_from([None, None, "a", "b"])),
                eta=draw(ETAS),
                text=draw(st.sampled_from([None, "a", "b"])),
            )
        )
    return found


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
