"""Plays: commands of several orders and shops on few numbers, scans, and a clock that goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from hypothesis import strategies as st

from services.orders.domain.model.commands import Command, Tracking
from services.orders.domain.tracking.scan import Location, Pickup, Precision, Proof, Scan
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    place,
    ref,
    report,
    scan,
    update,
    update_shipment,
    upsert,
    void,
)

ORDERS = (("qa", "1"), ("qa", "2"), ("qb", "1"))
NUMBERS = st.sampled_from(["N1", "N1", "N1", "N2"])
EXTERNAL_IDS = st.sampled_from([None, "f1", "f1", "f2"])
CARRIERS = st.sampled_from([None, None, None, "dhl", "ups"])
NAMES = st.sampled_from(
    [
        "LABEL_CREATED",
        "PICKED_UP_BY_CARRIER",
        "PICKED_UP_BY_CARRIER",
        "SORTED",
        "OUT_FOR_DELIVERY",
        "OUT_FOR_DELIVERY",
        "RECIPIENT_NOT_HOME",
        "READY_FOR_COLLECTION_AT_LOCKER",
        "SUCCESSFULLY_DELIVERED",
        "RETURNED_TO_SENDER",
        "LOST",
        "ETA_CHANGED",
    ]
)
PAUSES = st.sampled_from([0 * HOUR] * 4 + [HOUR, 5 * HOUR, 2 * DAY, 20 * DAY, 61 * DAY])
AGES = st.sampled_from([0 * HOUR] * 5 + [HOUR, 5 * HOUR, 3 * DAY, 65 * DAY, -2 * HOUR])
"""How long before its report a scan happened; some clocks are ahead."""
HAND_OVERS = st.sampled_from([None, None, 0 * HOUR, HOUR, 2 * DAY, 70 * DAY])
PRIVATE = {
    "location": Location(city="Leipzig"),
    "text": "Left with Mrs Example",
    "proof": Proof(signed_by="A. Example"),
    "pickup": Pickup(name="Kiosk"),
}
"""What one shop alone sees of a scan."""


class Step(NamedTuple):
    """A command, and when it is decided."""

    at: datetime
    command: Command


Draw = Callable[[st.DrawFn, datetime], Command]


def _attach(draw: st.DrawFn, now: datetime) -> Command:
    """Attach numbers; under a known id they replace others."""
    before, external = draw(HAND_OVERS), draw(EXTERNAL_IDS)
    trackings = [
        Tracking(
            tracking_number=number,
            external_shipment_id=external,
            carrier_reference=draw(CARRIERS),
            tracking_placed_at=None if before is None else now - before,
        )
        for number in draw(st.lists(NUMBERS, min_size=1, max_size=2))
    ]
    return upsert(_order(draw), trackings=tuple(trackings))


def _replace(draw: st.DrawFn, _: datetime) -> Command:
    names = {"external_shipment_id": draw(st.sampled_from(["f1", "f2"]))}
    return update_shipment(_order(draw), tracking_number=draw(NUMBERS), **names)


def _void(draw: st.DrawFn, _: datetime) -> Command:
    name = draw(
        st.sampled_from([{"tracking_number": "N1"}, {"tracking_number": "N1"}])
        | st.sampled_from([{"tracking_number": "N2"}, {"external_shipment_id": "f1"}])
    )
    force = draw(st.sampled_from([{}, {"is_forced": True, "reason": "wrong"}]))
    return void(_order(draw), **name, **force)


def _correct(draw: st.DrawFn, _: datetime) -> Command:
    carrier = draw(st.sampled_from(["dhl", "ups"]))
    return update_shipment(_order(draw), tracking_number=draw(NUMBERS), carrier_reference=carrier)


def _expect(draw: st.DrawFn, _: datetime) -> Command:
    return update(_order(draw), expected_number_of_shipments=draw(st.integers(0, 2)))


def _report(draw: st.DrawFn, now: datetime) -> Command:
    number = draw(NUMBERS)
    found = [drawn_scan(draw, now, number) for _ in range(draw(st.integers(1, 3)))]
    return report(*found, number=number)


def _order(draw: st.DrawFn):
    shop, number = draw(st.sampled_from(ORDERS))
    return ref(number, shop=shop)


def drawn_scan(draw: st.DrawFn, now: datetime, number: str) -> Scan:
    """A scan that is reported now."""
    at = now - draw(AGES)
    is_day = draw(st.sampled_from([False] * 7 + [True]))
    return scan(
        draw(NAMES),
        at.replace(hour=0, minute=0) if is_day else at,
        number=number,
        carrier=draw(st.sampled_from(["dhl"] * 6 + ["ups", None])),
        precision=Precision.DAY if is_day else Precision.SECOND,
        recorded_at=now,
        **PRIVATE,
    )


KINDS = st.sampled_from(
    [_attach] * 5 + [_report] * 5 + [_void] * 3 + [_replace] * 2 + [_correct, _expect]
)


@st.composite
def plays(draw: st.DrawFn, most: int = 14) -> list[Step]:
    """Steps in the order of their times; any of them may come again later, as the same item."""
    now, steps = NOON, list[Step]()
    for _ in range(draw(st.integers(1, most))):
        now += draw(PAUSES)
        if steps and draw(st.sampled_from([False] * 4 + [True])):
            command = draw(st.sampled_from(steps)).command
        else:
            command = draw(KINDS)(draw, now)
        steps.append(Step(now, command))
    return steps


def with_orders() -> Desk:
    """A desk with the orders, which have no parcels yet."""
    desk = Desk()
    for shop, number in ORDERS:
        desk.send(place(number, shop=shop))
    return desk
