"""Telling: the events that new scans make on the shipment they belong to, one per scan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from services.orders.domain.arrangement import sort_key
from services.orders.domain.catalogue import entry_of, group_of
from services.orders.domain.decision import EventType, ShipmentFact
from services.orders.domain.drafts import with_shipment
from services.orders.domain.frozen import Value, replace
from services.orders.domain.identity import Uuid
from services.orders.domain.journey import Journey, Replay, travel
from services.orders.domain.ledger import Ledger
from services.orders.domain.news import tell_updated
from services.orders.domain.order import Order, Shipment
from services.orders.domain.scans import Direction, Scan
from services.orders.domain.step import Step
from services.orders.domain.tracking_state import TrackingState
from services.orders.domain.urgency import group_of_step, is_worth_telling


class _Told(Value, frozen=True):
    """A new scan, the state with it, and whether to notify."""

    scan: Scan
    state: TrackingState
    group: str | None
    notify: bool


def tell_scans(
    ledger: Ledger, order: Order, shipment_id: Uuid, known: tuple[Scan, ...], new: tuple[Scan, ...]
) -> None:
    """Recompute a shipment over `known` and `new` scans, with one event per new scan, by time.

    A state that differs without a new scan (a scan was corrected, or left for another parcel) is
    told as an update of the shipment.
    """
    for told in _tellings(known, new, ledger.now):
        _tell_scan(ledger, order.order_id, shipment_id, told)
    if not new:
        _tell_recomputed(ledger, order.order_id, shipment_id, known)


def _tellings(known: tuple[Scan, ...], new: tuple[Scan, ...], now: datetime) -> Iterator[_Told]:
    if not new:
        return
    is_import = not known and len(new) > 1
    whole = travel((*known, *new), now)
    if _is_appended(whole, known):
        for index in range(len(known), len(whole.steps)):
            yield _told(whole.steps[: index + 1], index, now, is_import=is_import)
        return
    yield from _one_by_one(known, new, now, is_import=is_import)


def _is_appended(whole: Journey, known: tuple[Scan, ...]) -> bool:
    """All new scans follow all known ones and all count: then each step's state is ready."""
    if whole.aside:
        return False
    keys = {scan.key for scan in known}
    return all(step.scan.key in keys for step in whole.steps[: len(known)])


def _one_by_one(
    known: tuple[Scan, ...], new: tuple[Scan, ...], now: datetime, *, is_import: bool
) -> Iterator[_Told]:
    replay = Replay(known, now)
    for scan in sorted(new, key=sort_key):
        replay.add(scan)
        journey = replay.journey()
        steps = journey.steps
        index = _place_of(scan, steps)
        if index is None:
            state = journey.state
            yield _Told(scan, state, _group_aside(scan, state), notify=False)
        else:
            told = _told(steps, index, now, is_import=is_import)
            yield replace(told, state=journey.state)


def _told(steps: tuple[Step, ...], index: int, now: datetime, *, is_import: bool) -> _Told:
    step = steps[index]
    notify = not is_import and is_worth_telling(steps, index, now)
    return _Told(step.scan, step.state, group_of_step(step), notify)


def _group_aside(scan: Scan, state: TrackingState) -> str | None:
    is_return = state.direction is Direction.CUSTOMER_MERCHANT
    return group_of(entry_of(scan.event_name), is_return=is_return)


def _place_of(scan: Scan, steps: tuple[Step, ...]) -> int | None:
    """Where a scan stands among the steps, most often last; None where it does not count."""
    places = range(len(steps) - 1, -1, -1)
    return next((place for place in places if steps[place].scan.key == scan.key), None)


def _tell_scan(ledger: Ledger, order_id: Uuid, shipment_id: Uuid, told: _Told) -> None:
    before = _shipment(ledger, order_id, shipment_id)
    after = replace(before, tracking=told.state)
    ledger.put(with_shipment(_order(ledger, order_id), after))
    # After a reassignment the same scan is a new fact of this shipment, with a new id.
    cause = f"{told.scan.key}/{after.generation}" if after.generation else told.scan.key
    ledger.tell_shipment(
        order_id,
        after,
        EventType.SHIPMENT_SCANNED,
        _fact(ledger, before, after, told),
        name=entry_of(told.scan.event_name).name,
        group=told.group,
        cause=cause,
    )


def _fact(ledger: Ledger, before: Shipment, after: Shipment, told: _Told) -> ShipmentFact:
    scan = told.scan
    return ShipmentFact(
        carrier_reference=scan.carrier or after.carrier,
        tracking_number=after.tracking_number,
        tracking_url=after.tracking_url,
        direction=after.direction,
        phase=entry_of(scan.event_name).phase or after.tracking.phase,
        shipment_phase=after.tracking.phase,
        previous_phase=before.tracking.phase,
        flag=after.tracking.flag,
        previous_flag=before.tracking.flag,
        eta=after.tracking.eta,
        previous_eta=before.tracking.eta,
        leg=after.tracking.leg,
        updated_at=ledger.now,
        recorded_at=scan.recorded_at,
        occurred_at=scan.occurred_at,
        notify=told.notify,
        scan_id=scan.scan_id,
        carrier_code=scan.code,
        carrier_text=scan.text,
        location=scan.location,
        reason=scan.reason,
        attempt=scan.attempt,
        pickup=scan.pickup,
        proof=scan.proof,
        tz_known=scan.tz_known,
    )


def _tell_recomputed(
    ledger: Ledger, order_id: Uuid, shipment_id: Uuid, known: tuple[Scan, ...]
) -> None:
    before = _shipment(ledger, order_id, shipment_id)
    after = replace(before, tracking=travel(known, ledger.now).state)
    if after == before:
        return
    order = with_shipment(_order(ledger, order_id), after)
    ledger.put(order)
    cause = f"{ledger.item.item_id}/tracking"
    tell_updated(ledger, order, before, after, ("tracking",), cause=cause)


def _order(ledger: Ledger, order_id: Uuid) -> Order:
    order = ledger.order(order_id)
    if order is None:
        raise LookupError(f"order {order_id} is not in the ledger")
    return order


def _shipment(ledger: Ledger, order_id: Uuid, shipment_id: Uuid) -> Shipment:
    for shipment in _order(ledger, order_id).shipments:
        if shipment.shipment_id == shipment_id:
            return shipment
    raise LookupError(f"shipment {shipment_id} is not on order {order_id}")
