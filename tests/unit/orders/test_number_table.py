"""Every state of a parcel, and every command that takes its number off or gives it another one."""

from __future__ import annotations

import pytest

from services.orders.domain.model.commands import Command, Tracking
from services.orders.domain.model.decision import Outcome, Topic
from services.orders.domain.model.ids import order_id_of, shipment_id_of
from services.orders.domain.tracking.catalogue import Phase
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    place,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)

MOVED = "PICKED_UP_BY_CARRIER"
ARRIVED = "SUCCESSFULLY_DELIVERED"
SCANS: dict[str, tuple[tuple[str, ...], Phase]] = {
    "draft": ((), Phase.ORDER_CREATED),
    "label": (("LABEL_CREATED",), Phase.ORDER_PROCESSED),
    "moving": ((MOVED,), Phase.IN_TRANSIT),
    "delivered": ((MOVED, ARRIVED), Phase.DELIVERED),
    "refused": ((MOVED, "REFUSED"), Phase.RETURN_TRANSIT),
    "returned": ((MOVED, "REFUSED", "RETURNED_TO_SENDER"), Phase.RETURNED),
    "sent_back": ((MOVED, ARRIVED, "RETURN_LABEL_CREATED", MOVED), Phase.RETURN_TRANSIT),
    "lost": ((MOVED, "LOST"), Phase.IN_TRANSIT),
    "voided": ((), Phase.ORDER_CREATED),
    "replaced": ((), Phase.ORDER_PROCESSED),
}
"""The scans that bring the parcel N1 into a state, and its phase then; `replaced` has N2."""


def listed(number: str) -> Command:
    """`order.upsert` with a number of the delivery f1."""
    return upsert(ref(), trackings=(Tracking(tracking_number=number, external_shipment_id="f1"),))


def forced(reason: str | None) -> Command:
    """`shipment.void` with force."""
    return void(tracking_number="N1", is_forced=True, reason=reason)


COMMANDS: dict[str, Command] = {
    "void_by_id": void(shipment_id=shipment_id_of(order_id_of(SHOP, "1"), 1)),
    "void_by_number": void(tracking_number="N1"),
    "void_by_external": void(external_shipment_id="f1"),
    "forced": forced("not ours"),
    "forced_unsaid": forced(None),
    "update": update_shipment(external_shipment_id="f1", tracking_number="N3"),
    "upsert": listed("N3"),
    "again": listed("N1"),
    "scan": report(scan("OUT_FOR_DELIVERY", NOON + 20 * HOUR)),
}

TABLE = """
          void_by_id         void_by_number     void_by_external
draft     shipment_is_draft  shipment_not_found shipment_not_found
label     off                off                off
moving    off                off                off
delivered shipment_delivered shipment_delivered shipment_delivered
refused   off                off                off
returned  off                off                off
sent_back shipment_delivered shipment_delivered shipment_delivered
lost      off                off                off
voided    already_voided     already_voided     already_voided
replaced  off                already_voided     off

          forced             forced_unsaid      update
draft     shipment_not_found shipment_not_found shipment_not_found
label     off                off                replaced_N3
moving    off                off                replaced_N3
delivered off                force_needs_reason shipment_delivered
refused   off                off                replaced_N3
returned  off                off                replaced_N3
sent_back off                force_needs_reason shipment_delivered
lost      off                off                replaced_N3
voided    already_voided     already_voided     shipment_not_found
replaced  already_voided     already_voided     replaced_N3

          upsert      again         scan
draft     given_N3    given_N1      number_not_owned
label     replaced_N3 no_difference scanned
moving    replaced_N3 no_difference scanned
delivered added_N3    no_difference scanned
refused   replaced_N3 no_difference scanned
returned  replaced_N3 no_difference scanned
sent_back added_N3    no_difference scanned
lost      replaced_N3 no_difference scanned
voided    given_N3    given_N1      number_not_owned
replaced  replaced_N3 replaced_N1   number_not_owned
"""
"""What each command does in each state, or the reason for which it does nothing."""
EFFECTS = {
    "off": ([None], ["shipment.released"]),
    "given": (["{}"], ["shipment.fulfilled"]),
    "replaced": (["{}"], ["shipment.released", "shipment.fulfilled"]),
    "added": (["N1", "{}"], ["shipment.fulfilled"]),
    "scanned": (["N1"], ["shipment.scanned"]),
}
"""The order's numbers afterwards, and the events of its shipments."""


def cells() -> list[tuple[str, str, str]]:
    """State, command and effect of each cell."""
    found = []
    for block in TABLE.strip("\n").split("\n\n"):
        head, *rows = (line.split() for line in block.splitlines())
        found += [
            (state, command, effect)
            for state, *effects in rows
            for command, effect in zip(head, effects, strict=True)
        ]
    return found


def desk_in(state: str) -> Desk:
    desk = Desk()
    desk.send(place())
    if state != "draft":
        desk.send(listed("N1"))
    if state == "voided":
        desk.send(void(tracking_number="N1"))
    if state == "replaced":
        desk.send(listed("N2"))
    desk.now = NOON + DAY
    names, phase = SCANS[state]
    for hours, name in enumerate(names, start=1):
        desk.send(report(scan(name, NOON + hours * HOUR)))
    assert desk.shipment().tracking.phase is phase
    return desk


def numbers_of(desk: Desk) -> list[str | None]:
    return [each.number for each in desk.order().shipments]


def test_table_has_every_state_and_command():
    assert {(state, command) for state, command, _ in cells()} == {
        (state, command) for state in SCANS for command in COMMANDS
    }


@pytest.mark.parametrize(("state", "command", "effect"), cells())
def test_command_on_a_parcel_in_each_state(state, command, effect):
    desk = desk_in(state)
    before, count = desk.copy(), len(desk.events)

    decision = desk.send(COMMANDS[command])

    kind, _, number = effect.partition("_")
    if kind not in EFFECTS:
        assert (decision.reason, desk.events) == (effect, before.events)
        assert numbers_of(desk) == numbers_of(before)
        return
    numbers, expected = EFFECTS[kind]
    assert decision.outcome is Outcome.APPLIED
    assert numbers_of(desk) == [each and each.format(number) for each in numbers]
    events = [e.type.value for e in desk.events[count:] if e.topic is Topic.SHIPMENTS]
    assert events == expected
    has_number = desk.shipment().number is not None
    assert has_number or desk.shipment().tracking.phase is Phase.ORDER_CREATED
