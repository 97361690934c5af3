"""The guard of age is for what describes an order, never for a new fact."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import Analytics, OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    NOON,
    Desk,
    attach,
    cancel,
    event_types,
    fields,
    item,
    place,
    ref,
    update,
    update_shipment,
    upsert,
)

OLD = {
    "source_version": {"source_version": 1},
    "updated_at": {"updated_at": NOON - timedelta(days=1)},
}
NEW = {"source_version": {"source_version": 5}, "updated_at": {"updated_at": NOON}}


def _desk(guard: str, **given) -> Desk:
    desk = Desk()
    desk.send(place(sent=item(**NEW[guard]), email_id="new@example.org", **given))
    return desk


def _parcel(number: str) -> Tracking:
    return Tracking(tracking_number=number, carrier_reference="dhl")


@pytest.mark.parametrize("guard", OLD)
def test_old_command_attaches_its_new_parcel_and_describes_nothing(guard):
    desk = _desk(guard)

    decision = desk.send(
        upsert(
            ref(),
            fields(email_id="old@example.org", expected_number_of_shipments=3),
            (_parcel("N1"),),
            order_analytics=Analytics(source="old"),
            **OLD[guard],
        )
    )

    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled"]
    order = desk.order()
    assert order.placement.email_id == "new@example.org"
    assert order.expected_number_of_shipments == 1
    assert order.order_analytics is None
    (warning,) = decision.warnings
    assert (warning.code, warning.pointer) == (WarningCode.DESCRIPTION_STALE, "/order")
    guards = (order.source_version, order.updated_at)
    assert guards == (NEW[guard].get("source_version"), NEW[guard].get("updated_at"))


@pytest.mark.parametrize("guard", OLD)
def test_old_command_with_nothing_but_new_parcels_has_no_warning(guard):
    desk = _desk(guard)

    decision = desk.send(upsert(ref(), None, (_parcel("N1"), _parcel("N2")), **OLD[guard]))

    assert decision.outcome is Outcome.APPLIED
    assert decision.warnings == ()


@pytest.mark.parametrize("guard", OLD)
def test_old_command_without_a_new_parcel_is_stale(guard):
    desk = _desk(guard)
    desk.send(replace(attach("N1", carrier="ups"), **NEW[guard]))

    decision = desk.send(upsert(ref(), fields(), (_parcel("N1"),), **OLD[guard]))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.STALE)
    assert desk.shipment().carrier_reference == "ups"


@pytest.mark.parametrize("guard", OLD)
def test_old_command_takes_no_number_from_another_order(guard):
    desk = _desk(guard)
    desk.send(place("2"))
    desk.send(attach("N1", to="2", carrier="dhl"))

    decision = desk.send(upsert(ref(), None, (_parcel("N1"),), **OLD[guard]))

    assert decision.outcome is Outcome.APPLIED
    assert {desk.shipment(number=number).number for number in ("1", "2")} == {"N1"}


@pytest.mark.parametrize("guard", OLD)
def test_old_cancellation_is_applied(guard):
    desk = _desk(guard)

    decision = desk.send(cancel(**OLD[guard]))

    assert event_types(decision) == ["order.cancelled"]
    assert desk.order().status is OrderStatus.CANCELLED


@pytest.mark.parametrize("guard", OLD)
def test_what_describes_is_stale_in_narrow_commands(guard):
    desk = _desk(guard)
    desk.send(replace(attach("N1"), **NEW[guard]))
    url = update_shipment(tracking_number="N1", tracking_url="https://x.example", **OLD[guard])

    for command in (url, update(expected_number_of_shipments=2, **OLD[guard])):
        assert desk.send(command).reason is Reason.STALE


@pytest.mark.parametrize("guard", OLD)
def test_old_fact_sent_again_is_a_duplicate(guard):
    desk = _desk(guard)
    for command in (upsert(ref(), None, (_parcel("N1"),), **OLD[guard]), cancel(**OLD[guard])):
        desk.send(command)
        assert desk.send(command).reason is Reason.DUPLICATE


def test_parcel_and_cancellation_end_the_same_in_any_order_of_age():
    ends = []
    commands = (
        upsert(ref(), None, (_parcel("N1"),), source_version=2),
        cancel(source_version=3, cancelled_at=NOON),
    )
    for sequence in (commands, commands[::-1]):
        desk = Desk()
        desk.send(place(sent=item(source_version=1)))
        for command in sequence:
            desk.send(command)
        order = desk.order()
        ends.append(replace(order, applied=(), version=0, order_sequence=0, shipment_sequence=0))

    assert ends[0] == ends[1]
    assert ends[0].status is OrderStatus.CANCELLED
    assert ends[0].shipments[0].number == "N1"
